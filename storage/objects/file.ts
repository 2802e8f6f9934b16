/**
 * The embedded store: one file per object in a folder, for one machine. Several processes may use a folder at once.
 *
 * An object is written to a temporary file, synced, and then given its name: by link(2), which fails when the name is taken, for
 * putIfAbsent, by rename(2) for put. Then the directory is synced. So a name never stands for half an object, and whoever dies in between
 * leaves a temporary file, which the next open removes once it is old. Time is the machine's. A file put there by hand is an object too.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { invariant, StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../clock.ts';
import type { Random } from '../random.ts';
import { DirectorySync, syncDirectory } from './directory-sync.ts';
import {
  close,
  copyFile,
  errorCode,
  fdatasync,
  isAbsent,
  link,
  open,
  readdir,
  readFully,
  rename,
  stat,
  storageError,
  unlink,
  writeFully,
} from './file-system.ts';
import { walkKeys } from './file-walk.ts';
import { type FileWriteFailure, FileWriter } from './file-writer.ts';
import {
  assertKey,
  assertPrefix,
  assertRange,
  keyFault,
  type ListOptions,
  type ListPage,
  listPageMax,
  type ObjectInfo,
  type ObjectStore,
  type PutIfAbsentReceipt,
  type PutReceipt,
  pageLimit,
  type RequestOptions,
  type StoredObject,
} from './object-store.ts';

/** Holds files that have no name yet; no object's name begins with it. */
const temporaryFolder = '.tmp';
/** Nobody takes longer to write one object, so what is older was left by a process that died. */
const temporaryFileAgeMaxMs = 3_600_000;
/** Larger bodies are written piece by piece here, so that they hold up nobody else's in a writer's batch, and are not copied to it. */
const writerBytesMax = 256 * 1024;
/** stat calls in flight for one listing. */
const statsInFlightMax = 64;

export interface FileStoreOptions {
  /** The folder; created when absent. */
  readonly path: string;
  readonly clock: Pick<Clock, 'now'>;
  /** Names the temporary files, so that processes do not meet. */
  readonly random: Pick<Random, 'hex'>;
}

export async function openFileStore(options: FileStoreOptions): Promise<FileStore> {
  const root = resolve(options.path);
  const store = new FileStore(root, options);
  try {
    await createRoot(root);
    await removeOldTemporaryFiles(`${root}/${temporaryFolder}`, options.clock.now());
  } catch (error) {
    throw storageError(error, `open the store in ${root}`);
  }
  return store;
}

export class FileStore implements ObjectStore {
  readonly name: string;
  readonly #root: string;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #directories: DirectorySync;
  readonly #writer = new FileWriter();
  readonly #temporaryPrefix: string;
  #temporaryCount = 0;
  /** By the page before, and for as long as somebody holds it: a folder is read once for all pages, not once for each. */
  readonly #listings = new WeakMap<ListPage, Listing>();
  /** Removals of temporary files that nobody waits for; dispose does. */
  readonly #removals = new Set<Promise<void>>();

  /** Made by openFileStore, which sees to the folders. `root` is absolute. */
  constructor(root: string, options: FileStoreOptions) {
    this.name = `file ${root}`;
    this.#root = root;
    this.#clock = options.clock;
    this.#directories = new DirectorySync(root);
    this.#temporaryPrefix = `${root}/${temporaryFolder}/${options.random.hex(8)}-`;
  }

  async get(key: string, options: RequestOptions = {}): Promise<StoredObject> {
    return this.#reading(key, options, async (fd) => {
      const { size, mtimeMs } = fstatSync(fd);
      const buffer = Buffer.allocUnsafeSlow(size);
      const length = await readFully(fd, buffer, 0);
      return { body: buffer.subarray(0, length), lastModified: Math.floor(mtimeMs), date: this.#clock.now(), metadata: {} };
    });
  }

  async getRange(key: string, offset: number, length: number, options: RequestOptions = {}): Promise<Buffer> {
    assertRange(offset, length);
    return this.#reading(key, options, async (fd) => {
      const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, fstatSync(fd).size - offset)));
      return buffer.subarray(0, await readFully(fd, buffer, offset));
    });
  }

  async put(key: string, body: Uint8Array, options: RequestOptions = {}): Promise<PutReceipt> {
    await this.#write('replace', key, body, options);
    return { date: this.#clock.now() };
  }

  async putIfAbsent(key: string, body: Uint8Array, options: RequestOptions = {}): Promise<PutIfAbsentReceipt> {
    return { outcome: await this.#write('create', key, body, options), date: this.#clock.now() };
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectInfo | undefined> {
    const path = this.#begin(key, options);
    try {
      return await this.#info(key, path);
    } catch (error) {
      throw storageError(error, `look for ${key} in ${this.name}`);
    }
  }

  async listPage(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const limit = pageLimit(options);
    const date = this.#clock.now();
    const listing = this.#goOn(prefix, options);
    const objects: ObjectInfo[] = [];
    try {
      while (objects.length < limit && (await listing.hasMore())) {
        const keys = await listing.take(Math.min(limit - objects.length, statsInFlightMax), options.signal);
        objects.push(...(await this.#infos(keys)));
      }
      const next = (await listing.hasMore()) ? objects.at(-1)?.key : undefined;
      const page: ListPage = { objects, date, next };
      if (next !== undefined) this.#listings.set(page, listing);
      return page;
    } catch (error) {
      throw storageError(error, `list ${prefix} in ${this.name}`);
    }
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    const listing = this.#listing(prefix, options.startAfter);
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    try {
      while (await listing.hasMore()) {
        for (const object of await this.#infos(await listing.take(Math.min(left, statsInFlightMax), options.signal))) {
          yield object;
          if (--left === 0) return;
        }
      }
    } catch (error) {
      throw storageError(error, `list ${prefix} in ${this.name}`);
    }
  }

  async deleteMany(keys: readonly string[], options: RequestOptions = {}): Promise<void> {
    const paths = keys.map((key) => this.#begin(key, options));
    const directories = new Set<string>();
    try {
      for (let i = 0; i < paths.length; i += listPageMax) {
        await Promise.all(
          paths.slice(i, i + listPageMax).map(async (path) => {
            if (await removeIfThere(path)) directories.add(dirname(path));
          }),
        );
      }
      await Promise.all(Array.from(directories, (directory) => this.#directories.sync(directory)));
    } catch (error) {
      throw storageError(error, `delete from ${this.name}`);
    }
  }

  async copy(from: string, to: string, options: RequestOptions = {}): Promise<PutReceipt> {
    const source = this.#begin(from, options);
    const path = this.#begin(to, options);
    const temporary = this.#temporaryPath();
    try {
      await copyFile(source, temporary, constants.COPYFILE_FICLONE);
      await syncFile(temporary);
      await this.#inDirectoryOf(path, () => rename(temporary, path));
      await this.#directories.sync(dirname(path));
    } catch (error) {
      this.#removeLater(temporary);
      if (isAbsent(error) && (await this.head(from)) === undefined) throw this.#missing(from, error);
      throw storageError(error, `copy ${from} to ${to} in ${this.name}`);
    }
    return { date: this.#clock.now() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
    while (this.#removals.size > 0) await Promise.all(this.#removals);
  }

  /** What is left of the listing of the page before, which goes on once, or a new one. */
  #goOn(prefix: string, { startAfter, pageBefore }: ListOptions): Listing {
    const left = pageBefore === undefined || pageBefore.next !== startAfter ? undefined : this.#listings.get(pageBefore);
    if (pageBefore === undefined || left?.prefix !== prefix) return this.#listing(prefix, startAfter);
    this.#listings.delete(pageBefore);
    return left;
  }

  #listing(prefix: string, startAfter: string | undefined): Listing {
    assertPrefix(prefix);
    const isOurs = prefix.startsWith(`${temporaryFolder}/`);
    return new Listing(prefix, isOurs ? noKeys() : walkKeys(this.#root, { prefix, startAfter }, (name) => name === temporaryFolder));
  }

  #begin(key: string, options: RequestOptions): string {
    assertKey(key);
    options.signal?.throwIfAborted();
    if (key === temporaryFolder || key.startsWith(`${temporaryFolder}/`)) {
      throw new StorageError('refused', `The object name ${key} is the file store's own.`);
    }
    return `${this.#root}/${key}`;
  }

  async #reading<T>(key: string, options: RequestOptions, read: (fd: number) => Promise<T>): Promise<T> {
    const path = this.#begin(key, options);
    try {
      // In this turn: what is read is mostly known to the system, and three hops to a thread and back would take longer than the read.
      const fd = openSync(path, constants.O_RDONLY);
      try {
        return await read(fd);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (isAbsent(error)) throw this.#missing(key, error);
      throw storageError(error, `read ${key} in ${this.name}`);
    }
  }

  async #write(kind: 'create' | 'replace', key: string, body: Uint8Array, options: RequestOptions): Promise<'created' | 'exists'> {
    const path = this.#begin(key, options);
    const temporary = this.#temporaryPath();
    /** The file may have its name, unless the error says otherwise. */
    let isNaming = false;
    const naming = <T>(give: () => Promise<T>) =>
      this.#inDirectoryOf(path, () => {
        isNaming = true;
        return give();
      });
    try {
      if (body.length <= writerBytesMax) return await naming(() => this.#writer.write({ kind, path, temporary, body }));
      await writeLarge(temporary, body);
      const outcome = await naming(() => giveName(kind, temporary, path));
      await this.#directories.sync(dirname(path));
      return outcome;
    } catch (error) {
      this.#removeLater(temporary);
      const isUndone = !isNaming || (error as Partial<FileWriteFailure>).isUndone === true;
      throw storageError(error, `${kind === 'create' ? 'create' : 'write'} ${key} in ${this.name}`, isUndone);
    }
  }

  /** Runs `give`, which puts a name into the directory of `path`; the directory's own name is durable before. */
  async #inDirectoryOf<T>(path: string, give: () => Promise<T>): Promise<T> {
    const directory = dirname(path);
    await this.#directories.ensure(directory);
    try {
      return await give();
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      // Somebody removed the empty directory since; once more from the start.
      this.#directories.forget(directory);
      await this.#directories.ensure(directory);
      return await give();
    }
  }

  async #infos(keys: readonly string[]): Promise<ObjectInfo[]> {
    const infos = await Promise.all(keys.map((key) => this.#info(key, `${this.#root}/${key}`)));
    return infos.filter((info) => info !== undefined);
  }

  async #info(key: string, path: string): Promise<ObjectInfo | undefined> {
    try {
      const { size, mtimeMs, isFile } = await statFile(path);
      return isFile ? { key, size, lastModified: Math.floor(mtimeMs) } : undefined;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  #temporaryPath(): string {
    invariant(Number.isSafeInteger(this.#temporaryCount), 'temporary names have run out');
    return this.#temporaryPrefix + (this.#temporaryCount++).toString(36);
  }

  #removeLater(temporary: string): void {
    // What cannot be removed now is removed by an open an hour from now.
    const removal = removeIfThere(temporary)
      .catch(() => false)
      .then(() => {
        this.#removals.delete(removal);
      });
    this.#removals.add(removal);
  }

  #missing(key: string, cause: unknown): StorageError {
    return new StorageError('missing', `There is no object ${key} in ${this.name}.`, { cause });
  }
}

/** The names of a listing that are still to come. */
class Listing {
  readonly prefix: string;
  readonly #keys: AsyncGenerator<string>;
  #ahead: string | undefined;

  constructor(prefix: string, keys: AsyncGenerator<string>) {
    this.prefix = prefix;
    this.#keys = keys;
  }

  async hasMore(): Promise<boolean> {
    while (this.#ahead === undefined) {
      const { done, value } = await this.#keys.next();
      if (done) return false;
      // A file put there by hand may have a name that no object can have.
      if (keyFault(value) === undefined) this.#ahead = value;
    }
    return true;
  }

  async take(count: number, signal: AbortSignal | undefined): Promise<string[]> {
    const keys: string[] = [];
    while (keys.length < count && (await this.hasMore())) {
      signal?.throwIfAborted();
      keys.push(this.#ahead!);
      this.#ahead = undefined;
    }
    return keys;
  }
}

async function* noKeys(): AsyncGenerator<string> {}

async function createRoot(root: string): Promise<void> {
  const created = mkdirSync(root, { recursive: true });
  mkdirSync(`${root}/${temporaryFolder}`, { recursive: true });
  await syncDirectory(root);
  // From the first folder that was new down to the root, each one's name is in its parent.
  for (let at = root; created !== undefined && at.length >= created.length; at = dirname(at)) await syncDirectory(dirname(at));
}

async function removeOldTemporaryFiles(folder: string, nowMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = `${folder}/${name}`;
    try {
      if (nowMs - (await stat(path)).mtimeMs > temporaryFileAgeMaxMs) await unlink(path);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
}

async function statFile(path: string): Promise<{ size: number; mtimeMs: number; isFile: boolean }> {
  const found = await stat(path);
  return { size: found.size, mtimeMs: found.mtimeMs, isFile: found.isFile() };
}

async function syncFile(path: string): Promise<void> {
  const fd = await open(path, constants.O_RDWR);
  try {
    await fdatasync(fd);
  } finally {
    await close(fd);
  }
}

async function writeLarge(path: string, body: Uint8Array): Promise<void> {
  const fd = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o640);
  try {
    await writeFully(fd, body);
    await fdatasync(fd);
  } finally {
    await close(fd);
  }
}

async function giveName(kind: 'create' | 'replace', temporary: string, path: string): Promise<'created' | 'exists'> {
  if (kind === 'replace') {
    await rename(temporary, path);
    return 'created';
  }
  let outcome: 'created' | 'exists' = 'created';
  try {
    await link(temporary, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    // Its directory is synced all the same: what the caller builds on this answer must not outlive the object.
    outcome = 'exists';
  }
  await unlink(temporary);
  return outcome;
}

/** Whether there was one to remove. */
async function removeIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
