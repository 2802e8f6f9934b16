/** Email/changes (RFC 8621 §4.3): an email that `\Deleted` hides everywhere is destroyed. */
import { changesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { type EmailNumber, formatEmailId } from '../../../../protocol/mail/ids.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { standardChanges } from '../../standard/changes.ts';
import { stateString } from '../../states.ts';
import { isVisible } from '../../visible.ts';
import { touchedIn } from '../thread/changes.ts';

export const emailChanges = defineMethod({
  name: 'Email/changes',
  capability: mailCapability,
  access: 'read',
  arguments: changesArguments,
  run: ({ account, cache }, args) =>
    account.read((reader) => ({
      accountId: args.accountId,
      ...standardChanges(reader, args, {
        newState: stateString(cache.states(reader), 'Email'),
        touched: ({ emails }) => touchedIn(emails),
        tell(number, how) {
          if (how === 'removed' || isVisible(reader.email(number as EmailNumber))) return how;
          return how === 'added' ? undefined : 'removed';
        },
        format: (number) => formatEmailId(number as EmailNumber),
      }),
    })),
});
