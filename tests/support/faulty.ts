/**
 * A store that fails on purpose, in the ways that have lost mail elsewhere. Deterministic: the same Random and Clock give the same faults.
 *
 * Each simulated node has its own FaultyStore over one shared store, so that a node's crash is its own. Faults are scripted (`next`) or have
 * rates. A crashed store rejects everything from then on with SimulatedCrash: the process is gone, and nobody hears an answer.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../../storage/clock.ts';
import {
  ClockSkewError,
  type ListOptions,
  type ListPage,
  listByPages,
  type ObjectInfo,
  type ObjectStore,
  type PutIfAbsentReceipt,
  type PutReceipt,
  type RequestOptions,
  type StoredObject,
} from '../../storage/objects/object-store.ts';
import type { Random } from '../../storage/random.ts';

/**
 * `unavailable`: refused, nothing done (5xx, 409, a connection that was never made). `lostReply`: done, but the caller sees a failure.
 * `late`: the caller sees a failure now, and the request takes effect later. `freezeBefore`, `freezeAfter`: the node stands still, before
 * the request takes effect or before it hears the answer. `skew`: refused for its date. `crashBefore`, `crashAfter`: the node is gone.
 */
export type StoreFault = 'unavailable' | 'lostReply' | 'late' | 'freezeBefore' | 'freezeAfter' | 'skew' | 'crashBefore' | 'crashAfter';

export type FaultyOperation = 'get' | 'getRange' | 'put' | 'putIfAbsent' | 'head' | 'list' | 'delete' | 'copy';

/** Chance of each fault per request, 0 to 1; together at most 1. */
export type FaultRates = Partial<Readonly<Record<StoreFault, number>>>;

export interface FaultyOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly random: Pick<Random, 'fraction'>;
  readonly rates?: FaultRates;
  /** Rates for one operation, instead of `rates`. */
  readonly ratesOf?: Partial<Readonly<Record<FaultyOperation, FaultRates>>>;
  /** Time to the effect, and again to the answer: uniform between the two. Default none. */
  readonly latencyMs?: readonly [number, number];
  /** Uniform between the two. Default one minute to two hours. */
  readonly freezeMs?: readonly [number, number];
  /** When a `late` request takes effect. Default one second to ten minutes. */
  readonly lateMs?: readonly [number, number];
  /** Called at once when the node crashes. */
  readonly onCrash?: () => void;
}

export class SimulatedCrash extends Error {
  constructor() {
    super('the simulated node has crashed');
    this.name = 'SimulatedCrash';
  }
}

interface Scripted {
  readonly operation: FaultyOperation;
  readonly fault: StoreFault;
  readonly keyPart: string;
}

export class FaultyStore implements ObjectStore {
  readonly name: string;
  /** How often each fault was committed. */
  readonly committed = new Map<StoreFault, number>();
  readonly #store: ObjectStore;
  readonly #options: FaultyOptions;
  readonly #late = new Set<Promise<void>>();
  #scripted: Scripted[] = [];
  #isCrashed = false;
  #isCalm = false;

  constructor(store: ObjectStore, options: FaultyOptions) {
    this.name = `faulty ${store.name}`;
    this.#store = store;
    this.#options = options;
  }

  /** The next `operation` on a name that contains `keyPart` meets `fault`. Scripted faults come before those with rates, in this order. */
  next(operation: FaultyOperation, fault: StoreFault, keyPart = ''): void {
    this.#scripted.push({ operation, fault, keyPart });
  }

  /** No more faults by rates: the network has healed. What was `late` is still on its way. */
  calm(): void {
    this.#isCalm = true;
  }

  /** The node is gone, now. */
  crash(): void {
    if (this.#isCrashed) return;
    this.#isCrashed = true;
    this.#options.onCrash?.();
  }

  /** Resolves when every `late` request has had its effect. */
  async settleLate(): Promise<void> {
    while (this.#late.size > 0) await Promise.all(this.#late);
  }

  get(key: string, options?: RequestOptions): Promise<StoredObject> {
    return this.#run('get', key, options, () => this.#store.get(key, options));
  }

  getRange(key: string, offset: number, length: number, options?: RequestOptions): Promise<Buffer> {
    return this.#run('getRange', key, options, () => this.#store.getRange(key, offset, length, options));
  }

  put(key: string, body: Uint8Array, options?: RequestOptions): Promise<PutReceipt> {
    const bytes = Buffer.from(body);
    return this.#run('put', key, options, () => this.#store.put(key, bytes));
  }

  putIfAbsent(key: string, body: Uint8Array, options?: RequestOptions): Promise<PutIfAbsentReceipt> {
    const bytes = Buffer.from(body);
    return this.#run('putIfAbsent', key, options, () => this.#store.putIfAbsent(key, bytes));
  }

  head(key: string, options?: RequestOptions): Promise<ObjectInfo | undefined> {
    return this.#run('head', key, options, () => this.#store.head(key, options));
  }

  listPage(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.#run('list', prefix, options, () => this.#store.listPage(prefix, options));
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo> {
    return listByPages(this, prefix, options);
  }

  deleteMany(keys: readonly string[], options?: RequestOptions): Promise<void> {
    return this.#run('delete', keys[0] ?? '', options, () => this.#store.deleteMany(keys));
  }

  copy(from: string, to: string, options?: RequestOptions): Promise<PutReceipt> {
    return this.#run('copy', to, options, () => this.#store.copy(from, to));
  }

  /** The shared store stays open: it belongs to the simulation. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.settleLate();
  }

  async #run<T>(operation: FaultyOperation, key: string, options: RequestOptions | undefined, effect: () => Promise<T>): Promise<T> {
    this.#assertAlive();
    const fault = this.#choose(operation, key);
    if (fault !== undefined) this.committed.set(fault, (this.committed.get(fault) ?? 0) + 1);
    await this.#pause(this.#options.latencyMs ?? [0, 0], options);
    switch (fault) {
      case 'unavailable':
        throw new StorageError('unavailable', `Simulated: ${operation} ${key} was answered 503.`);
      case 'skew':
        throw new ClockSkewError(`Simulated: ${operation} ${key} was refused for its date.`);
      case 'crashBefore':
        this.crash();
        break;
      case 'late':
        this.#runLate(effect);
        throw new StorageError('unavailable', `Simulated: ${operation} ${key} was not answered in time.`);
      case 'freezeBefore':
        await this.#pause(this.#options.freezeMs ?? [60_000, 7_200_000], options);
    }
    this.#assertAlive();
    const result = await settle(effect);
    if (fault === 'crashAfter') this.crash();
    this.#assertAlive();
    await this.#pause(this.#options.latencyMs ?? [0, 0], options);
    if (fault === 'freezeAfter') await this.#pause(this.#options.freezeMs ?? [60_000, 7_200_000], options);
    this.#assertAlive();
    if (fault === 'lostReply') throw new StorageError('unavailable', `Simulated: the answer to ${operation} ${key} was lost.`);
    return result();
  }

  #choose(operation: FaultyOperation, key: string): StoreFault | undefined {
    const scripted = this.#scripted.find((one) => one.operation === operation && key.includes(one.keyPart));
    if (scripted !== undefined) {
      this.#scripted = this.#scripted.filter((one) => one !== scripted);
      return scripted.fault;
    }
    if (this.#isCalm) return undefined;
    const rates = this.#options.ratesOf?.[operation] ?? this.#options.rates ?? {};
    let roll = this.#options.random.fraction();
    for (const [fault, rate] of Object.entries(rates) as [StoreFault, number][]) {
      if (roll < rate) return fault;
      roll -= rate;
    }
    return undefined;
  }

  /** The request is in the network: it has its effect whether or not its sender lives. */
  #runLate(effect: () => Promise<unknown>): void {
    const [from, to] = this.#options.lateMs ?? [1_000, 600_000];
    const ms = from + (to - from) * this.#options.random.fraction();
    const late: Promise<void> = this.#options.clock
      .sleep(ms)
      .then(effect)
      .then(
        () => {},
        () => {},
      )
      .finally(() => {
        this.#late.delete(late);
      });
    this.#late.add(late);
  }

  async #pause([from, to]: readonly [number, number], options: RequestOptions | undefined): Promise<void> {
    if (to > 0) await this.#options.clock.sleep(from + (to - from) * this.#options.random.fraction(), options?.signal);
    this.#assertAlive();
  }

  #assertAlive(): void {
    if (this.#isCrashed) throw new SimulatedCrash();
  }
}

/** Runs `effect` to its end; what is returned gives its result or throws its error, when asked. */
async function settle<T>(effect: () => Promise<T>): Promise<() => T> {
  try {
    const value = await effect();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
