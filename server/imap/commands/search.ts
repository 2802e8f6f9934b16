/** SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731 ESEARCH, RFC 5182 SEARCHRES, RFC 7162 §3.1.5). */
import { decodeSearch, type SearchArguments, type SearchReturnOption } from '../../../protocol/imap/commands/search.ts';
import { rangesOf } from '../../../protocol/mail/ranges.ts';
import { defineCommand, type Invocation, selected } from '../command.ts';
import type { MailboxView } from '../mailbox-view.ts';
import { mentionsModSeq, runSearch, type SearchResult } from '../search/search.ts';

export const search = defineCommand<SearchArguments>({
  names: ['SEARCH', 'UID SEARCH'],
  states: selected,
  capability: ['ESEARCH', 'SEARCHRES', 'WITHIN', 'SAVEDATE'],
  sequences: 'hold',
  // RFC 9051 §6.4.4: the answer is ESEARCH, also to who did not ask for it.
  decode: (scanner, { isRev2 }) => {
    const args = decodeSearch(scanner);
    return isRev2 && args.return === undefined ? { ...args, return: ['ALL'] } : args;
  },
  async run(invocation, { key, charset, isCharsetKnown, return: returned }) {
    const { session } = invocation;
    const { view } = session;
    const saves = returned?.includes('SAVE') ?? false;
    if (!isCharsetKnown) {
      if (saves) view.saved = [];
      return {
        status: 'NO',
        code: 'BADCHARSET (UTF-8 US-ASCII)',
        text: `The charset ${charset.replace(/[^\x21-\x7e]/g, '?')} is not known.`,
      };
    }
    const withModSeq = mentionsModSeq(key);
    if (withModSeq) session.isCondstore = true;
    // RFC 5182 §2.1: a search that fails leaves an empty result.
    const before = view.saved;
    if (saves) view.saved = [];
    const result = await searchWith(view, before, () => runSearch(session, view, key));
    if (saves) view.saved = savedOf(result.uids, returned!);
    if (returned === undefined) writeSearch(invocation, result, withModSeq);
    else writeExtended(invocation, result, returned, withModSeq);
    return undefined;
  },
});

/** `$` in the keys means the result saved before, also where this search saves its own. */
async function searchWith(view: MailboxView, saved: readonly number[], run: () => Promise<SearchResult>): Promise<SearchResult> {
  const empty = view.saved;
  view.saved = saved;
  const running = run();
  view.saved = empty;
  return running;
}

/** RFC 5182 §2.4: with MIN or MAX and neither ALL nor COUNT only those are saved. */
function savedOf(uids: readonly number[], options: readonly SearchReturnOption[]): readonly number[] {
  const wantsAll = options.includes('ALL') || options.includes('COUNT') || !(options.includes('MIN') || options.includes('MAX'));
  if (wantsAll || uids.length === 0) return uids;
  const ends = [...(options.includes('MIN') ? [uids[0]!] : []), ...(options.includes('MAX') ? [uids.at(-1)!] : [])];
  return [...new Set(ends)];
}

function writeSearch({ session, isUid }: Invocation, { uids, highestModSeq }: SearchResult, withModSeq: boolean): void {
  const { output, view } = session;
  output.ascii('* SEARCH');
  for (const uid of uids) output.ascii(' ').number(isUid ? uid : view.sequenceOf(uid));
  if (withModSeq && uids.length > 0) output.ascii(` (MODSEQ ${highestModSeq})`);
  output.crlf();
}

/** RFC 4731 §3.1, RFC 9051 §7.3.4. The tag is quoted: New Outlook fails otherwise. */
function writeExtended(
  { session, isUid, tag }: Invocation,
  { uids, highestModSeq }: SearchResult,
  options: readonly SearchReturnOption[],
  withModSeq: boolean,
): void {
  const { output, view } = session;
  // RFC 5182 §2.1: with SAVE alone there is nothing to tell.
  const tells = options.some((option) => option !== 'SAVE');
  if (!tells) return;
  const number = (uid: number) => (isUid ? uid : view.sequenceOf(uid));
  output.ascii(`* ESEARCH (TAG "${tag}")${isUid ? ' UID' : ''}`);
  if (options.includes('COUNT')) output.ascii(` COUNT ${uids.length}`);
  if (uids.length > 0) {
    if (options.includes('MIN')) output.ascii(` MIN ${number(uids[0]!)}`);
    if (options.includes('MAX')) output.ascii(` MAX ${number(uids.at(-1)!)}`);
    if (options.includes('ALL')) {
      const ranges = rangesOf(uids.map(number));
      output.ascii(` ALL ${ranges.map(([first, last]) => (first === last ? String(first) : `${first}:${last}`)).join(',')}`);
    }
    if (withModSeq) output.ascii(` MODSEQ ${highestModSeq}`);
  }
  output.crlf();
}
