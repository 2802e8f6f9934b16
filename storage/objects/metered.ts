/**
 * Counts what is asked of a store: requests, bytes, failures, time and what it would cost at S3's prices, by operation and by cause.
 *
 * A StoreMeter keeps the counts; `of(store, cause)` gives a view of the store whose requests count for that cause (`commit`, `sweep`, …).
 * Stand it inside RetryingStore, so that every attempt counts.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../clock.ts';
import {
  type ListOptions,
  type ListPage,
  listPageMax,
  type ObjectInfo,
  type ObjectStore,
  type PutIfAbsentReceipt,
  type PutReceipt,
  type RequestOptions,
  type StoredObject,
} from './object-store.ts';

export type StoreOperation = 'get' | 'getRange' | 'put' | 'putIfAbsent' | 'head' | 'list' | 'delete' | 'copy';

/** US dollars per million requests. */
export type RequestPrices = Readonly<Record<StoreOperation, number>>;

/** S3 Standard in us-east-1; failed requests cost the same. */
const usEast1Prices: RequestPrices = { get: 0.4, getRange: 0.4, head: 0.4, put: 5, putIfAbsent: 5, list: 5, copy: 5, delete: 0 };

export interface MeterRow {
  readonly operation: StoreOperation;
  readonly cause: string;
  readonly requests: number;
  /** Requests that threw, `missing` included. */
  readonly errors: number;
  /** Those that found nothing, which is often no fault: the next commit is looked for before it is there. */
  readonly missing: number;
  /** putIfAbsent answered `exists`. */
  readonly lostRaces: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Time that requests took, added up. */
  readonly durationMs: number;
  readonly dollars: number;
}

export interface MeterSnapshot {
  readonly requests: number;
  readonly dollars: number;
  /** Sorted by cause, then operation. */
  readonly rows: readonly MeterRow[];
}

type Counts = { -readonly [K in keyof MeterRow]: MeterRow[K] };

export class StoreMeter {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #prices: RequestPrices;
  readonly #counts = new Map<string, Counts>();

  constructor(options: { readonly clock: Pick<Clock, 'monotonic'>; readonly prices?: RequestPrices }) {
    this.#clock = options.clock;
    this.#prices = options.prices ?? usEast1Prices;
  }

  /** `store`, with its requests counted for `cause`. Disposing of the view disposes of the store. */
  of(store: ObjectStore, cause: string): MeteredStore {
    return new MeteredStore(store, this, cause);
  }

  snapshot(): MeterSnapshot {
    const rows = Array.from(this.#counts.values(), (row) => ({ ...row }));
    rows.sort((a, b) => (a.cause === b.cause ? (a.operation < b.operation ? -1 : 1) : a.cause < b.cause ? -1 : 1));
    let requests = 0;
    let dollars = 0;
    for (const row of rows) {
      requests += row.requests;
      dollars += row.dollars;
    }
    return { requests, dollars, rows };
  }

  /** Counts one call that `run` makes as `requests` requests. */
  async count<T>(operation: StoreOperation, cause: string, requests: number, run: (counts: Counts) => Promise<T>): Promise<T> {
    const counts = this.counts(operation, cause);
    this.addRequests(counts, requests);
    const began = this.#clock.monotonic();
    try {
      return await run(counts);
    } catch (error) {
      counts.errors++;
      if (error instanceof StorageError && error.code === 'missing') counts.missing++;
      throw error;
    } finally {
      counts.durationMs += this.#clock.monotonic() - began;
    }
  }

  counts(operation: StoreOperation, cause: string): Counts {
    const name = `${cause}\n${operation}`;
    let counts = this.#counts.get(name);
    if (counts === undefined) {
      const zero = { requests: 0, errors: 0, missing: 0, lostRaces: 0, bytesRead: 0, bytesWritten: 0, durationMs: 0, dollars: 0 };
      counts = { operation, cause, ...zero };
      this.#counts.set(name, counts);
    }
    return counts;
  }

  addRequests(counts: Counts, requests: number): void {
    counts.requests += requests;
    counts.dollars += (requests * this.#prices[counts.operation]) / 1e6;
  }
}

export class MeteredStore implements ObjectStore {
  readonly name: string;
  readonly #store: ObjectStore;
  readonly #meter: StoreMeter;
  readonly #cause: string;

  constructor(store: ObjectStore, meter: StoreMeter, cause: string) {
    this.name = store.name;
    this.#store = store;
    this.#meter = meter;
    this.#cause = cause;
  }

  get(key: string, options?: RequestOptions): Promise<StoredObject> {
    return this.#meter.count('get', this.#cause, 1, async (counts) => {
      const object = await this.#store.get(key, options);
      counts.bytesRead += object.body.length;
      return object;
    });
  }

  getRange(key: string, offset: number, length: number, options?: RequestOptions): Promise<Buffer> {
    return this.#meter.count('getRange', this.#cause, 1, async (counts) => {
      const bytes = await this.#store.getRange(key, offset, length, options);
      counts.bytesRead += bytes.length;
      return bytes;
    });
  }

  put(key: string, body: Uint8Array, options?: RequestOptions): Promise<PutReceipt> {
    return this.#meter.count('put', this.#cause, 1, async (counts) => {
      counts.bytesWritten += body.length;
      return this.#store.put(key, body, options);
    });
  }

  putIfAbsent(key: string, body: Uint8Array, options?: RequestOptions): Promise<PutIfAbsentReceipt> {
    return this.#meter.count('putIfAbsent', this.#cause, 1, async (counts) => {
      counts.bytesWritten += body.length;
      const receipt = await this.#store.putIfAbsent(key, body, options);
      if (receipt.outcome === 'exists') counts.lostRaces++;
      return receipt;
    });
  }

  head(key: string, options?: RequestOptions): Promise<ObjectInfo | undefined> {
    return this.#meter.count('head', this.#cause, 1, () => this.#store.head(key, options));
  }

  listPage(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.#meter.count('list', this.#cause, 1, () => this.#store.listPage(prefix, options));
  }

  /** The store's own `list`, which may be cheaper than pages; counted as the pages it would be. */
  async *list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectInfo> {
    const counts = this.#meter.counts('list', this.#cause);
    let inPage = 0;
    this.#meter.addRequests(counts, 1);
    try {
      for await (const object of this.#store.list(prefix, options)) {
        if (inPage === listPageMax) {
          this.#meter.addRequests(counts, 1);
          inPage = 0;
        }
        inPage++;
        yield object;
      }
    } catch (error) {
      counts.errors++;
      throw error;
    }
  }

  deleteMany(keys: readonly string[], options?: RequestOptions): Promise<void> {
    return this.#meter.count('delete', this.#cause, Math.ceil(keys.length / listPageMax), () => this.#store.deleteMany(keys, options));
  }

  copy(from: string, to: string, options?: RequestOptions): Promise<PutReceipt> {
    return this.#meter.count('copy', this.#cause, 1, () => this.#store.copy(from, to, options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
