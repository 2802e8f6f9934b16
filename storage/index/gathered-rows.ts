/**
 * Rows of the index that are written and wait for others to share their transaction. Whoever reads sees them over what the database holds. The index
 * may lag the log, so a process that dies with them only has the more to replay.
 */
import type { KvEntry, KvWrite } from './kv.ts';

export class GatheredRows {
  readonly #rows = new Map<string, Uint8Array | null>();

  get size(): number {
    return this.#rows.size;
  }

  /** The values must not change afterwards. */
  add(prefix: string, batch: readonly KvWrite[]): void {
    for (const [key, value] of batch) this.#rows.set(prefix + key, value);
  }

  /** null: removed. undefined: nothing is known of it here. */
  get(key: string): Uint8Array | null | undefined {
    return this.#rows.size === 0 ? undefined : this.#rows.get(key);
  }

  all(): Iterable<KvWrite> {
    return this.#rows;
  }

  /** Those of start ≤ key < end, ascending. */
  within(start: string, end: string): readonly KvWrite[] {
    const rows: KvWrite[] = [];
    for (const row of this.#rows) if (row[0] >= start && row[0] < end) rows.push(row);
    return rows.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  clear(): void {
    this.#rows.clear();
  }
}

/** Ascending, each key once; `upper`, whose keys have `skip` characters more in front, stands over `lower`. */
export function* mergeRows(lower: Iterable<KvEntry>, upper: readonly KvWrite[], skip: number): Generator<KvWrite> {
  let at = 0;
  for (const { key, value } of lower) {
    for (; at < upper.length && upper[at]![0].slice(skip) < key; at += 1) yield [upper[at]![0].slice(skip), upper[at]![1]];
    if (at < upper.length && upper[at]![0].slice(skip) === key) continue;
    yield [key, value];
  }
  for (; at < upper.length; at += 1) yield [upper[at]![0].slice(skip), upper[at]![1]];
}
