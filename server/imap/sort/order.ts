/** Indexes sorted by columns of numbers; what is equal stays in the order of the mailbox (RFC 5256 §3). */

export interface Column {
  /** Whole numbers. */
  readonly values: ArrayLike<number>;
  readonly isReverse: boolean;
}

/** A value and an index of this many share the 53 bits of a number. */
const indexesMax = 2 ** 20;
const valueMax = 2 ** 32;

export function orderBy(count: number, columns: readonly Column[]): ArrayLike<number> {
  return (columns.length === 1 ? orderByOne(count, columns[0]!) : undefined) ?? orderByMany(count, columns);
}

/** Numbers sort faster than a function compares them. undefined where they do not fit. */
function orderByOne(count: number, { values, isReverse }: Column): ArrayLike<number> | undefined {
  if (count > indexesMax) return undefined;
  const packed = new Float64Array(count);
  const sign = isReverse ? -1 : 1;
  for (let index = 0; index < count; index += 1) {
    const value = values[index]!;
    if (value > valueMax || value < -valueMax) return undefined;
    packed[index] = sign * value * indexesMax + index;
  }
  packed.sort();
  const order = new Uint32Array(count);
  for (let at = 0; at < count; at += 1) order[at] = packed[at]! - Math.floor(packed[at]! / indexesMax) * indexesMax;
  return order;
}

function orderByMany(count: number, columns: readonly Column[]): ArrayLike<number> {
  return Uint32Array.from({ length: count }, (_, index) => index).sort((a, b) => {
    for (const { values, isReverse } of columns) {
      const difference = values[a]! - values[b]!;
      if (difference !== 0) return isReverse ? -difference : difference;
    }
    return a - b;
  });
}

/** Dates are compared to the second, as they are written. */
export function secondsOf(milliseconds: readonly number[]): Float64Array {
  return Float64Array.from(milliseconds, (time) => Math.floor(time / 1000));
}
