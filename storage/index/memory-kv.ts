/** The index's map in memory, for tests, the simulation and replays by `verify`. */
import { copyInto, type Kv, type KvEntry, type KvSnapshot, type KvWrite, type ReusedBytes } from './kv.ts';
import { SortedKeys } from './sorted-keys.ts';

export class MemoryKv implements Kv {
  private readonly values = new Map<string, Buffer>();
  private readonly keys = new SortedKeys();

  get(key: string): Buffer | undefined {
    return copyOf(this.values.get(key));
  }

  readInto(key: string, into: ReusedBytes): number {
    return copyInto(this.values.get(key), into);
  }

  range(start: string, end: string, options?: { reverse?: boolean; limit?: number }): Iterable<KvEntry> {
    return entries(this.keys, this.values, start, end, options);
  }

  isEmpty(start: string, end: string): boolean {
    return hasNone(this.keys, start, end);
  }

  write(batch: readonly KvWrite[]): void {
    for (const [key, value] of batch) {
      if (value === null) {
        if (this.values.delete(key)) this.keys.delete(key);
      } else {
        if (!this.values.has(key)) this.keys.add(key);
        this.values.set(key, Buffer.from(value));
      }
    }
  }

  clear(): Promise<void> {
    this.values.clear();
    this.keys.clear();
    return Promise.resolve();
  }

  snapshot(): KvSnapshot {
    const values = new Map(this.values);
    const keys = new SortedKeys([...values.keys()]);
    return {
      get: (key) => copyOf(values.get(key)),
      readInto: (key, into) => copyInto(values.get(key), into),
      range: (start, end, options) => entries(keys, values, start, end, options),
      isEmpty: (start, end) => hasNone(keys, start, end),
      release: () => undefined,
    };
  }
}

const copyOf = (value: Buffer | undefined): Buffer | undefined => (value === undefined ? undefined : Buffer.from(value));

const hasNone = (keys: SortedKeys, start: string, end: string): boolean => keys.range(start, end).next().done === true;

function* entries(
  keys: SortedKeys,
  values: ReadonlyMap<string, Buffer>,
  start: string,
  end: string,
  { reverse, limit }: { reverse?: boolean; limit?: number } = {},
): Generator<KvEntry> {
  let left = limit ?? Number.POSITIVE_INFINITY;
  for (const key of reverse ? [...keys.range(start, end)].reverse() : keys.range(start, end)) {
    const value = values.get(key);
    if (value === undefined) continue;
    if (left <= 0) return;
    left -= 1;
    yield { key, value: Buffer.from(value) };
  }
}
