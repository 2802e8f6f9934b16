/**
 * One environment of LMDB, with the accounts of a shard of the index in it: opened, thrown away where it cannot be trusted (lmdb-kv.ts says when),
 * written a little later than it is told to, unmapped, closed.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../clock.ts';
import { GatheredRows } from './gathered-rows.ts';
import { layoutVersion, u32 } from './keyspace.ts';
import type { KvWrite } from './kv.ts';
import { gatheredRowsMax, gatherMs, indexMapBytes } from './limits.ts';

/** Bytes of a key that LMDB takes, as `lmdb` builds it. A longer one would keep all that waits with it out of the database. */
const keyBytesMax = 1_978;
/** Files that lmdb opens for an environment, and some to spare: where it gets too few, it ends the process. */
const filesOpened = 8;
/** Openings that did not end well before an environment is taken for the cause. */
const openingsMax = 2;

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

export interface EnvironmentOptions {
  /** What tells this boot of the machine from others. */
  readonly bootId: string;
  readonly clock: Clock;
  /** Told when an environment is thrown away, with the reason. */
  readonly onDiscard?: (path: string, reason: string) => void;
}

export class LmdbEnvironment {
  /** Undefined while it is unmapped. */
  private opened: RootDatabase<Buffer, string> | undefined;
  /** Ranges and snapshots under way: what they read must stay mapped. */
  private readers = 0;
  private readonly path: string;
  private readonly bootId: string;
  private readonly clock: Clock;
  private isDirty = false;
  readonly gathered = new GatheredRows();
  private isFlushDue = false;
  private hasFailed = false;

  constructor(path: string, { bootId, clock, onDiscard }: EnvironmentOptions) {
    this.path = path;
    this.bootId = bootId;
    this.clock = clock;
    const discard = (reason: string) => {
      onDiscard?.(path, reason);
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path, { recursive: true });
    };
    mkdirSync(path, { recursive: true });
    needFiles(path);
    const reason = this.reasonToDiscard();
    if (reason !== undefined) discard(reason);
    writeFileSync(join(path, 'opening'), String(this.openings() + 1));
    try {
      this.opened = this.openDatabase();
    } catch (error) {
      if (error instanceof StorageError) throw error;
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

  /** Unless somebody reads. Nothing is under way between two turns but what is held: reads and writes are synchronous. */
  async unmap(): Promise<void> {
    if (this.readers > 0) return;
    try {
      this.flush();
    } catch {
      return;
    }
    const { opened } = this;
    this.opened = undefined;
    await opened?.close();
  }

  private openDatabase(): RootDatabase<Buffer, string> {
    needFiles(this.path);
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

  /** Visible when it returns; in the database a moment later, in one transaction with what else comes meanwhile. */
  write(prefix: string, batch: readonly KvWrite[]): void {
    for (const [key] of batch)
      if (prefix.length + key.length > keyBytesMax) throw new StorageError('unavailable', 'a key is longer than the index takes');
    if (this.hasFailed || this.gathered.size >= gatheredRowsMax) this.flush();
    this.gathered.add(prefix, batch);
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
      // The rows stay gathered. The next write tries again before it takes more, and its caller hears of it.
      this.hasFailed = true;
    }
  }

  /** Throws StorageError 'unavailable' when the disk refuses them; they stay gathered then. */
  flush(): void {
    if (this.gathered.size === 0) return;
    this.willWrite();
    const { database } = this;
    try {
      database.transactionSync(() => {
        for (const [key, value] of this.gathered.all()) {
          if (value === null) database.removeSync(key);
          else database.putSync(key, value as Buffer);
        }
      });
    } catch (error) {
      throw new StorageError('unavailable', 'the index on the local disk cannot be written', { cause: error });
    }
    this.gathered.clear();
    this.hasFailed = false;
  }

  async close(): Promise<void> {
    try {
      this.flush();
    } catch {
      // The disk refuses them: what is in the database is whole, and lags the log by them.
      this.gathered.clear();
    }
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

/** Throws StorageError 'unavailable' where the process may not open as many files more as lmdb will. */
function needFiles(path: string): void {
  const files: number[] = [];
  try {
    while (files.length < filesOpened) files.push(openSync(path, 'r'));
  } catch (error) {
    throw new StorageError('unavailable', 'the index on the local disk cannot be opened', { cause: error });
  } finally {
    for (const file of files) closeSync(file);
  }
}
