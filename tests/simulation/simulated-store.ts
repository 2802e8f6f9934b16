/**
 * The store as one process reaches it: each request is made in the process, travels, takes effect, and its answer travels back; each step can go
 * wrong. What happens, happens in the shared bucket, which also remembers every commit that was ever written.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import { MemoryStore } from '../../storage/objects/memory.ts';
import { parseKey } from '../../storage/objects/object-keys.ts';
import {
  ClockSkewError,
  type ListOptions,
  type ListPage,
  listByPages,
  type ObjectInfo,
  type ObjectStore,
  type PutIfAbsentReceipt,
  type PutReceipt,
  type StoredObject,
} from '../../storage/objects/object-store.ts';
import type { Process } from './process.ts';
import { minuteMs, secondMs, type World } from './world.ts';

/** A store's signature is good for so long. */
const skewMsMax = 15 * minuteMs;

export interface CommitObject {
  readonly seq: number;
  readonly body: Buffer;
}

/** What differs from run to run. */
export interface Traits {
  /** As S3, the store refuses requests that were signed too long ago; a file system does not. */
  readonly refusesSkew: boolean;
  /** Names in a page of a listing. */
  readonly pageMax: number;
  /** Of the store's clock. */
  readonly granularityMs: number;
  /** How much more often than usual processes stand still. */
  readonly standstills: number;
  /** Share of the times at which nobody changes anything. */
  readonly quiet: number;
}

export function drawTraits(world: World): Traits {
  return {
    refusesSkew: world.chance(0.5),
    pageMax: world.pick([1000, 1000, 1000, 20]),
    granularityMs: world.pick([1, secondMs]),
    standstills: world.pick([1, 1, 4]),
    quiet: world.pick([0.2, 0.2, 0.85]),
  };
}

export class Bucket {
  readonly store: MemoryStore;
  /** Every commit that was ever written under an account's prefix, collected ones and strays too. */
  readonly commits: CommitObject[] = [];
  readonly traits: Traits;

  constructor(world: World, traits: Traits) {
    const { granularityMs } = traits;
    this.traits = traits;
    this.store = new MemoryStore({ clock: { now: () => world.now - (world.now % granularityMs) } });
  }

  async putIfAbsent(key: string, body: Buffer): Promise<PutIfAbsentReceipt> {
    const receipt = await this.store.putIfAbsent(key, body);
    const parsed = parseKey(key);
    if (receipt.outcome === 'created' && parsed?.kind === 'log') this.commits.push({ seq: parsed.seq, body });
    return receipt;
  }
}

export interface FaultRates {
  /** Nothing was done, and the caller knows only that it failed. */
  readonly unavailable: number;
  /** Done, and the caller sees a failure. */
  readonly lostReply: number;
  /** The caller sees a failure, and it takes effect some time later. */
  readonly late: number;
  readonly standStillBefore: number;
  readonly standStillAfter: number;
  readonly crashBefore: number;
  readonly crashAfter: number;
}

/** Of writes to the log: what the log's rules are about. */
const commitFaults: FaultRates = {
  unavailable: 0.03,
  lostReply: 0.06,
  late: 0.04,
  standStillBefore: 0.02,
  standStillAfter: 0.02,
  crashBefore: 0.005,
  crashAfter: 0.01,
};

/** Of everything else, which there is more of. */
const otherFaults: FaultRates = {
  unavailable: 0.02,
  lostReply: 0.01,
  late: 0.002,
  standStillBefore: 0.001,
  standStillAfter: 0.001,
  crashBefore: 0.0005,
  crashAfter: 0.0005,
};

type Fault = keyof FaultRates;

export class SimulatedStore implements ObjectStore {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #process: Process;

  constructor(bucket: Bucket, process: Process) {
    this.name = `${process.name}'s store`;
    this.#bucket = bucket;
    this.#process = process;
  }

  get(key: string): Promise<StoredObject> {
    return this.#request('GET', key, otherFaults, () => this.#bucket.store.get(key));
  }

  getRange(key: string, offset: number, length: number): Promise<Buffer> {
    return this.#request('GET', key, otherFaults, () => this.#bucket.store.getRange(key, offset, length));
  }

  put(key: string, body: Uint8Array): Promise<PutReceipt> {
    const bytes = Buffer.from(body);
    return this.#request('PUT', key, otherFaults, () => this.#bucket.store.put(key, bytes));
  }

  putIfAbsent(key: string, body: Uint8Array): Promise<PutIfAbsentReceipt> {
    const bytes = Buffer.from(body);
    return this.#request('PUT', key, commitFaults, () => this.#bucket.putIfAbsent(key, bytes));
  }

  head(key: string): Promise<ObjectInfo | undefined> {
    return this.#request('HEAD', key, otherFaults, () => this.#bucket.store.head(key));
  }

  listPage(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const limit = Math.min(options.limit ?? 1000, this.#bucket.traits.pageMax);
    return this.#request('LIST', `${prefix} after ${options.startAfter ?? ''}`, otherFaults, () =>
      this.#bucket.store.listPage(prefix, { ...options, signal: undefined, limit }),
    );
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo> {
    return listByPages(this, prefix, options);
  }

  deleteMany(keys: readonly string[]): Promise<void> {
    const { world } = this.#process;
    return this.#request('DELETE', keys[0] ?? '', otherFaults, async () => {
      if (world.isCalm || keys.length < 2 || !world.chance(0.05)) return this.#bucket.store.deleteMany(keys);
      await this.#bucket.store.deleteMany(keys.filter(() => world.chance(0.5)));
      throw new StorageError('unavailable', 'some were removed');
    });
  }

  copy(from: string, to: string): Promise<PutReceipt> {
    return this.#request('COPY', to, otherFaults, () => this.#bucket.store.copy(from, to));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #request<T>(operation: string, key: string, rates: FaultRates, effect: () => Promise<T>): Promise<T> {
    const process = this.#process;
    const { world } = process;
    const fault = world.isCalm ? undefined : this.#choose(rates);
    const signedAt = process.clock.now();
    // A manifest that comes weeks late is what snapshots do not survive: two sleepers can take the parts from under it.
    const refusesSkew = this.#bucket.traits.refusesSkew || (operation === 'PUT' && parseKey(key)?.kind === 'manifest');
    world.trace(() => `${process.name} ${operation} ${key}${fault === undefined ? '' : ` (${fault})`}`);
    return new Promise((resolve, reject) => {
      const answer = (give: () => void) => {
        if (fault === 'standStillAfter') process.standStill();
        if (fault === 'crashAfter') process.crash();
        process.later(world.between(2, 40), give);
      };
      const timeOut = () =>
        process.later(world.between(secondMs, 30 * secondMs), () => reject(new StorageError('unavailable', 'no answer')));
      const takeEffect = (isHeard: boolean) => {
        if (refusesSkew && Math.abs(world.now - signedAt) > skewMsMax) {
          if (isHeard) answer(() => reject(new ClockSkewError('signed at another time')));
          return;
        }
        effect().then(
          (value) => isHeard && answer(() => resolve(value)),
          (error) => isHeard && answer(() => reject(error)),
        );
      };
      if (fault === 'standStillBefore') process.standStill();
      if (fault === 'crashBefore') process.crash();
      process.later(1, () => {
        switch (fault) {
          case 'unavailable':
            return process.later(world.between(2, 500), () => reject(new StorageError('unavailable', '503')));
          case 'lostReply':
            world.schedule(world.between(2, 40), () => takeEffect(false));
            return timeOut();
          case 'late':
            world.schedule(world.between(secondMs, 5 * minuteMs), () => takeEffect(false));
            return timeOut();
          default:
            return world.schedule(world.between(2, 40), () => takeEffect(true));
        }
      });
    });
  }

  #choose(rates: FaultRates): Fault | undefined {
    let left = this.#process.world.random.fraction();
    for (const [fault, rate] of Object.entries(rates)) {
      left -= fault.startsWith('standStill') ? rate * this.#bucket.traits.standstills : rate;
      if (left < 0) return fault as Fault;
    }
    return undefined;
  }
}
