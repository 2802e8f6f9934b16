/** FETCH and UID FETCH (RFC 9051 §6.4.5, §6.4.9, RFC 7162 §3.1.4, RFC 9394 §3.2). */
import { decodeFetch, type FetchArguments } from '../../../protocol/imap/commands/fetch.ts';
import type { FetchAttribute } from '../../../protocol/imap/fetch-attribute.ts';
import { type PartialRange, resolvePartialRange } from '../../../protocol/imap/search-return.ts';
import { resolveSequenceSet, type SequenceSet } from '../../../protocol/imap/sequence-set.ts';
import { ProtocolError } from '../../../protocol/mail/errors.ts';
import { type Range, type Ranges, rangesOf, sizeOf } from '../../../protocol/mail/ranges.ts';
import { defineCommand, selected } from '../command.ts';
import { fetchMessages } from '../fetch/fetch.ts';
import { markSeen } from '../fetch/seen.ts';
import { limitedReply, limitMessages, refuseForLimit } from '../message-limit.ts';
import type { Session } from '../session.ts';
import { vanishedSince, writeVanished } from '../vanished.ts';

export const fetch = defineCommand<FetchArguments>({
  names: ['FETCH', 'UID FETCH'],
  states: selected,
  capability: ['CONDSTORE', 'OBJECTID', 'SAVEDATE', 'PREVIEW', 'PARTIAL'],
  sequences: 'hold',
  takesNumbers: true,
  decode: decodeFetch,
  async run({ session, isUid, name }, { set, attributes: asked, changedSince, vanished, partial }) {
    const { view } = session;
    // RFC 7162 §3.2.6.
    if (vanished && !session.isQresync) throw new ProtocolError('expected ENABLE QRESYNC before');
    const attributes: FetchAttribute[] = [...asked];
    const asksModSeq = asked.some(({ item }) => item === 'MODSEQ');
    // RFC 7162 §3.1: both enable CONDSTORE; CHANGEDSINCE answers with MODSEQ.
    if (asksModSeq || changedSince !== undefined) session.isCondstore = true;
    if (changedSince !== undefined && !asksModSeq) attributes.push({ item: 'MODSEQ' });
    // RFC 9051 §6.4.9: UID FETCH answers with UID, asked for or not. RFC 9586 §3.3: with UIDONLY each response begins with it.
    if (isUid && !session.isUidOnly && !asked.some(({ item }) => item === 'UID')) attributes.unshift({ item: 'UID' });
    // What has gone from under the client's numbers is told as VANISHED without EARLIER, and before.
    if (vanished) session.tellChanges(true);
    const all = view.resolve(set, isUid);
    const { messagesMax } = session.services;
    // RFC 9738 §3.1: a PARTIAL of more is refused as it stands.
    if (partial !== undefined && messagesMax !== undefined && Math.abs(partial.to - partial.from) >= messagesMax)
      return refuseForLimit(`MESSAGELIMIT ${messagesMax}`);
    // RFC 9394 §3.3: PARTIAL chooses first, CHANGEDSINCE among those.
    const { indexes, code } = limitMessages(session, view, partial === undefined ? all : partOf(all, partial));
    if (vanished) tellVanished(session, set, changedSince!);
    const seen = await markSeen(view, attributes, indexes);
    const { missing, unreadable } = await fetchMessages(session, view, {
      attributes,
      indexes,
      changedSince,
      seen,
      isFromLast: code !== undefined,
    });
    const failed = { status: 'NO', code: 'UNKNOWN-CTE', text: 'A part has an encoding that is not known here.' } as const;
    const gone = { status: 'OK', code: 'EXPUNGEISSUED', text: 'Some of these messages are gone.' } as const;
    return limitedReply(session, name, code, unreadable ? failed : missing ? gone : undefined);
  },
});

/** RFC 9394 §3.2: the messages at these positions of a set; none where they are past its end. */
function partOf(indexes: Ranges, partial: PartialRange): Ranges {
  const { start, end } = resolvePartialRange(partial, sizeOf(indexes));
  const part: Range[] = [];
  let position = 0;
  for (const [first, last] of indexes) {
    const from = Math.max(start - position, 0);
    const to = Math.min(end - position, last - first + 1);
    if (from < to) part.push([first + from, first + to - 1]);
    position += last - first + 1;
  }
  return part;
}

/** RFC 7162 §3.2.6. `*` reaches to the last UID that was given, for that message may be the one that has gone. */
function tellVanished({ view, output }: Session, set: SequenceSet, since: number): void {
  const { mailbox, account } = view;
  account.read((reader) => {
    const uidNext = reader.mailbox(mailbox)?.uidNext ?? 1;
    const known = set === '$' ? rangesOf(view.saved) : resolveSequenceSet(set, uidNext - 1);
    writeVanished(output, vanishedSince(reader, { mailbox, since, known }), 'earlier');
  });
}
