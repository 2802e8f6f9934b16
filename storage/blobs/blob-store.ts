/**
 * An account's raw bytes: messages and uploads, each an object `raw/<sha256>-<random>` of its own, or small ones in the log object that adds
 * them (carried.ts). Objects are written before the commit that names them, so that a crash leaves an orphan and never a dangling reference; that a
 * name exists already is no reason to use it. Whole blobs are checked against their SHA-256 whenever they come from the store.
 */
import { hash } from 'node:crypto';
import { invariant, StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../clock.ts';
import type { BlobRef } from '../log/record.ts';
import { accountPrefix, parseKey, rawKey } from '../objects/object-keys.ts';
import type { ObjectStore, PutReceipt } from '../objects/object-store.ts';
import type { Random } from '../random.ts';
import type { BlobCache } from './blob-cache.ts';
import { blobPieceBytes } from './limits.ts';

export interface BlobStoreOptions {
  /** Retries what may be retried: names are unique per upload, so a repeated put is harmless. */
  readonly store: ObjectStore;
  readonly accountId: string;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly random: Pick<Random, 'hex'>;
  /** Shared between the accounts of the node. */
  readonly cache: BlobCache;
}

export interface StoredBlob {
  readonly ref: BlobRef;
  /**
   * The store's clock when it had the bytes at the earliest: a commit names only blobs that live or were uploaded within the day. An upload that
   * was repeated counts from its first attempt, which may have left the object that a scrubber has taken for garbage since.
   */
  readonly date: number;
}

export class BlobStore {
  readonly #store: ObjectStore;
  readonly #accountId: string;
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly #random: Pick<Random, 'hex'>;
  readonly #cache: BlobCache;

  constructor(options: BlobStoreOptions) {
    this.#store = options.store;
    this.#accountId = options.accountId;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#cache = options.cache;
  }

  /** Stores bytes under a name of their own. They may be kept for reading: the caller does not change them afterwards. One PUT. */
  async put(bytes: Uint8Array): Promise<StoredBlob> {
    const sha256 = hash('sha256', bytes, 'hex');
    const key = this.#newKey(sha256);
    const date = await this.#dateOf(() => this.#store.put(key, bytes));
    const ref = this.#ref(key, sha256, bytes.length);
    this.#cache.keep(cacheName(key, ref), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return { ref, date };
  }

  /** Bytes that were stored under `ref` a moment ago: they are likely to be read soon. Nobody may change them afterwards. */
  keep(ref: BlobRef, bytes: Buffer): void {
    this.#cache.keep(cacheName(this.keyOf(ref), ref), bytes);
  }

  /**
   * Takes over an object of the store (`key`: inbound mail, another account's blob) that holds exactly these bytes, by a copy that does not
   * leave the store. Throws StorageError 'conflict' when the copy has another length: the object was replaced after it was hashed; read it
   * again. One COPY and one HEAD.
   */
  async copyFrom(key: string, sha256: string, length: number): Promise<StoredBlob> {
    const to = this.#newKey(sha256);
    const date = await this.#dateOf(() => this.#store.copy(key, to));
    const copied = await this.#store.head(to);
    if (copied === undefined) throw new StorageError('unavailable', `${to}: is not there after it was copied from ${key}`);
    if (copied.size !== length)
      throw new StorageError('conflict', `${key}: has ${copied.size} bytes, and had ${length} when it was read: it was replaced meanwhile`);
    return { ref: this.#ref(to, sha256, length), date };
  }

  /** The blob's bytes; not to be changed. Throws StorageError 'corrupt' when they are not those that were stored, 'missing' when they are gone. */
  get(ref: BlobRef): Promise<Buffer> {
    const key = this.keyOf(ref);
    return this.#cache.read(cacheName(key, ref), async () => {
      const bytes = await this.#fetch(key, ref);
      if (bytes.length !== ref.length)
        throw new StorageError('corrupt', `${key}: has ${bytes.length} bytes where ${ref.length} were stored`);
      if (hash('sha256', bytes, 'hex') !== ref.sha256) throw new StorageError('corrupt', `${key}: does not match its SHA-256`);
      return bytes;
    });
  }

  /**
   * Bytes `offset` to `offset + length` of the blob, fewer at its end, none past it; not to be changed. Small blobs are read whole and checked;
   * of larger ones the pieces around the range are read, unless the whole is at hand, and only their lengths can be checked.
   */
  async getRange(ref: BlobRef, offset: number, length: number): Promise<Buffer> {
    invariant(offset >= 0 && length >= 0, `not a range of bytes: offset ${offset}, length ${length}`);
    const end = Math.min(offset + length, ref.length);
    if (end <= offset) return Buffer.alloc(0);
    const key = this.keyOf(ref);
    const whole = ref.length <= blobPieceBytes ? await this.get(ref) : this.#cache.peek(cacheName(key, ref));
    if (whole !== undefined) return whole.subarray(offset, end);
    const pieces: Buffer[] = [];
    for (let at = offset - (offset % blobPieceBytes); at < end; at += blobPieceBytes) {
      const piece = await this.#piece(key, ref, at);
      pieces.push(piece.subarray(Math.max(0, offset - at), Math.min(end - at, piece.length)));
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  /** The object's full name in the store. Throws StorageError 'corrupt' for a reference that is not one of this account's. */
  keyOf(ref: BlobRef): string {
    const key = `${accountPrefix(this.#accountId)}${ref.object}`;
    const parsed = parseKey(key);
    if (parsed?.kind !== 'raw' && parsed?.kind !== 'log')
      throw new StorageError('corrupt', `${JSON.stringify(ref.object)} is not the name of a blob`);
    return key;
  }

  #piece(key: string, ref: BlobRef, at: number): Promise<Buffer> {
    const expected = Math.min(blobPieceBytes, ref.length - at);
    return this.#cache.read(`${cacheName(key, ref)}@${at}`, async () => {
      const piece = await this.#store.getRange(key, ref.offset + at, expected);
      if (piece.length !== expected) throw new StorageError('corrupt', `${key}: ends before the ${ref.length} bytes that were stored`);
      return piece;
    });
  }

  async #fetch(key: string, ref: BlobRef): Promise<Buffer> {
    if (isWholeObject(ref)) return (await this.#store.get(key)).body;
    return this.#store.getRange(key, ref.offset, ref.length);
  }

  /** The store's clock when `write` was begun, by its answer and what has passed since by the clock that says most. */
  async #dateOf(write: () => Promise<PutReceipt>): Promise<number> {
    const wall = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const { date } = await write();
    return date - Math.max(0, this.#clock.now() - wall, this.#clock.monotonic() - monotonic);
  }

  #newKey(sha256: string): string {
    return rawKey(this.#accountId, sha256, this.#random.hex(8));
  }

  #ref(key: string, sha256: string, length: number): BlobRef {
    return { object: key.slice(accountPrefix(this.#accountId).length), offset: 0, length, sha256 };
  }
}

/** Whether the blob is all of its object: the object is then named after the blob's hash. */
export function isWholeObject(ref: BlobRef): boolean {
  return ref.offset === 0 && ref.object.startsWith(`raw/${ref.sha256}-`);
}

function cacheName(key: string, ref: BlobRef): string {
  return `${key}#${ref.offset}+${ref.length}`;
}
