/**
 * A store in memory: for tests, for the simulation (deterministic: its only clock is the one given) and behind the strict S3 server.
 * Each operation takes effect at once, in one turn, so concurrent callers see some order of whole operations.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../clock.ts';
import {
  assertKey,
  assertPrefix,
  assertRange,
  compareKeys,
  type ListOptions,
  type ListPage,
  listByPages,
  type ObjectInfo,
  type ObjectStore,
  type PutIfAbsentReceipt,
  type PutReceipt,
  pageLimit,
  type RequestOptions,
  type StoredObject,
} from './object-store.ts';

interface Entry {
  readonly body: Buffer;
  readonly lastModified: number;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface MemoryStoreOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly name?: string;
}

export class MemoryStore implements ObjectStore {
  readonly name: string;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #entries = new Map<string, Entry>();
  /** The keys of `#entries`, in key order. */
  readonly #order: string[] = [];

  constructor(options: MemoryStoreOptions) {
    this.name = options.name ?? 'memory';
    this.#clock = options.clock;
  }

  /** How many objects there are. */
  get size(): number {
    return this.#entries.size;
  }

  async get(key: string, options: RequestOptions = {}): Promise<StoredObject> {
    const entry = this.#entry(key, options);
    return { body: Buffer.from(entry.body), lastModified: entry.lastModified, date: this.#clock.now(), metadata: entry.metadata };
  }

  async getRange(key: string, offset: number, length: number, options: RequestOptions = {}): Promise<Buffer> {
    assertRange(offset, length);
    return Buffer.from(this.#entry(key, options).body.subarray(offset, offset + length));
  }

  /** As the port's `put`; `metadata` is for tests that stand for another writer (SES's client-side encryption). */
  async put(
    key: string,
    body: Uint8Array,
    options: RequestOptions & { metadata?: Readonly<Record<string, string>> } = {},
  ): Promise<PutReceipt> {
    begin(key, options);
    return this.#write(key, body, options.metadata ?? {});
  }

  async putIfAbsent(
    key: string,
    body: Uint8Array,
    options: RequestOptions & { metadata?: Readonly<Record<string, string>> } = {},
  ): Promise<PutIfAbsentReceipt> {
    begin(key, options);
    if (this.#entries.has(key)) return { outcome: 'exists', date: this.#clock.now() };
    return { outcome: 'created', ...this.#write(key, body, options.metadata ?? {}) };
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectInfo | undefined> {
    begin(key, options);
    const entry = this.#entries.get(key);
    return entry && { key, size: entry.body.length, lastModified: entry.lastModified };
  }

  async listPage(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    assertPrefix(prefix);
    options.signal?.throwIfAborted();
    const limit = pageLimit(options);
    const { startAfter } = options;
    let at = this.#firstAtOrAfter(prefix);
    if (startAfter !== undefined && compareKeys(startAfter, prefix) >= 0) {
      at = this.#firstAtOrAfter(startAfter);
      if (this.#order[at] === startAfter) at++;
    }
    const objects: ObjectInfo[] = [];
    for (; objects.length < limit && this.#order[at]?.startsWith(prefix); at++) {
      const key = this.#order[at]!;
      const entry = this.#entries.get(key)!;
      objects.push({ key, size: entry.body.length, lastModified: entry.lastModified });
    }
    const hasMore = this.#order[at]?.startsWith(prefix) === true;
    return { objects, date: this.#clock.now(), next: hasMore ? objects.at(-1)?.key : undefined };
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    return listByPages(this, prefix, options);
  }

  async deleteMany(keys: readonly string[], options: RequestOptions = {}): Promise<void> {
    for (const key of keys) begin(key, options);
    for (const key of keys) {
      if (this.#entries.delete(key)) this.#order.splice(this.#firstAtOrAfter(key), 1);
    }
  }

  async copy(from: string, to: string, options: RequestOptions = {}): Promise<PutReceipt> {
    begin(to, options);
    const { body, metadata } = this.#entry(from, options);
    return this.#write(to, body, metadata);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #entry(key: string, options: RequestOptions): Entry {
    begin(key, options);
    const entry = this.#entries.get(key);
    if (entry === undefined) throw new StorageError('missing', `There is no object ${key} in ${this.name}.`);
    return entry;
  }

  #write(key: string, body: Uint8Array, metadata: Readonly<Record<string, string>>): PutReceipt {
    const date = this.#clock.now();
    if (!this.#entries.has(key)) this.#order.splice(this.#firstAtOrAfter(key), 0, key);
    this.#entries.set(key, { body: Buffer.from(body), lastModified: date, metadata });
    return { date };
  }

  /** Index in `#order` of the first name that is not before `key`. */
  #firstAtOrAfter(key: string): number {
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#order[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function begin(key: string, options: RequestOptions): void {
  assertKey(key);
  options.signal?.throwIfAborted();
}
