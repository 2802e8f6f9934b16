/**
 * Rows of the index that are written and wait for others to share their transaction. Whoever reads sees them over what the database holds. The index
 * may lag the log, so a process that dies with them only has the more to replay.
 */
import type { KvWrite } from './kv.ts';

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

  /** Those of one prefix with start ≤ key < end, in any order; keys without the prefix, values the caller's own. */
  within(prefix: string, start: string, end: string): Map<string, Buffer | null> {
    const rows = new Map<string, Buffer | null>();
    const [from, to] = [prefix + start, prefix + end];
    for (const [key, value] of this.#rows) if (key >= from && key < to) rows.set(key.slice(prefix.length), value && Buffer.from(value));
    return rows;
  }

  clear(): void {
    this.#rows.clear();
  }
}
