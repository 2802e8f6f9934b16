/** EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9, RFC 4315). */

import { decodeUidExpunge } from '../../../protocol/imap/commands/expunge.ts';
import { decodeNoArguments } from '../../../protocol/imap/commands/no-arguments.ts';
import type { SequenceSet } from '../../../protocol/imap/sequence-set.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import { contains, type Ranges, rangesOf } from '../../../protocol/mail/ranges.ts';
import { defineCommand, selected } from '../command.ts';
import type { MailboxView } from '../mailbox-view.ts';

/** Removes the messages with \Deleted among `uids`, or among all that the client knows. */
export async function expungeDeleted(view: MailboxView, uids: Ranges | undefined): Promise<void> {
  const known = uids ?? view.uidRanges(view.exists === 0 ? [] : [[0, view.exists - 1]]);
  const first = known[0]?.[0];
  const last = known.at(-1)?.[1];
  if (first === undefined || last === undefined) return;
  const { mailbox } = view;
  const hasDeleted = view.account.read((reader) => (reader.mailbox(mailbox)?.deleted ?? 0) > 0);
  if (!hasDeleted) return;
  await view.account.transact((tx) => {
    const deleted: number[] = [];
    tx.forEachMembership(mailbox, first, last, (row) => {
      if (row.deleted && contains(known, row.uid)) deleted.push(row.uid);
    });
    if (deleted.length > 0) tx.expunge(mailbox, rangesOf(deleted));
  });
}

export const expunge = defineCommand<{ readonly uids?: SequenceSet }>({
  names: ['EXPUNGE', 'UID EXPUNGE'],
  states: selected,
  capability: ['UIDPLUS'],
  sequences: 'free',
  decode: (scanner, _, name) => (name === 'EXPUNGE' ? decodeNoArguments(scanner) : decodeUidExpunge(scanner)),
  async run({ session }, { uids }) {
    const { view } = session;
    if (view.isReadOnly) throw new MailError('forbidden', 'The mailbox is selected read-only.');
    await expungeDeleted(view, uids === undefined ? undefined : view.uidRanges(view.resolve(uids, true)));
    return undefined;
  },
});
