/**
 * The port through which everything durable goes: named, immutable-by-convention objects with create-if-absent.
 *
 * Drivers: memory.ts (tests and simulation), file.ts (the embedded default), s3.ts. Wrappers: retrying.ts, metered.ts.
 * Every driver keeps the one contract in tests/contract/object-store.test.ts. Failures are StorageErrors: `missing` (no such object),
 * `unavailable` (the outcome is unknown or the store is away: look, then try again), `refused` (we may not, or the name is not a name).
 * Times are milliseconds since the epoch by the store's own clock, never by ours.
 */
import { StorageError } from '../../protocol/mail/errors.ts';

export interface ObjectInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** When the store wrote the object, by its clock. S3 says whole seconds only. */
  readonly lastModified: number;
}

export interface StoredObject {
  readonly body: Buffer;
  readonly lastModified: number;
  /** The store's clock when it answered. */
  readonly date: number;
  /** User metadata, names in lower case without `x-amz-meta-`. Empty where the writer gave none; the file store has none. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface PutReceipt {
  /** The store's clock when it answered. */
  readonly date: number;
}

export interface PutIfAbsentReceipt extends PutReceipt {
  /** `created`: the object is ours and durable. `exists`: another object (or an earlier attempt of ours) has the name, and is durable. */
  readonly outcome: 'created' | 'exists';
}

export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  readonly date: number;
  /** Give it as `startAfter` for the next page. Undefined at the end. */
  readonly next: string | undefined;
}

export interface ListOptions extends RequestOptions {
  /** Only names after this one, in key order. It need not exist. */
  readonly startAfter?: string;
  /**
   * The page whose `next` is given as `startAfter`. A store may then go on with what it read for that page, instead of reading it anew: as with `list`,
   * objects written or removed since may or may not be seen.
   */
  readonly pageBefore?: ListPage;
  /** At most so many objects: of a page (1,000 at most, and by default), or of the whole of `list`. */
  readonly limit?: number;
}

export interface RequestOptions {
  /** Gives the request up. The promise rejects with the signal's reason; a write may still have happened. */
  readonly signal?: AbortSignal;
}

export interface ObjectStore extends AsyncDisposable {
  /** For messages to people: `file /srv/mail/bucket`, `s3 my-bucket`. */
  readonly name: string;

  /** The whole object. `missing` when absent. */
  get(key: string, options?: RequestOptions): Promise<StoredObject>;

  /** Bytes `offset` to `offset + length` of the object, fewer at its end, none past it. `missing` when absent. */
  getRange(key: string, offset: number, length: number, options?: RequestOptions): Promise<Buffer>;

  /** Writes or replaces. Durable when resolved. */
  put(key: string, body: Uint8Array, options?: RequestOptions): Promise<PutReceipt>;

  /**
   * Creates the object unless the name is taken. Exactly one attempt, never retried inside: throws `unavailable` when the outcome is not
   * known, and the caller looks before it tries again. A store whose clock and ours are too far apart throws ClockSkewError.
   */
  putIfAbsent(key: string, body: Uint8Array, options?: RequestOptions): Promise<PutIfAbsentReceipt>;

  /** Undefined when absent. */
  head(key: string, options?: RequestOptions): Promise<ObjectInfo | undefined>;

  /** One request's worth of names that begin with `prefix`, in order of their UTF-8 bytes. */
  listPage(prefix: string, options?: ListOptions): Promise<ListPage>;

  /** All names that begin with `prefix`, page by page. Objects written or removed meanwhile may or may not be seen. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;

  /** Removes what is there; absent names are fine. May be done in part when it throws. */
  deleteMany(keys: readonly string[], options?: RequestOptions): Promise<void>;

  /** Copies within the store, bytes and user metadata; the copy has its own lastModified. `missing` when `from` is absent. */
  copy(from: string, to: string, options?: RequestOptions): Promise<PutReceipt>;
}

/** The store could not be reached, or could not begin (its disk is full): whatever was asked for was not done. */
export class UnreachedError extends StorageError {
  constructor(message: string, options?: ErrorOptions) {
    super('unavailable', message, options);
    this.name = 'UnreachedError';
  }
}

/** Our clock and the store's are too far apart for it to take signed requests. Nothing was done; what we believe about time is wrong. */
export class ClockSkewError extends StorageError {
  readonly skewed = true;
  constructor(message: string, options?: ErrorOptions) {
    super('unavailable', message, options);
    this.name = 'ClockSkewError';
  }
}

export const listPageMax = 1000;
/** S3's limit on a name, bytes of UTF-8. */
export const keyBytesMax = 1024;

/** `list` by repeated `listPage`: what drivers without a better way use. */
export async function* listByPages(
  store: Pick<ObjectStore, 'listPage'>,
  prefix: string,
  options: ListOptions = {},
): AsyncGenerator<ObjectInfo> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let startAfter = options.startAfter;
  let pageBefore: ListPage | undefined;
  while (left > 0) {
    const page: ListPage = await store.listPage(prefix, { ...options, startAfter, pageBefore, limit: Math.min(left, listPageMax) });
    yield* page.objects;
    if (page.next === undefined) return;
    left -= page.objects.length;
    startAfter = page.next;
    pageBefore = page;
  }
}

/** Orders names by their UTF-8 bytes, as S3 lists them (JavaScript's own order differs above U+FFFF). */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for characters above U+FFFF, so they come after U+E000 to U+FFFF. */
function rank(codeUnit: number): number {
  if (codeUnit < 0xd800) return codeUnit;
  return codeUnit >= 0xe000 ? codeUnit - 0x800 : codeUnit + 0x2000;
}

/** Why `key` cannot name an object in every driver, or undefined when it can. */
export function keyFault(key: string): string | undefined {
  if (key === '') return 'is empty';
  if (Buffer.byteLength(key) > keyBytesMax) return `is longer than ${keyBytesMax} bytes`;
  if (!key.isWellFormed()) return 'is not well-formed Unicode';
  if (key.includes('\0')) return 'has a NUL';
  for (const segment of key.split('/')) {
    if (segment === '') return 'has an empty segment';
    if (segment === '.' || segment === '..') return `has the segment "${segment}"`;
  }
  return undefined;
}

export function assertKey(key: string): void {
  const fault = keyFault(key);
  if (fault !== undefined) throw new StorageError('refused', `The object name ${JSON.stringify(key)} ${fault}.`);
}

/** A prefix is the beginning of a name: its last segment may be empty or unfinished. */
export function assertPrefix(prefix: string): void {
  const fault = prefix === '' ? undefined : keyFault(`${prefix}x`);
  if (fault !== undefined) throw new StorageError('refused', `The object name prefix ${JSON.stringify(prefix)} ${fault}.`);
}

export function assertRange(offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0) return;
  throw new RangeError(`not a range of bytes: offset ${offset}, length ${length}`);
}

/** How many objects a page may have; the rest of `limit` is for the next one. */
export function pageLimit(options: ListOptions): number {
  return Math.max(1, Math.min(options.limit ?? listPageMax, listPageMax));
}
