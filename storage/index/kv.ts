/**
 * The ordered key-value map under the index: LMDB in the process, a sorted map in simulation and tests. Keys are byte strings, written as
 * latin1 strings (one character a byte), whose order is byte order; they are relative to one account. Values handed out belong to the caller.
 */
export interface KvReader {
  get(key: string): Buffer | undefined;
  /** get() without a new buffer: the value's length, or -1 where there is none. */
  readInto(key: string, into: ReusedBytes): number;
  /** Entries with start ≤ key < end, ascending, or descending with `reverse`. */
  range(start: string, end: string, options?: { reverse?: boolean; limit?: number }): Iterable<KvEntry>;
  /** Whether that range has no entry, for less than it takes to begin with its entries. */
  isEmpty(start: string, end: string): boolean;
}

/** Takes one value after the other at its start; replaced by a larger one where a value does not fit. */
export interface ReusedBytes {
  bytes: Buffer;
}

/** For maps that have the value as a buffer anyway. */
export function copyInto(value: Buffer | undefined, into: ReusedBytes): number {
  if (value === undefined) return -1;
  if (value.length > into.bytes.length) into.bytes = Buffer.alloc(value.length * 2);
  value.copy(into.bytes);
  return value.length;
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

/** The smallest key above all keys that begin with `prefix`, which begins with a letter. A last byte of 255 carries over. */
export function endOf(prefix: string): string {
  let length = prefix.length;
  while (prefix.charCodeAt(length - 1) === 255) length -= 1;
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
}
