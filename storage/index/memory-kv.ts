/** The index's map in memory, for tests, the simulation and replays by `verify`. */
import { copyInto, type Kv, type KvEntry, type KvSnapshot, type KvWrite, type ReusedBytes } from './kv.ts';

class SortedMap {
  readonly values: Map<string, Buffer>;
  /** Ascending; rebuilt when a range is asked for after keys came or went. */
  private keys: string[] | undefined;

  constructor(values: Map<string, Buffer>) {
    this.values = values;
  }

  changed(): void {
    this.keys = undefined;
  }

  *range(start: string, end: string, options: { reverse?: boolean; limit?: number } = {}): Iterable<KvEntry> {
    this.keys ??= [...this.values.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const keys = this.keys;
    const from = lowerBound(keys, start);
    const to = lowerBound(keys, end);
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    for (let step = 0; step < to - from && left > 0; step += 1, left -= 1) {
      const key = keys[options.reverse ? to - 1 - step : from + step]!;
      const value = this.values.get(key);
      if (value !== undefined) yield { key, value: Buffer.from(value) };
    }
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

export class MemoryKv implements Kv {
  private readonly map = new SortedMap(new Map());

  get(key: string): Buffer | undefined {
    const value = this.map.values.get(key);
    return value === undefined ? undefined : Buffer.from(value);
  }

  readInto(key: string, into: ReusedBytes): number {
    return copyInto(this.map.values.get(key), into);
  }

  range(start: string, end: string, options?: { reverse?: boolean; limit?: number }): Iterable<KvEntry> {
    return this.map.range(start, end, options);
  }

  write(batch: readonly KvWrite[]): void {
    const { values } = this.map;
    for (const [key, value] of batch) {
      if (value === null) {
        if (values.delete(key)) this.map.changed();
      } else {
        if (!values.has(key)) this.map.changed();
        values.set(key, Buffer.from(value));
      }
    }
  }

  clear(): Promise<void> {
    this.map.values.clear();
    this.map.changed();
    return Promise.resolve();
  }

  snapshot(): KvSnapshot {
    const copy = new SortedMap(new Map(this.map.values));
    const get = (key: string) => {
      const value = copy.values.get(key);
      return value === undefined ? undefined : Buffer.from(value);
    };
    return {
      get,
      readInto: (key, into) => copyInto(copy.values.get(key), into),
      range: (start, end, options) => copy.range(start, end, options),
      release: () => undefined,
    };
  }
}
