/** EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9, RFC 4315). */

import { decodeUidExpunge } from '../../../protocol/imap/commands/expunge.ts';
import { decodeNoArguments } from '../../../protocol/imap/commands/no-arguments.ts';
import type { SequenceSet } from '../../../protocol/imap/sequence-set.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import type { ModSeq } from '../../../protocol/mail/ids.ts';
import { contains, type Ranges, rangesOf } from '../../../protocol/mail/ranges.ts';
import { defineCommand, selected } from '../command.ts';
import type { MailboxView } from '../mailbox-view.ts';
import { limitedReply, limitMessages } from '../message-limit.ts';
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

const all = { indexes: undefined, code: undefined };

function deletedAmong(view: MailboxView, indexes: Ranges): Ranges {
  const first = indexes[0]?.[0];
  const last = indexes.at(-1)?.[1];
  if (first === undefined || last === undefined) return [];
  const asked = view.uidRanges(indexes);
  const deleted: number[] = [];
  view.account.read((reader) =>
    reader.forEachMembership(view.mailbox, view.uids[first]!, view.uids[last]!, ({ uid, deleted: isDeleted }) => {
      if (isDeleted && contains(asked, uid)) deleted.push(view.sequenceOf(uid) - 1);
    }),
  );
  return rangesOf(deleted.filter((index) => index >= 0));
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
    if (!view.may('e')) throw new MailError('forbidden', 'The right e on this mailbox is missing.');
    // RFC 9738 §3.1: UID EXPUNGE has a limit of messages with \Deleted, EXPUNGE has none.
    const { indexes, code } = uids === undefined ? all : limitMessages(session, view, deletedAmong(view, view.resolve(uids, true)));
    const modSeq = await expungeDeleted(view, indexes === undefined ? undefined : view.uidRanges(indexes));
    return limitedReply(session, name, code, expungedReply(session, name, modSeq));
  },
});
