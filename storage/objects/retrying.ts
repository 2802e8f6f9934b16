/**
 * Tries again what may safely be tried again: every operation but putIfAbsent, whose caller must look first.
 *
 * Only `unavailable` is retried. The pause doubles from `pauseMs` to `pauseMsMax`, and a random part of it is waited (full jitter), so that
 * many who failed at once do not come back at once.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../clock.ts';
import type { Random } from '../random.ts';
import {
  type ListOptions,
  type ListPage,
  listByPages,
  type ObjectInfo,
  type ObjectStore,
  type PutIfAbsentReceipt,
  type PutReceipt,
  type RequestOptions,
  type StoredObject,
} from './object-store.ts';

export interface RetryingOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly random: Pick<Random, 'fraction'>;
  /** Attempts in all. Default 4. */
  readonly attemptsMax?: number;
  /** The first pause, at most. Default 100. */
  readonly pauseMs?: number;
  /** Default 5,000. */
  readonly pauseMsMax?: number;
}

export class RetryingStore implements ObjectStore {
  readonly name: string;
  readonly #store: ObjectStore;
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #random: Pick<Random, 'fraction'>;
  readonly #attemptsMax: number;
  readonly #pauseMs: number;
  readonly #pauseMsMax: number;

  constructor(store: ObjectStore, options: RetryingOptions) {
    this.name = store.name;
    this.#store = store;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#attemptsMax = options.attemptsMax ?? 4;
    this.#pauseMs = options.pauseMs ?? 100;
    this.#pauseMsMax = options.pauseMsMax ?? 5_000;
  }

  get(key: string, options?: RequestOptions): Promise<StoredObject> {
    return this.#retry(options, () => this.#store.get(key, options));
  }

  getRange(key: string, offset: number, length: number, options?: RequestOptions): Promise<Buffer> {
    return this.#retry(options, () => this.#store.getRange(key, offset, length, options));
  }

  put(key: string, body: Uint8Array, options?: RequestOptions): Promise<PutReceipt> {
    return this.#retry(options, () => this.#store.put(key, body, options));
  }

  putIfAbsent(key: string, body: Uint8Array, options?: RequestOptions): Promise<PutIfAbsentReceipt> {
    return this.#store.putIfAbsent(key, body, options);
  }

  head(key: string, options?: RequestOptions): Promise<ObjectInfo | undefined> {
    return this.#retry(options, () => this.#store.head(key, options));
  }

  listPage(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.#retry(options, () => this.#store.listPage(prefix, options));
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo> {
    return listByPages(this, prefix, options);
  }

  deleteMany(keys: readonly string[], options?: RequestOptions): Promise<void> {
    return this.#retry(options, () => this.#store.deleteMany(keys, options));
  }

  copy(from: string, to: string, options?: RequestOptions): Promise<PutReceipt> {
    return this.#retry(options, () => this.#store.copy(from, to, options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }

  async #retry<T>(options: RequestOptions | undefined, run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        const mayRetry = error instanceof StorageError && error.code === 'unavailable';
        if (!mayRetry || attempt >= this.#attemptsMax) throw error;
      }
      const pauseMs = Math.min(this.#pauseMsMax, this.#pauseMs * 2 ** (attempt - 1));
      await this.#clock.sleep(pauseMs * this.#random.fraction(), options?.signal);
    }
  }
}
