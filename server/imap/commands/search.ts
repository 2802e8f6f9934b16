/** SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731 ESEARCH, RFC 5182 SEARCHRES, RFC 7162 §3.1.5, RFC 9394 PARTIAL). */
import { decodeSearch, type SearchArguments } from '../../../protocol/imap/commands/search.ts';
import { defineCommand, selected } from '../command.ts';
import { limitedReply, limitMessages } from '../message-limit.ts';
import { mustBeUtf8, refuseCharset, saving, writeAnswer } from '../search/answer.ts';
import { mentionsModSeq, runSearch, searchedMessages } from '../search/search.ts';
import { mustUseUids } from '../uid-only.ts';

export const search = defineCommand<SearchArguments>({
  names: ['SEARCH', 'UID SEARCH'],
  states: selected,
  capability: ['ESEARCH', 'SEARCHRES', 'WITHIN', 'SAVEDATE'],
  sequences: 'hold',
  takesNumbers: true,
  // RFC 9051 §6.4.4: the answer is ESEARCH, also to who did not ask for it.
  decode: (scanner, context) => {
    const args = decodeSearch(scanner);
    mustBeUtf8(args, context);
    const { isRev2 } = context;
    return isRev2 && args.return === undefined ? { ...args, return: ['ALL'] } : args;
  },
  async run(invocation, args) {
    const { session } = invocation;
    const { view } = session;
    mustUseUids(session, args.key);
    if (!args.isCharsetKnown) {
      if (args.return?.includes('SAVE')) view.saved = [];
      return refuseCharset(args);
    }
    const withModSeq = mentionsModSeq(args.key);
    if (withModSeq) session.isCondstore = true;
    const { indexes, code } = limitMessages(session, view, searchedMessages(view, args.key));
    const start = code === undefined ? 0 : indexes[0]![0];
    const found = await saving(view, args, async () => ({ result: await runSearch(session, view, args.key, undefined, start) }));
    // RFC 9738 §3.1: messages are processed from the highest UID down. ESEARCH has sets, which have no order.
    const isFromLast = code !== undefined && args.return === undefined;
    const order = isFromLast ? found.result.uids.map((_, at, { length }) => length - 1 - at) : undefined;
    writeAnswer(invocation, order === undefined ? found : { ...found, order }, args, { name: 'SEARCH', withModSeq });
    return limitedReply(session, invocation.name, code);
  },
});
