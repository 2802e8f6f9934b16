/**
 * The index's map in LMDB: some 16 environments a node, accounts in them by a short local number (an environment per account costs file
 * descriptors, memory and milliseconds). The index is disposable, so nothing is synced to disk while it runs. A clean mark beside an environment says
 * that all of it was synced; it goes before the first write and comes back at close. Without it, after another boot of the machine, the environment
 * is thrown away; so is one that LMDB cannot open, and one whose opening ended the process twice.
 *
 * Each page that was ever read or written stays mapped, and counts as the process's own memory, until the environment is closed. So when too much is
 * mapped, environments that nobody is reading are closed; the next use opens them again, and finds the pages in the system's cache.
 */
import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { StorageError } from '../../protocol/mail/errors.ts';
import { asBuffer } from '../../protocol/mime/bytes.ts';
import type { Clock } from '../clock.ts';
import { copyInto, type Kv, type KvEntry, type KvReader, type KvSnapshot, type KvWrite, type ReusedBytes } from './kv.ts';
import { indexMappedBytesMax } from './limits.ts';
import { type EnvironmentOptions, LmdbEnvironment } from './lmdb-environment.ts';
import { overlaid } from './overlay.ts';

/** Shards of a node's index. A damaged one costs a rebuild of this part of the accounts only. */
const environmentCount = 16;
/** Keys removed in one transaction when an account is cleared. */
const clearSlice = 2000;

export interface EnvironmentsOptions extends EnvironmentOptions {
  /** Folder of the index; owned by one process (a lock file is the caller's matter). */
  readonly path: string;
  /** Bytes of files that are mapped into the process and in memory, the program's own among them. Default: unknown, and nothing is unmapped. */
  readonly mappedBytes?: () => number;
}

export class LmdbEnvironments implements AsyncDisposable {
  private readonly options: EnvironmentsOptions;
  private readonly environments = new Map<number, LmdbEnvironment>();
  /** The program itself, above all. */
  private readonly mappedAtStart: number;
  private lastUnmapped = 0;

  constructor(options: EnvironmentsOptions) {
    mkdirSync(options.path, { recursive: true });
    this.options = options;
    this.mappedAtStart = this.mappedBytes();
  }

  /** The map of one account. Throws StorageError 'unavailable' when the disk does not let it be opened. */
  kv(account: string): Kv {
    try {
      return this.open(account);
    } catch (error) {
      if (error instanceof StorageError) throw error;
      throw new StorageError('unavailable', 'the index on the local disk cannot be opened', { cause: error });
    }
  }

  private open(account: string): Kv {
    const shard = hash('sha256', account, 'buffer')[0]! % environmentCount;
    let environment = this.environments.get(shard);
    if (environment === undefined) {
      environment = new LmdbEnvironment(join(this.options.path, `shard-${String(shard).padStart(2, '0')}`), this.options);
      this.environments.set(shard, environment);
    }
    return new LmdbKv(environment, environment.prefixOf(account), this.options.clock);
  }

  /** Where more is mapped than may be, unmaps one environment after the other, taking turns, until half of that is left. */
  async unmapExcess(): Promise<void> {
    if (this.indexBytesMapped() <= indexMappedBytesMax) return;
    const environments = [...this.environments.values()];
    for (let left = environments.length; left > 0; left -= 1) {
      this.lastUnmapped = (this.lastUnmapped + 1) % environments.length;
      await environments[this.lastUnmapped]!.unmap();
      if (this.indexBytesMapped() <= indexMappedBytesMax / 2) return;
      await this.options.clock.sleep(0);
    }
  }

  private indexBytesMapped(): number {
    return this.mappedBytes() - this.mappedAtStart;
  }

  private mappedBytes(): number {
    return this.options.mappedBytes?.() ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const environment of this.environments.values()) await environment.close();
    this.environments.clear();
  }
}

class LmdbKv implements Kv {
  private readonly environment: LmdbEnvironment;
  private readonly prefix: string;
  private readonly clock: Clock;

  constructor(environment: LmdbEnvironment, prefix: string, clock: Clock) {
    this.environment = environment;
    this.prefix = prefix;
    this.clock = clock;
  }

  get(key: string): Buffer | undefined {
    const gathered = this.environment.gathered.get(this.prefix, key);
    if (gathered === undefined) return this.environment.database.get(this.prefix + key);
    return gathered === null ? undefined : Buffer.from(gathered);
  }

  readInto(key: string, into: ReusedBytes): number {
    const { database } = this.environment;
    const gathered = this.environment.gathered.get(this.prefix, key);
    if (gathered !== undefined) return copyInto(gathered === null ? undefined : asBuffer(gathered), into);
    // The buffer is lmdb's own, longer than the value, and the next get writes into it.
    const bytes = database.getBinaryFast(this.prefix + key) as (Buffer & { isGlobal?: boolean }) | undefined;
    if (bytes === undefined) return -1;
    const length = bytes.isGlobal === true ? (database as unknown as { lastSize: number }).lastSize : bytes.length;
    if (length > into.bytes.length) into.bytes = Buffer.alloc(length * 2);
    bytes.copy(into.bytes, 0, 0, length);
    return length;
  }

  range(start: string, end: string, options: { reverse?: boolean; limit?: number } = {}): Iterable<KvEntry> {
    const gathered = this.environment.gathered.within(this.prefix, start, end);
    if (gathered.size === 0) return this.entries(start, end, options);
    if (!options.reverse)
      return limited(
        overlaid(this.entries(start, end), gathered, (value) => value),
        options.limit,
      );
    this.environment.flush();
    return this.entries(start, end, options);
  }

  isEmpty(start: string, end: string): boolean {
    if (!this.environment.gathered.hasAny(this.prefix, start, end)) return this.hasNone(start, end);
    // What is gathered may be removals.
    for (const _ of this.range(start, end)) return false;
    return true;
  }

  private hasNone(start: string, end: string, transaction?: object): boolean {
    if (start >= end) return true;
    const within = transaction === undefined ? {} : { transaction };
    const keys = this.environment.database.getKeys({ start: this.prefix + start, end: this.prefix + end, ...within } as never);
    for (const _ of keys) return false;
    return true;
  }

  private *entries(
    start: string,
    end: string,
    options: { reverse?: boolean; limit?: number } = {},
    transaction?: object,
  ): Generator<KvEntry> {
    if (start >= end) return;
    const [from, to] = [this.prefix + start, this.prefix + end];
    const within = transaction === undefined ? {} : { transaction };
    // A reverse range of lmdb runs from its start, which it includes, down to its end, which it does not.
    const bounds = options.reverse ? { start: to, end: from, reverse: true } : { start: from, end: to };
    const skip = this.prefix.length;
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    const letGo = this.environment.hold();
    try {
      for (const { key, value } of this.environment.database.getRange({
        ...bounds,
        ...within,
      } as never)) {
        const text = key.slice(skip);
        if (options.reverse && text === end) continue;
        if (left <= 0) return;
        left -= 1;
        yield { key: text, value };
      }
    } finally {
      letGo();
    }
    if (options.reverse) {
      const first = left > 0 ? this.environment.database.get(from, within as never) : undefined;
      if (first !== undefined) yield { key: start, value: first };
    }
  }

  write(batch: readonly KvWrite[]): void {
    this.environment.write(this.prefix, batch);
  }

  async clear(): Promise<void> {
    for (;;) {
      const keys: KvWrite[] = [];
      for (const { key } of this.range('', this.end, { limit: clearSlice })) keys.push([key, null]);
      if (keys.length === 0) return;
      this.write(keys);
      this.environment.flush();
      await this.clock.sleep(0);
    }
  }

  private get end(): string {
    return '\xff';
  }

  snapshot(): KvSnapshot {
    this.environment.flush();
    const { database } = this.environment;
    const transaction = database.useReadTransaction();
    const letGo = this.environment.hold();
    const reader: KvReader = {
      get: (key) => database.get(this.prefix + key, { transaction } as never),
      readInto: (key, into) => copyInto(database.get(this.prefix + key, { transaction } as never), into),
      range: (start, end, options) => this.entries(start, end, options, transaction as object),
      isEmpty: (start, end) => this.hasNone(start, end, transaction as object),
    };
    return {
      ...reader,
      release: () => {
        (transaction as { done(): void }).done();
        letGo();
      },
    };
  }
}

function* limited(entries: Iterable<KvEntry>, limit = Number.POSITIVE_INFINITY): Generator<KvEntry> {
  let left = limit;
  for (const entry of entries) {
    if (left <= 0) return;
    left -= 1;
    yield entry;
  }
}
