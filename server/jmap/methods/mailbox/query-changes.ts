/** Mailbox/queryChanges (RFC 8621 §2.4). */
import { queryChangesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { formatMailboxId, type MailboxNumber, parseMailboxId } from '../../../../protocol/mail/ids.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { listMailboxes } from '../../search/mailbox-list.ts';
import { standardQueryChanges } from '../../standard/query-changes.ts';
import { effectsAfter, stateString } from '../../states.ts';
import { treeArguments } from './query.ts';

export const mailboxQueryChanges = defineMethod({
  name: 'Mailbox/queryChanges',
  capability: mailCapability,
  access: 'read',
  arguments: queryChangesArguments(treeArguments),
  run: ({ account, cache }, args) =>
    account.read((reader) => {
      const { since, effects } = effectsAfter(reader, args.sinceQueryState);
      const touched = new Set<number>();
      for (const { mailboxes } of effects) for (const { mailbox, record } of mailboxes) if (record !== undefined) touched.add(mailbox);
      // In a tree a mailbox moves with those above it.
      const isTree = args.sortAsTree === true || args.filterAsTree === true;
      if (isTree && touched.size > 0) for (const { id } of reader.mailboxes()) touched.add(id);
      return standardQueryChanges({
        accountId: args.accountId,
        oldQueryState: args.sinceQueryState,
        newQueryState: stateString(cache.states(reader), 'Mailbox'),
        maxChanges: args.maxChanges,
        calculateTotal: args.calculateTotal,
        results: listMailboxes(reader, args).map((id) => parseMailboxId(id)!),
        touched,
        existed: (number) => (reader.mailbox(number as MailboxNumber)?.createdModSeq ?? 0) <= since.modSeq,
        format: (number) => formatMailboxId(number as MailboxNumber),
      });
    }),
});
