/** SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731 ESEARCH, RFC 5182 SEARCHRES, RFC 7162 §3.1.5, RFC 9394 PARTIAL). */
import { decodeSearch, type SearchArguments } from '../../../protocol/imap/commands/search.ts';
import { ProtocolError } from '../../../protocol/mail/errors.ts';
import { defineCommand, selected } from '../command.ts';
import { limitedReply, limitMessages } from '../message-limit.ts';
import { refuseCharset, saving, writeAnswer } from '../search/answer.ts';
import { mentionsModSeq, runSearch, searchedMessages } from '../search/search.ts';
import { mustUseUids } from '../uid-only.ts';

export const search = defineCommand<SearchArguments>({
  names: ['SEARCH', 'UID SEARCH'],
  states: selected,
  capability: ['ESEARCH', 'SEARCHRES', 'WITHIN', 'SAVEDATE'],
  sequences: 'hold',
  takesNumbers: true,
  // RFC 9051 §6.4.4: the answer is ESEARCH, also to who did not ask for it.
  decode: (scanner, { acceptsUtf8, isRev2 }) => {
    const args = decodeSearch(scanner);
    // RFC 9755 §3: who has enabled UTF-8 names no other charset.
    if (acceptsUtf8 && !isRev2 && args.charset !== 'UTF-8')
      throw new ProtocolError('expected no CHARSET but UTF-8 after ENABLE UTF8=ACCEPT');
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
    writeAnswer(invocation, found, args, { name: 'SEARCH', withModSeq });
    return limitedReply(session, invocation.name, code);
  },
});
