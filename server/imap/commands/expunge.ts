/** EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9, RFC 4315). */

import { decodeUidExpunge } from '../../../protocol/imap/commands/expunge.ts';
import { decodeNoArguments } from '../../../protocol/imap/commands/no-arguments.ts';
import type { SequenceSet } from '../../../protocol/imap/sequence-set.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { ModSeq } from '../../../protocol/mail/ids.ts';
import { contains, type Ranges, rangesOf } from '../../../protocol/mail/ranges.ts';
import { defineCommand, selected } from '../command.ts';
import type { MailboxView } from '../mailbox-view.ts';
import type { Reply } from '../refusal.ts';
import type { Session } from '../session.ts';

/** Removes the messages with \Deleted among `uids`, or among all that the client knows. The modSeq of that, if there were any. */
export async function expungeDeleted(view: MailboxView, uids: Ranges | undefined): Promise<ModSeq | undefined> {
  const known = uids ?? view.uidRanges(view.exists === 0 ? [] : [[0, view.exists - 1]]);
  const first = known[0]?.[0];
  const last = known.at(-1)?.[1];
  if (first === undefined || last === undefined) return undefined;
  const { mailbox } = view;
  const hasDeleted = view.account.read((reader) => (reader.mailbox(mailbox)?.deleted ?? 0) > 0);
  if (!hasDeleted) return undefined;
  return view.account.transact((tx) => {
    const deleted: number[] = [];
    tx.forEachMembership(mailbox, first, last, (row) => {
      if (row.deleted && contains(known, row.uid)) deleted.push(row.uid);
    });
    if (deleted.length === 0) return undefined;
    tx.expunge(mailbox, rangesOf(deleted));
    return (tx.modSeq + 1) as ModSeq;
  });
}

/**
 * RFC 7162 §3.2.7 to §3.2.9: the tagged answer to what removed messages. Every change up to this modSeq is applied by then, and told before the
 * answer: the client may go on from it.
 */
export function expungedReply({ isCondstore }: Session, name: string, modSeq: ModSeq | undefined): Reply | undefined {
  if (modSeq === undefined || !isCondstore) return undefined;
  return { status: 'OK', code: `HIGHESTMODSEQ ${modSeq}`, text: `${name} completed` };
}

export const expunge = defineCommand<{ readonly uids?: SequenceSet }>({
  names: ['EXPUNGE', 'UID EXPUNGE'],
  states: selected,
  capability: ['UIDPLUS'],
  sequences: 'free',
  decode: (scanner, _, name) => (name === 'EXPUNGE' ? decodeNoArguments(scanner) : decodeUidExpunge(scanner)),
  async run({ session, name }, { uids }) {
    const { view } = session;
    if (view.isReadOnly) throw new MailError('forbidden', 'The mailbox is selected read-only.');
    const modSeq = await expungeDeleted(view, uids === undefined ? undefined : view.uidRanges(view.resolve(uids, true)));
    return expungedReply(session, name, modSeq);
  },
});
