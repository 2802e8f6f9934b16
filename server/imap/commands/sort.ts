/** SORT and UID SORT (RFC 5256 §3, SORT=DISPLAY RFC 5957, ESORT RFC 5267 §3, RFC 7162 §3.1.6, RFC 9394 PARTIAL). */
import { decodeSort, type SortArguments } from '../../../protocol/imap/commands/sort.ts';
import { sizeOf } from '../../../protocol/mail/ranges.ts';
import { defineCommand, selected } from '../command.ts';
import { refuseAbove } from '../message-limit.ts';
import { mustBeUtf8, refuseCharset, saving, writeAnswer } from '../search/answer.ts';
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
  decode: (scanner, context) => {
    const args = decodeSort(scanner);
    mustBeUtf8(args, context);
    return args;
  },
  async run(invocation, args) {
    const { session } = invocation;
    const { view } = session;
    mustUseUids(session, args.key);
    // RFC 9738 §3.3.
    const refusal = refuseAbove(session, sizeOf(searchedMessages(view, args.key)));
    if (refusal !== undefined) return refusal;
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
