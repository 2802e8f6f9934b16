/** Email/queryChanges (RFC 8621 §4.5). */
import { Type } from 'typebox';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { queryChangesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { type EmailNumber, formatEmailId, type ThreadNumber } from '../../../../protocol/mail/ids.ts';
import { eachOf } from '../../../../protocol/mail/ranges.ts';
import type { AccountReader, Effect } from '../../../../storage/account/api.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { looksAtThreads, readEmailFilter } from '../../search/email-filter.ts';
import { listEmails } from '../../search/email-list.ts';
import { readEmailSort, sortLooksAtThreads } from '../../search/email-sort.ts';
import { looksAtVerification } from '../../smime/status.ts';
import { standardQueryChanges } from '../../standard/query-changes.ts';
import { effectsAfter, stateString } from '../../states.ts';

export const emailQueryChanges = defineMethod({
  name: 'Email/queryChanges',
  capability: mailCapability,
  access: 'read',
  arguments: queryChangesArguments({ collapseThreads: Type.Optional(Type.Boolean()) }),
  run({ account, cache, using }, args) {
    const query = {
      filter: readEmailFilter(args.filter, using),
      sort: readEmailSort(args.sort),
      collapseThreads: args.collapseThreads === true,
    };
    const isByThread = query.collapseThreads || looksAtThreads(query.filter) || sortLooksAtThreads(query.sort);
    if (looksAtVerification(query.filter))
      throw new MethodError('cannotCalculateChanges', 'Signatures are verified anew without a change of their emails.');
    return account.read((reader) => {
      const { effects } = effectsAfter(reader, args.sinceQueryState);
      const { touched, isNew } = touchedEmails(reader, effects, isByThread);
      return standardQueryChanges({
        accountId: args.accountId,
        oldQueryState: args.sinceQueryState,
        newQueryState: stateString(cache.states(reader), 'Email'),
        maxChanges: args.maxChanges,
        calculateTotal: args.calculateTotal,
        results: listEmails(reader, cache, query),
        touched,
        existed: (number) => !isNew.has(number),
        format: (number) => formatEmailId(number as EmailNumber),
      });
    });
  },
});

/** Emails that changed, and those of them that were not there before; where one email's place depends on its thread, all emails of the threads that changed. */
function touchedEmails(
  reader: AccountReader,
  effects: Iterable<Effect>,
  isByThread: boolean,
): { readonly touched: Set<number>; readonly isNew: ReadonlySet<number> } {
  const touched = new Set<number>();
  const threads = new Set<number>();
  const isNew = new Set<number>();
  for (const effect of effects) {
    const { added, changed, removed } = effect.emails;
    for (const email of eachOf(added)) {
      if (!touched.has(email)) isNew.add(email);
      touched.add(email);
    }
    for (const email of eachOf(changed)) touched.add(email);
    for (const email of eachOf(removed)) {
      if (isNew.delete(email)) touched.delete(email);
      else touched.add(email);
    }
    if (isByThread) for (const thread of eachOf(effect.threads.changed)) threads.add(thread);
  }
  if (!isByThread) return { touched, isNew };
  for (const email of touched) {
    const thread = reader.email(email as EmailNumber)?.thread;
    if (thread !== undefined) threads.add(thread);
  }
  for (const thread of threads) for (const email of reader.thread(thread as ThreadNumber)) touched.add(email);
  return { touched, isNew };
}
