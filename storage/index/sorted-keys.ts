/** Keys in byte order, in chunks: inserting and removing among many costs little, and a range begins by binary search. */
const chunkMax = 512;

export class SortedKeys {
  /** Never empty chunks, ascending. */
  private readonly chunks: string[][] = [];

  constructor(keys: readonly string[] = []) {
    const sorted = [...keys].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    for (let at = 0; at < sorted.length; at += chunkMax / 2) this.chunks.push(sorted.slice(at, at + chunkMax / 2));
  }

  /** Adds a key that is not there. */
  add(key: string): void {
    const at = Math.max(0, this.chunkFor(key));
    const chunk = this.chunks[at];
    if (chunk === undefined) {
      this.chunks.push([key]);
      return;
    }
    chunk.splice(lowerBound(chunk, key), 0, key);
    if (chunk.length > chunkMax) this.chunks.splice(at + 1, 0, chunk.splice(chunkMax / 2));
  }

  /** Removes a key that is there. */
  delete(key: string): void {
    const at = this.chunkFor(key);
    const chunk = this.chunks[at]!;
    chunk.splice(lowerBound(chunk, key), 1);
    if (chunk.length === 0) this.chunks.splice(at, 1);
  }

  clear(): void {
    this.chunks.length = 0;
  }

  /** Keys with start ≤ key < end, ascending. Keys that come or go meanwhile may be missed or still be given. */
  *range(start: string, end: string): Generator<string> {
    let from = start;
    for (;;) {
      const keys = this.piece(from, end);
      if (keys.length === 0) return;
      yield* keys;
      from = `${keys.at(-1)!}\0`;
    }
  }

  /** The first of them: at least one, unless there is none. */
  private piece(start: string, end: string): string[] {
    for (let at = Math.max(0, this.chunkFor(start)); at < this.chunks.length; at += 1) {
      const chunk = this.chunks[at]!;
      if (chunk[0]! >= end) break;
      const keys = chunk.slice(lowerBound(chunk, start), lowerBound(chunk, end));
      if (keys.length > 0) return keys;
    }
    return [];
  }

  /** The last chunk whose first key is not above `key`; -1 when there is none. */
  private chunkFor(key: string): number {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.chunks[middle]![0]! <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
