/** SORT and UID SORT (RFC 5256 §3, SORT=DISPLAY RFC 5957, ESORT RFC 5267 §3, RFC 7162 §3.1.6, RFC 9394 PARTIAL). */
import { decodeSort, type SortArguments } from '../../../protocol/imap/commands/sort.ts';
import { defineCommand, selected } from '../command.ts';
import { limitMessages, refuseForLimit } from '../message-limit.ts';
import { refuseCharset, saving, writeAnswer } from '../search/answer.ts';
import { mentionsModSeq, runSearch, searchedMessages } from '../search/search.ts';
import { MatchedRows } from '../sort/matched-rows.ts';
import { sortOrder } from '../sort/sort.ts';
import { mustUseUids } from '../uid-only.ts';

export const sort = defineCommand<SortArguments>({
  names: ['SORT', 'UID SORT'],
  states: selected,
  capability: ['SORT', 'SORT=DISPLAY', 'ESORT'],
  sequences: 'hold',
  takesNumbers: true,
  decode: decodeSort,
  async run(invocation, args) {
    const { session } = invocation;
    const { view } = session;
    mustUseUids(session, args.key);
    // RFC 9738 §3.3.
    const { code } = limitMessages(session, view, searchedMessages(view, args.key));
    if (code !== undefined) return refuseForLimit(code);
    if (!args.isCharsetKnown) {
      if (args.return?.includes('SAVE')) view.saved = [];
      return refuseCharset(args);
    }
    const withModSeq = mentionsModSeq(args.key);
    if (withModSeq) session.isCondstore = true;
    const found = await saving(view, args, async () => {
      const rows = new MatchedRows();
      const result = await runSearch(session, view, args.key, (row) => rows.add(row));
      return { result, order: await sortOrder(session, rows, args.criteria) };
    });
    writeAnswer(invocation, found, args, { name: 'SORT', withModSeq });
    return undefined;
  },
});
