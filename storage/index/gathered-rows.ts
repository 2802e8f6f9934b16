/**
 * Rows of the index that are written and wait for others to share their transaction. Whoever reads sees them over what the database holds. The index
 * may lag the log, so a process that dies with them only has the more to replay.
 */
import type { KvWrite } from './kv.ts';

/** By key within the account. */
type Rows = Map<string, Uint8Array | null>;

export class GatheredRows {
  /** By account's prefix, then by table letter: a range is of one table, and looks at no rows but that table's. */
  readonly #accounts = new Map<string, Map<string, Rows>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The values must not change afterwards. */
  add(prefix: string, batch: readonly KvWrite[]): void {
    let tables = this.#accounts.get(prefix);
    if (tables === undefined) this.#accounts.set(prefix, (tables = new Map()));
    for (const [key, value] of batch) {
      const letter = key.charAt(0);
      let rows = tables.get(letter);
      if (rows === undefined) tables.set(letter, (rows = new Map()));
      const before = rows.size;
      rows.set(key, value);
      this.#size += rows.size - before;
    }
  }

  /** null: removed. undefined: nothing is known of it here. */
  get(prefix: string, key: string): Uint8Array | null | undefined {
    return this.#accounts.get(prefix)?.get(key.charAt(0))?.get(key);
  }

  /** With whole keys. */
  *all(): Generator<KvWrite> {
    for (const [prefix, tables] of this.#accounts) {
      for (const rows of tables.values()) for (const [key, value] of rows) yield [prefix + key, value];
    }
  }

  /** Those of one account with start ≤ key < end, in any order; values the caller's own. */
  within(prefix: string, start: string, end: string): ReadonlyMap<string, Buffer | null> {
    const found = new Map<string, Buffer | null>();
    const [first, last] = [start.charAt(0), end.charAt(0)];
    for (const [letter, rows] of this.#accounts.get(prefix) ?? []) {
      if (letter < first || letter > last) continue;
      for (const [key, value] of rows) if (key >= start && key < end) found.set(key, value && Buffer.from(value));
    }
    return found;
  }

  /** Whether any of one account's keys lies there, of a removed row too. */
  hasAny(prefix: string, start: string, end: string): boolean {
    const [first, last] = [start.charAt(0), end.charAt(0)];
    for (const [letter, rows] of this.#accounts.get(prefix) ?? []) {
      if (letter < first || letter > last) continue;
      for (const key of rows.keys()) if (key >= start && key < end) return true;
    }
    return false;
  }

  clear(): void {
    this.#accounts.clear();
    this.#size = 0;
  }
}
