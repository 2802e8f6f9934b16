/**
 * What blob reads go through before they reach the store: bytes by name, shared by all accounts of a node. The names are unique per upload
 * and their bytes never change, so nothing is ever invalidated. MemoryBlobCache is the one that exists; a cache on disk, for a node far from
 * its bucket, is another implementation of the same interface.
 */
import { blobCacheBytesMaxDefault, blobCacheEntryShareMax, blobCacheUnreadMax, blobCacheUnreadShareMax } from './limits.ts';

export interface BlobCache {
  /** The bytes kept under `name`, or those that `fetch` gives. Concurrent reads of one name share one fetch; a failed one is kept for nobody. */
  read(name: string, fetch: () => Promise<Buffer>): Promise<Buffer>;
  /** The bytes kept under `name`, without asking anyone. */
  peek(name: string): Buffer | undefined;
  /** Keeps bytes that were written just now: they are likely to be read soon. Nobody may change them afterwards. */
  keep(name: string, bytes: Buffer): void;
}

/**
 * Keeps what was used last, up to a number of bytes. What was written and not yet read has a share of it only, so that a spike of new mail does not drive
 * out what clients are reading.
 */
export class MemoryBlobCache implements BlobCache {
  readonly #bytesMax: number;
  readonly #entryBytesMax: number;
  /** What was read, in order of use, the oldest first. */
  readonly #entries = new Map<string, Buffer>();
  /** What was only written, the oldest first. */
  readonly #unread = new Map<string, Buffer>();
  readonly #fetches = new Map<string, Promise<Buffer>>();
  #bytes = 0;
  #unreadBytes = 0;

  constructor(options: { readonly bytesMax?: number } = {}) {
    this.#bytesMax = options.bytesMax ?? blobCacheBytesMaxDefault;
    this.#entryBytesMax = Math.floor(this.#bytesMax * blobCacheEntryShareMax);
  }

  /** Bytes kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  async read(name: string, fetch: () => Promise<Buffer>): Promise<Buffer> {
    const kept = this.peek(name);
    if (kept !== undefined) return kept;
    const underway = this.#fetches.get(name);
    if (underway !== undefined) return underway;
    const fetched = fetch().then(
      (bytes) => {
        this.#fetches.delete(name);
        this.#admit(name, bytes);
        return bytes;
      },
      (error: unknown) => {
        this.#fetches.delete(name);
        throw error;
      },
    );
    this.#fetches.set(name, fetched);
    return fetched;
  }

  peek(name: string): Buffer | undefined {
    const kept = this.#entries.get(name) ?? this.#unread.get(name);
    if (kept === undefined) return undefined;
    if (this.#unread.delete(name)) this.#unreadBytes -= kept.buffer.byteLength;
    else this.#entries.delete(name);
    this.#entries.set(name, kept);
    return kept;
  }

  keep(name: string, bytes: Buffer): void {
    const own = this.#own(name, bytes);
    if (own === undefined) return;
    this.#unread.set(name, own);
    this.#unreadBytes += own.buffer.byteLength;
    for (const oldest of this.#unread.keys()) {
      if (this.#unread.size <= blobCacheUnreadMax && this.#unreadBytes <= this.#bytesMax * blobCacheUnreadShareMax) break;
      this.#drop(oldest);
    }
    this.#makeRoom();
  }

  #admit(name: string, bytes: Buffer): void {
    const own = this.#own(name, bytes);
    if (own === undefined) return;
    this.#entries.set(name, own);
    this.#makeRoom();
  }

  /** The bytes as they are kept and counted; undefined when they are too many. */
  #own(name: string, bytes: Buffer): Buffer | undefined {
    if (bytes.length > this.#entryBytesMax) return undefined;
    this.#drop(name);
    // A short view would keep the whole allocation behind it alive, which is not what is counted.
    const own = bytes.buffer.byteLength > 2 * bytes.length ? Buffer.from(new Uint8Array(bytes).buffer) : bytes;
    this.#bytes += own.buffer.byteLength;
    return own;
  }

  #makeRoom(): void {
    for (const entries of [this.#entries, this.#unread]) {
      for (const oldest of entries.keys()) {
        if (this.#bytes <= this.#bytesMax) return;
        this.#drop(oldest);
      }
    }
  }

  #drop(name: string): void {
    const entry = this.#entries.get(name) ?? this.#unread.get(name);
    if (entry === undefined) return;
    if (this.#unread.delete(name)) this.#unreadBytes -= entry.buffer.byteLength;
    else this.#entries.delete(name);
    this.#bytes -= entry.buffer.byteLength;
  }
}
