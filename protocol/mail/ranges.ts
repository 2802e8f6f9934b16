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
