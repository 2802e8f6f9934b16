/**
 * Sets of positive integers as inclusive ranges, the form in which changes, journals and sequence sets name UIDs and email numbers:
 * `[[1, 1000], [1005, 1005]]`. Normal form: ascending, disjoint, not touching. Where a list's order matters (the UIDs that a copy gives),
 * it is an ordered list of ranges, and says so.
 */
export type Range = readonly [first: number, last: number];
export type Ranges = readonly Range[];

/** Ranges of `numbers`, in the order given; neighbours that rise by one are joined. */
export function rangesOf(numbers: Iterable<number>): Ranges {
  const ranges: [number, number][] = [];
  let current: [number, number] | undefined;
  for (const number of numbers) {
    if (current !== undefined && number === current[1] + 1) current[1] = number;
    else {
      current = [number, number];
      ranges.push(current);
    }
  }
  return ranges;
}

/** Normal form of any list of ranges. */
export function normalizeRanges(ranges: Ranges): Ranges {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const normal: [number, number][] = [];
  for (const [first, last] of sorted) {
    const previous = normal.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else normal.push([first, last]);
  }
  return normal;
}

export function* eachOf(ranges: Ranges): Generator<number> {
  for (const [first, last] of ranges) for (let number = first; number <= last; number += 1) yield number;
}

export function sizeOf(ranges: Ranges): number {
  let size = 0;
  for (const [first, last] of ranges) size += last - first + 1;
  return size;
}

/** Whether `number` is in `ranges`, which must be in normal form. */
export function contains(ranges: Ranges, number: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [first, last] = ranges[middle]!;
    if (number < first) high = middle - 1;
    else if (number > last) low = middle + 1;
    else return true;
  }
  return false;
}

/** What is in both. Both in normal form, and so is the result. */
export function intersectRanges(left: Ranges, right: Ranges): Ranges {
  const common: Range[] = [];
  for (let a = 0, b = 0; a < left.length && b < right.length; ) {
    const first = Math.max(left[a]![0], right[b]![0]);
    const last = Math.min(left[a]![1], right[b]![1]);
    if (first <= last) common.push([first, last]);
    if (left[a]![1] < right[b]![1]) a += 1;
    else b += 1;
  }
  return common;
}

/** What of `ranges` is not in `numbers`, which ascend. In normal form if `ranges` is. */
export function withoutNumbers(ranges: Ranges, numbers: Iterable<number>): Ranges {
  const rest: Range[] = [];
  let at = 0;
  let from = ranges[0]?.[0] ?? 0;
  for (const number of numbers) {
    while (at < ranges.length && ranges[at]![1] < number) {
      if (from <= ranges[at]![1]) rest.push([from, ranges[at]![1]]);
      at += 1;
      from = ranges[at]?.[0] ?? 0;
    }
    if (at >= ranges.length) return rest;
    if (number < from) continue;
    if (from < number) rest.push([from, number - 1]);
    from = number + 1;
  }
  for (; at < ranges.length; at += 1, from = ranges[at]?.[0] ?? 0) if (from <= ranges[at]![1]) rest.push([from, ranges[at]![1]]);
  return rest;
}

/** `1,3:5`: how IMAP writes a set. */
export function formatRanges(ranges: Ranges): string {
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}:${last}`)).join(',');
}
