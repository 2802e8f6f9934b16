/**
 * The index's map in LMDB: some 16 environments a node, accounts in them by a short local number (an environment per account costs file
 * descriptors, memory and milliseconds). The index is disposable, so nothing is synced to disk while it runs. A clean mark beside an environment says
 * that all of it was synced; it goes before the first write and comes back at close. Without it, after another boot of the machine, the environment
 * is thrown away; so is one that LMDB cannot open, and one whose opening ended the process twice.
 *
 * Each page that was ever read or written stays mapped, and counts as the process's own memory, until the environment is closed. So when too much is
 * mapped, environments that nobody is reading are closed; the next use opens them again, and finds the pages in the system's cache.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { StorageError } from '../../protocol/mail/errors.ts';
import { asBuffer } from '../../protocol/mime/bytes.ts';
import type { Clock } from '../clock.ts';
import { layoutVersion, u32 } from './keyspace.ts';
import { copyInto, type Kv, type KvEntry, type KvReader, type KvSnapshot, type KvWrite, type ReusedBytes } from './kv.ts';
import { indexMapBytes, indexMappedBytesMax } from './limits.ts';

/** Shards of a node's index. A damaged one costs a rebuild of this part of the accounts only. */
const environmentCount = 16;
/** Keys removed in one transaction when an account is cleared. */
const clearSlice = 2000;
/** Openings that did not end well before an environment is taken for the cause. */
const openingsMax = 2;

/** How long rows wait in memory for others to share their transaction, and how many may. The index may lag the log: a crash costs a short replay. */
const gatherMs = 25;
const gatheredRowsMax = 2000;

const accountPrefix = '\0a';
const counterKey = '\0n';

/** Keys go to lmdb as they are written here, without a buffer for each. */
const keyEncoder = {
  writeKey(key: string, target: Buffer, start: number): number {
    for (let at = 0; at < key.length; at += 1) target[start + at] = key.charCodeAt(at);
    return start + key.length;
  },
  readKey: (source: Buffer, start: number, end: number): string => Buffer.prototype.toString.call(source, 'latin1', start, end),
};

export interface EnvironmentsOptions {
  /** Folder of the index; owned by one process (a lock file is the caller's matter). */
  readonly path: string;
  /** What tells this boot of the machine from others. */
  readonly bootId: string;
  readonly clock: Clock;
  /** Told when an environment is thrown away, with the reason. */
  readonly onDiscard?: (path: string, reason: string) => void;
  /** Bytes of files that are mapped into the process and in memory, the program's own among them. Default: unknown, and nothing is unmapped. */
  readonly mappedBytes?: () => number;
}

export class LmdbEnvironments implements AsyncDisposable {
  private readonly options: EnvironmentsOptions;
  private readonly environments = new Map<number, Environment>();
  /** What is mapped beside the index: the program above all, of which more comes in as it runs. */
  private mappedBesides: number;
  private lastUnmapped = 0;

  constructor(options: EnvironmentsOptions) {
    mkdirSync(options.path, { recursive: true });
    this.options = options;
    this.mappedBesides = this.mappedBytes();
  }

  /** The map of one account. */
  kv(account: string): Kv {
    const shard = createHash('sha256').update(account).digest()[0]! % environmentCount;
    let environment = this.environments.get(shard);
    if (environment === undefined) {
      environment = new Environment(join(this.options.path, `shard-${String(shard).padStart(2, '0')}`), this.options);
      this.environments.set(shard, environment);
    }
    return new LmdbKv(environment, environment.prefixOf(account), this.options.clock);
  }

  /** Where more is mapped than may be, unmaps one environment after the other, taking turns, until half of that is left. */
  async unmapExcess(): Promise<void> {
    if (this.indexBytesMapped() <= indexMappedBytesMax) return;
    const environments = [...this.environments.values()];
    let isHeld = false;
    for (let left = environments.length; left > 0; left -= 1) {
      this.lastUnmapped = (this.lastUnmapped + 1) % environments.length;
      if (!(await environments[this.lastUnmapped]!.unmap())) isHeld = true;
      if (this.indexBytesMapped() <= indexMappedBytesMax / 2) return;
      await this.options.clock.sleep(0);
    }
    if (!isHeld) this.mappedBesides = this.mappedBytes();
  }

  private indexBytesMapped(): number {
    return this.mappedBytes() - this.mappedBesides;
  }

  private mappedBytes(): number {
    return this.options.mappedBytes?.() ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const environment of this.environments.values()) await environment.close();
    this.environments.clear();
  }
}

class Environment {
  /** Undefined while it is unmapped. */
  private opened: RootDatabase<Buffer, string> | undefined;
  /** Ranges and snapshots under way: what they read must stay mapped. */
  private readers = 0;
  private readonly path: string;
  private readonly bootId: string;
  private readonly clock: Clock;
  private isDirty = false;
  /** Rows that were written and are not in the database yet. */
  private readonly gathered = new Map<string, Uint8Array | null>();
  private isFlushDue = false;

  constructor(path: string, { bootId, clock, onDiscard }: EnvironmentsOptions) {
    this.path = path;
    this.bootId = bootId;
    this.clock = clock;
    const discard = (reason: string) => {
      onDiscard?.(path, reason);
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path, { recursive: true });
    };
    const reason = this.reasonToDiscard();
    if (reason !== undefined) discard(reason);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'opening'), String(this.openings() + 1));
    try {
      this.opened = this.openDatabase();
    } catch (error) {
      discard(`it cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
      this.opened = this.openDatabase();
    }
    rmSync(join(path, 'opening'), { force: true });
  }

  get database(): RootDatabase<Buffer, string> {
    if (this.opened !== undefined) return this.opened;
    try {
      this.opened = this.openDatabase();
    } catch (error) {
      throw new StorageError('unavailable', 'the index on the local disk cannot be opened again', { cause: error });
    }
    return this.opened;
  }

  /** From now on a reader holds the map, until what is returned is called. */
  hold(): () => void {
    this.readers += 1;
    return () => {
      this.readers -= 1;
    };
  }

  /** Whether it could be. Nothing is under way between two turns but what is held: reads and writes are synchronous. */
  async unmap(): Promise<boolean> {
    if (this.readers > 0) return false;
    const { opened } = this;
    this.opened = undefined;
    await opened?.close();
    return true;
  }

  private openDatabase(): RootDatabase<Buffer, string> {
    return open<Buffer, string>({
      path: join(this.path, 'data.mdb'),
      keyEncoder,
      encoding: 'binary',
      noSync: true,
      maxReaders: 256,
      mapSize: indexMapBytes,
    });
  }

  private openings(): number {
    const file = join(this.path, 'opening');
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) || 0 : 0;
  }

  private reasonToDiscard(): string | undefined {
    if (!existsSync(join(this.path, 'data.mdb'))) return undefined;
    if (this.openings() >= openingsMax) return `opening it ended the process ${openingsMax} times`;
    const [state, layout, bootId] = existsSync(this.mark) ? readFileSync(this.mark, 'utf8').split(' ') : [];
    if (Number(layout) !== layoutVersion) return 'it has the layout of another version';
    // A killed process leaves its writes to the system; a machine that went down may have lost any of them.
    if (state !== 'clean' && bootId !== this.bootId) return 'it was not closed before the machine went down';
    return undefined;
  }

  private get mark(): string {
    return join(this.path, 'mark');
  }

  private writeMark(state: 'clean' | 'dirty'): void {
    writeFileSync(this.mark, `${state} ${layoutVersion} ${this.bootId}`);
    for (const path of [this.mark, this.path, dirname(this.path)]) {
      const file = openSync(path, 'r');
      try {
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    }
  }

  /** To be called before any write. */
  willWrite(): void {
    if (this.isDirty) return;
    this.isDirty = true;
    this.writeMark('dirty');
  }

  /** The account's key prefix; a number is given at first sight. */
  prefixOf(account: string): string {
    const key = accountPrefix + account;
    const known = this.database.get(key);
    if (known !== undefined) return u32(known.readUInt32BE(0));
    this.willWrite();
    return this.database.transactionSync(() => {
      const next = (this.database.get(counterKey)?.readUInt32BE(0) ?? 0) + 1;
      const number = Buffer.from(u32(next), 'latin1');
      this.database.putSync(counterKey, number);
      this.database.putSync(key, number);
      return u32(next);
    });
  }

  /** A row that was written and is not in the database yet; undefined when there is none. */
  gatheredRow(key: string): Uint8Array | null | undefined {
    return this.gathered.size === 0 ? undefined : this.gathered.get(key);
  }

  /** Rows of start ≤ key < end that were written and are not in the database yet, ascending. */
  gatheredRows(start: string, end: string): readonly KvWrite[] {
    const rows: KvWrite[] = [];
    for (const row of this.gathered) if (row[0] >= start && row[0] < end) rows.push(row);
    return rows.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Visible when it returns; in the database a moment later, in one transaction with what else comes meanwhile. */
  write(prefix: string, batch: readonly KvWrite[]): void {
    if (this.gathered.size >= gatheredRowsMax) this.flush();
    for (const [key, value] of batch) this.gathered.set(prefix + key, value);
    if (this.isFlushDue) return;
    this.isFlushDue = true;
    void this.flushSoon();
  }

  private async flushSoon(): Promise<void> {
    await this.clock.sleep(gatherMs);
    this.isFlushDue = false;
    try {
      this.flush();
    } catch {
      // The rows stay gathered. The next write tries again, and fails once too many wait.
    }
  }

  /** Throws StorageError 'unavailable' when the disk refuses them; they stay gathered then. */
  flush(): void {
    if (this.gathered.size === 0) return;
    this.willWrite();
    const { database } = this;
    try {
      database.transactionSync(() => {
        for (const [key, value] of this.gathered) {
          if (value === null) database.removeSync(key);
          else database.putSync(key, value as Buffer);
        }
      });
    } catch (error) {
      throw new StorageError('unavailable', 'the index on the local disk cannot be written', { cause: error });
    }
    this.gathered.clear();
  }

  async close(): Promise<void> {
    this.flush();
    await this.opened?.flushed;
    const path = join(this.path, 'data.mdb');
    await this.opened?.close();
    const file = openSync(path, 'r');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    this.writeMark('clean');
  }
}

class LmdbKv implements Kv {
  private readonly environment: Environment;
  private readonly prefix: string;
  private readonly clock: Clock;

  constructor(environment: Environment, prefix: string, clock: Clock) {
    this.environment = environment;
    this.prefix = prefix;
    this.clock = clock;
  }

  get(key: string): Buffer | undefined {
    const full = this.prefix + key;
    const gathered = this.environment.gatheredRow(full);
    if (gathered === undefined) return this.environment.database.get(full);
    return gathered === null ? undefined : Buffer.from(gathered);
  }

  readInto(key: string, into: ReusedBytes): number {
    const { database } = this.environment;
    const gathered = this.environment.gatheredRow(this.prefix + key);
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
    const gathered = this.environment.gatheredRows(this.prefix + start, this.prefix + end);
    if (gathered.length === 0) return this.entries(start, end, options);
    if (!options.reverse) return this.merged(start, end, gathered, options.limit);
    this.environment.flush();
    return this.entries(start, end, options);
  }

  /** Ascending; what is gathered stands over what is in the database. */
  private *merged(start: string, end: string, gathered: readonly KvWrite[], limit = Number.POSITIVE_INFINITY): Generator<KvEntry> {
    let left = limit;
    for (const [key, value] of mergeRows(this.entries(start, end), gathered, this.prefix.length)) {
      if (value === null) continue;
      if (left-- <= 0) return;
      yield { key, value: Buffer.from(value) };
    }
  }

  private *entries(
    start: string,
    end: string,
    options: { reverse?: boolean; limit?: number } = {},
    transaction?: object,
  ): Generator<KvEntry> {
    const [from, to] = [this.prefix + start, this.prefix + end];
    // A reverse range of lmdb runs from its start, which it includes, down to its end, which it does not.
    const bounds = options.reverse ? { start: to, end: from, reverse: true } : { start: from, end: to };
    const skip = this.prefix.length;
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    const letGo = this.environment.hold();
    try {
      for (const { key, value } of this.environment.database.getRange({
        ...bounds,
        ...(transaction === undefined ? {} : { transaction }),
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
      const first = left > 0 ? this.environment.database.get(from) : undefined;
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

/** Ascending, each key once; `upper`, whose keys begin with `skip` characters more, stands over `lower`. */
function* mergeRows(lower: Iterable<KvEntry>, upper: readonly KvWrite[], skip: number): Generator<KvWrite> {
  let at = 0;
  for (const { key, value } of lower) {
    for (; at < upper.length && upper[at]![0].slice(skip) < key; at += 1) yield [upper[at]![0].slice(skip), upper[at]![1]];
    if (at < upper.length && upper[at]![0].slice(skip) === key) continue;
    yield [key, value];
  }
  for (; at < upper.length; at += 1) yield [upper[at]![0].slice(skip), upper[at]![1]];
}
