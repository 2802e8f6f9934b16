/** FETCH and UID FETCH (RFC 9051 §6.4.5, §6.4.9, RFC 7162 §3.1.4). */
import { decodeFetch, type FetchArguments } from '../../../protocol/imap/commands/fetch.ts';
import type { FetchAttribute } from '../../../protocol/imap/fetch-attribute.ts';
import { defineCommand, selected } from '../command.ts';
import { fetchMessages } from '../fetch/fetch.ts';
import { markSeen } from '../fetch/seen.ts';

export const fetch = defineCommand<FetchArguments>({
  names: ['FETCH', 'UID FETCH'],
  states: selected,
  capability: ['CONDSTORE', 'OBJECTID', 'SAVEDATE', 'PREVIEW'],
  sequences: 'hold',
  decode: decodeFetch,
  async run({ session, isUid }, { set, attributes: asked, changedSince }) {
    const { view } = session;
    const attributes: FetchAttribute[] = [...asked];
    const asksModSeq = asked.some(({ item }) => item === 'MODSEQ');
    // RFC 7162 §3.1: both enable CONDSTORE; CHANGEDSINCE answers with MODSEQ.
    if (asksModSeq || changedSince !== undefined) session.isCondstore = true;
    if (changedSince !== undefined && !asksModSeq) attributes.push({ item: 'MODSEQ' });
    // RFC 9051 §6.4.9: UID FETCH answers with UID, asked for or not.
    if (isUid && !asked.some(({ item }) => item === 'UID')) attributes.unshift({ item: 'UID' });
    const indexes = view.resolve(set, isUid);
    const seen = await markSeen(session, view, attributes, indexes);
    const { missing, unreadable } = await fetchMessages(session, view, { attributes, indexes, changedSince, seen });
    if (unreadable) return { status: 'NO', code: 'UNKNOWN-CTE', text: 'A part has an encoding that is not known here.' };
    if (missing) return { status: 'OK', code: 'EXPUNGEISSUED', text: 'Some of these messages are gone.' };
    return undefined;
  },
});
