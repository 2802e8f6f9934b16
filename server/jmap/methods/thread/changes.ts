/** Thread/changes (RFC 8621 §3.2): a thread whose last email is gone, or hidden by `\Deleted`, is destroyed. */
import { changesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { formatThreadId, type ThreadNumber } from '../../../../protocol/mail/ids.ts';
import { eachOf } from '../../../../protocol/mail/ranges.ts';
import type { Effect } from '../../../../storage/account/api.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { standardChanges, type Touched } from '../../standard/changes.ts';
import { stateString } from '../../states.ts';
import { visibleEmails } from './get.ts';

export const threadChanges = defineMethod({
  name: 'Thread/changes',
  capability: mailCapability,
  access: 'read',
  arguments: changesArguments,
  run: ({ account, cache }, args) =>
    account.read((reader) => ({
      accountId: args.accountId,
      ...standardChanges(reader, args, {
        newState: stateString(cache.states(reader), 'Thread'),
        touched: ({ threads }) => touchedIn(threads),
        tell(number, how) {
          if (how === 'removed' || visibleEmails(reader, number as ThreadNumber).length > 0) return how;
          return how === 'added' ? undefined : 'removed';
        },
        format: (number) => formatThreadId(number as ThreadNumber),
      }),
    })),
});

export function* touchedIn({ added, changed, removed }: Effect['threads']): Generator<Touched> {
  for (const number of eachOf(added)) yield { number, how: 'added' };
  for (const number of eachOf(changed)) yield { number, how: 'changed' };
  for (const number of eachOf(removed)) yield { number, how: 'removed' };
}
