/**
 * How a search answers: SEARCH or SORT with all its numbers, or ESEARCH with what was asked for (RFC 4731 §3.1, RFC 5267 §3, RFC 9394 §3.1), and what it
 * saves for `$` (RFC 5182).
 */
import type { DecodeContext } from '../../../protocol/imap/commands/context.ts';
import type { SearchProgram } from '../../../protocol/imap/commands/search.ts';
import { formatPartialRange, resolvePartialRange, type SearchReturn } from '../../../protocol/imap/search-return.ts';
import { ProtocolError } from '../../../protocol/mail/errors.ts';
import { rangesOf } from '../../../protocol/mail/ranges.ts';
import type { Invocation } from '../command.ts';
import type { MailboxView } from '../mailbox-view.ts';
import type { Reply } from '../refusal.ts';
import type { SearchResult } from './search.ts';

/** Takes what a search found and answers; `order`: the result's order as indexes into it, where that is not the mailbox's. */
export interface Found {
  readonly result: SearchResult;
  readonly order?: ArrayLike<number>;
}

export interface AnswerOptions {
  /** The untagged response without RETURN. */
  readonly name: 'SEARCH' | 'SORT';
  /** The keys speak of mod-sequences: so does the answer (RFC 7162 §3.1.5, §3.1.6). */
  readonly withModSeq: boolean;
  /** Where the search has been, told where that may be several mailboxes (RFC 7377 §2.1). */
  readonly source?: { readonly view: MailboxView; readonly name: string };
}

export function refuseCharset({ charset }: SearchProgram): Reply {
  return {
    status: 'NO',
    code: 'BADCHARSET (UTF-8 US-ASCII)',
    text: `The charset ${charset.replace(/[^\x21-\x7e]/g, '?')} is not known.`,
  };
}

/** RFC 9755 §3: who has enabled UTF-8 names no other charset. IMAP4rev2 leaves it to the client. */
export function mustBeUtf8({ charset }: SearchProgram, { acceptsUtf8, isRev2 }: DecodeContext): void {
  if (acceptsUtf8 && !isRev2 && charset !== 'UTF-8') throw new ProtocolError('expected no charset but UTF-8 after ENABLE UTF8=ACCEPT');
}

/** Runs a search that may save its result. `$` in its keys means the one saved before; one that fails leaves an empty one (RFC 5182 §2.1). */
export async function saving(view: MailboxView, returned: SearchReturn, run: () => Promise<Found>): Promise<Found> {
  const saves = returned.return?.includes('SAVE') ?? false;
  const before = view.saved;
  const running = run();
  if (!saves) return running;
  // The keys are compiled by now.
  if (view.saved === before) view.saved = [];
  const found = await running;
  view.saved = savedOf(found, returned);
  return found;
}

/** RFC 5182 §2.4, RFC 9394 §3.4: MIN, MAX and PARTIAL are saved alone where neither ALL nor COUNT is asked for too. */
function savedOf(found: Found, { return: options = [], partial }: SearchReturn): readonly number[] {
  const { uids } = found.result;
  const isPart = options.includes('MIN') || options.includes('MAX') || partial !== undefined;
  if (!isPart || options.includes('ALL') || options.includes('COUNT') || uids.length === 0) return uids;
  const chosen = new Set<number>();
  if (options.includes('MIN')) chosen.add(at(found, 0));
  if (options.includes('MAX')) chosen.add(at(found, uids.length - 1));
  if (partial !== undefined) {
    const { start, end } = resolvePartialRange(partial, uids.length);
    for (let position = start; position < end; position += 1) chosen.add(at(found, position));
  }
  return [...chosen].sort((a, b) => a - b).map((index) => uids[index]!);
}

/** Index into the result of what stands at a position of its order. */
const at = ({ order }: Found, position: number): number => (order === undefined ? position : order[position]!);

export function writeAnswer(invocation: Invocation, found: Found, returned: SearchReturn, options: AnswerOptions): void {
  if (returned.return === undefined) writePlain(invocation, found, options);
  else writeExtended(invocation, found, returned, options);
}

function writePlain({ session, isUid }: Invocation, found: Found, { name, withModSeq }: AnswerOptions): void {
  const { output, view } = session;
  const { uids, modSeqs } = found.result;
  output.ascii('* ').ascii(name);
  for (let position = 0; position < uids.length; position += 1) {
    const uid = uids[at(found, position)]!;
    output.ascii(' ').number(isUid ? uid : view.sequenceOf(uid));
  }
  if (withModSeq && uids.length > 0) output.ascii(` (MODSEQ ${largest(modSeqs)})`);
  output.crlf();
}

/** The tag is quoted: New Outlook fails otherwise. */
function writeExtended(
  { session, isUid, tag }: Invocation,
  found: Found,
  { return: options = [], partial }: SearchReturn,
  { withModSeq, source }: AnswerOptions,
): void {
  // RFC 5182 §2.1: with SAVE alone there is nothing to tell.
  if (partial === undefined && !options.some((option) => option !== 'SAVE')) return;
  const { output } = session;
  const { uids, modSeqs } = found.result;
  const count = uids.length;
  const number = (position: number) => {
    const uid = uids[at(found, position)]!;
    return isUid ? uid : session.view.sequenceOf(uid);
  };
  const set = (start: number, end: number) => formatSet(Array.from({ length: end - start }, (_, offset) => number(start + offset)));
  /** Positions whose mod-sequences are told (RFC 7162 §3.1.5, RFC 9394 §3.3). */
  const told: number[] = [];
  output.ascii(`* ESEARCH (TAG "${tag}"`);
  if (source !== undefined) {
    output.ascii(' MAILBOX ');
    session.writeMailboxName(source.name);
    output.ascii(` UIDVALIDITY ${source.view.uidValidity}`);
  }
  output.ascii(isUid ? ') UID' : ')');
  if (options.includes('COUNT')) output.ascii(` COUNT ${count}`);
  if (count > 0) {
    if (options.includes('MIN')) output.ascii(` MIN ${number(0)}`);
    if (options.includes('MAX')) output.ascii(` MAX ${number(count - 1)}`);
    if (options.includes('ALL')) output.ascii(` ALL ${set(0, count)}`);
  }
  if (partial !== undefined) {
    const { start, end } = resolvePartialRange(partial, count);
    output.ascii(` PARTIAL (${formatPartialRange(partial)} ${start < end ? set(start, end) : 'NIL'})`);
    for (let position = start; position < end; position += 1) told.push(position);
  }
  if (withModSeq && count > 0) {
    if (options.includes('MIN')) told.push(0);
    if (options.includes('MAX')) told.push(count - 1);
    const isAll = options.includes('ALL') || options.includes('COUNT');
    const highest = isAll ? largest(modSeqs) : largest(told.map((position) => modSeqs[at(found, position)]!));
    if (highest > 0) output.ascii(` MODSEQ ${highest}`);
  }
  output.crlf();
}

/** A sequence-set in this order: runs that ascend by one are ranges. */
function formatSet(numbers: readonly number[]): string {
  const isAscending = numbers.every((number, position) => position === 0 || numbers[position - 1]! < number);
  const ranges: (readonly [number, number])[] = isAscending ? [...rangesOf(numbers)] : runsOf(numbers);
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}:${last}`)).join(',');
}

function runsOf(numbers: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] + 1 === number) last[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

function largest(numbers: readonly number[]): number {
  return numbers.reduce((most, number) => Math.max(most, number), 0);
}
