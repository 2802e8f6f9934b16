/**
 * The ordered key-value map under the index: LMDB in the process, a sorted map in simulation and tests. Keys are byte strings, written as
 * latin1 strings (one character a byte), whose order is byte order; they are relative to one account. Values handed out belong to the caller.
 */
export interface KvReader {
  get(key: string): Buffer | undefined;
  /** get() without a copy: the bytes are good until the next call of any method. */
  peek(key: string): Buffer | undefined;
  /** Entries with start ≤ key < end, ascending, or descending with `reverse`. */
  range(start: string, end: string, options?: { reverse?: boolean; limit?: number }): Iterable<KvEntry>;
}

export interface KvEntry {
  readonly key: string;
  readonly value: Buffer;
}

/** A put, or with null a removal. */
export type KvWrite = readonly [key: string, value: Uint8Array | null];

export interface Kv extends KvReader {
  /** All or nothing, visible when it returns. */
  write(batch: readonly KvWrite[]): void;
  /** Removes everything, in slices that let others run. */
  clear(): Promise<void>;
  /** A consistent reader of this moment. */
  snapshot(): KvSnapshot;
}

export interface KvSnapshot extends KvReader {
  release(): void;
}

/** The smallest key above all keys that begin with `prefix`. */
export function endOf(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}
