/** sequence-set (RFC 9051 §9): message numbers or UIDs as ranges, `*` for the largest, `$` for the saved result of a search (RFC 5182). */
import { normalizeRanges, type Range, type Ranges } from '../mail/ranges.ts';
import type { Scanner } from './wire/scanner.ts';

/** Stands for `*`: no number is zero. */
export const star = 0;

export type SequenceSet = '$' | Ranges;

/** sequence-set = (seq-number / seq-range) ["," sequence-set] / "$" */
export function decodeSequenceSet(scanner: Scanner): SequenceSet {
  if (scanner.take('$')) return '$';
  const ranges: Range[] = [];
  do {
    const first = decodeNumber(scanner);
    const last = scanner.take(':') ? decodeNumber(scanner) : first;
    ranges.push([first, last]);
  } while (scanner.take(','));
  return ranges;
}

function decodeNumber(scanner: Scanner): number {
  return scanner.take('*') ? star : scanner.nzNumber();
}

export function formatSequenceSet(set: SequenceSet): string {
  if (set === '$') return '$';
  const format = (number: number) => (number === star ? '*' : String(number));
  return set.map(([first, last]) => (first === last ? format(first) : `${format(first)}:${format(last)}`)).join(',');
}

/** Ranges of numbers in normal form. `largest` is what `*` means; RFC 9051 §9: 4:* and *:4 are the same set. */
export function resolveSequenceSet(set: Ranges, largest: number): Ranges {
  return normalizeRanges(
    set.map(([a, b]) => {
      const first = a === star ? largest : a;
      const last = b === star ? largest : b;
      return first <= last ? [first, last] : [last, first];
    }),
  );
}
