/**
 * What an extended SEARCH or SORT is to answer with (RFC 4731 §3, RFC 5182 §2, RFC 5267 §3, RFC 9394 §3.1):
 *   search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
 *   search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE" / "PARTIAL" SP partial-range
 *   partial-range = nz-number ":" nz-number / "-" nz-number ":" "-" nz-number
 */
import type { CommandWriter } from './wire/command-writer.ts';
import type { Scanner } from './wire/scanner.ts';

const options = ['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE'] as const;
export type SearchReturnOption = (typeof options)[number];

/** Positions in the result, from 1. Negative ones count from its end, -1 being the last. */
export interface PartialRange {
  readonly from: number;
  readonly to: number;
}

export interface SearchReturn {
  /** undefined without RETURN: the answer is SEARCH or SORT then, else ESEARCH. */
  readonly return: readonly SearchReturnOption[] | undefined;
  readonly partial?: PartialRange;
}

/** Reads `RETURN (…) ` where it stands next. */
export function decodeSearchReturn(scanner: Scanner): SearchReturn {
  if (!takeWord(scanner, 'RETURN ')) return { return: undefined };
  let partial: PartialRange | undefined;
  const names = scanner.list(() => {
    const name = scanner.keyword('a return option');
    if (name !== 'PARTIAL') return options.find((option) => option === name) ?? scanner.fail('MIN, MAX, ALL, COUNT, SAVE or PARTIAL');
    // RFC 9394 §3.1: at most one of PARTIAL and ALL.
    if (partial !== undefined) scanner.fail('one PARTIAL');
    scanner.space();
    partial = decodePartialRange(scanner);
    return name;
  });
  const returned = names.filter((name) => name !== 'PARTIAL');
  if (partial !== undefined && returned.includes('ALL')) scanner.fail('PARTIAL without ALL');
  scanner.space();
  // RFC 4731 §3.1: an empty list means ALL.
  if (names.length === 0) return { return: ['ALL'] };
  return partial === undefined ? { return: returned } : { return: returned, partial };
}

export function decodePartialRange(scanner: Scanner): PartialRange {
  const isFromEnd = scanner.isNext('-');
  const number = () => {
    if (isFromEnd) scanner.expect('-');
    return (isFromEnd ? -1 : 1) * scanner.nzNumber();
  };
  const from = number();
  scanner.expect(':');
  return { from, to: number() };
}

export function encodeSearchReturn(writer: CommandWriter, { return: returned, partial }: SearchReturn): CommandWriter {
  if (returned === undefined) return writer;
  const names = [...returned, ...(partial === undefined ? [] : [`PARTIAL ${formatPartialRange(partial)}`])];
  return writer.raw(`RETURN (${names.join(' ')}) `);
}

export const formatPartialRange = ({ from, to }: PartialRange): string => `${from}:${to}`;

/** The slice of a result of `length` that a range names: [start, end). RFC 9394 §3.1: 500:1 is 1:500, what is past the end is not there. */
export function resolvePartialRange({ from, to }: PartialRange, length: number): { readonly start: number; readonly end: number } {
  const low = Math.min(Math.abs(from), Math.abs(to));
  const high = Math.max(Math.abs(from), Math.abs(to));
  const [start, end] = from > 0 ? [low - 1, high] : [length - high, length - low + 1];
  return { start: Math.min(Math.max(start, 0), length), end: Math.min(Math.max(end, 0), length) };
}

/** Takes a word in any case where it stands next. */
export function takeWord(scanner: Scanner, word: string): boolean {
  const { position, text } = scanner;
  if (text.toString('latin1', position, position + word.length).toUpperCase() !== word) return false;
  scanner.position += word.length;
  return true;
}
