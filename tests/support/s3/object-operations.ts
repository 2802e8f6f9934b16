/**
 * The calls on one object: put, get, head, delete, copy, with AWS's conditions, ranges and answers.
 *
 * Bytes live in an ObjectStore; what the port has no place for (ETag, content type, user metadata) is remembered here beside it, and an
 * object that somebody put into the store directly is described from its bytes.
 */
import { hash } from 'node:crypto';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import type { S3Request, S3Response } from './exchange.ts';
import { xmlResponse } from './exchange.ts';
import { invalidRequest, noSuchKey, notImplemented, preconditionFailed, S3Error } from './s3-error.ts';
import { formatXml } from './xml.ts';

export interface Description {
  /** Without quotes. */
  readonly etag: string;
  readonly size: number;
  readonly lastModified: number;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface NewObject {
  readonly body: Buffer;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Default: MD5 of the body. */
  readonly etag?: string;
}

const metadataBytesMax = 2048;

export class ObjectOperations {
  readonly #store: ObjectStore;
  readonly #bucket: string;
  readonly #descriptions = new Map<string, Description>();
  readonly #writing = new Map<string, Promise<unknown>>();

  constructor(store: ObjectStore, bucket: string) {
    this.#store = store;
    this.#bucket = bucket;
  }

  async put(request: S3Request): Promise<S3Response> {
    const { key, headers, body } = request;
    const contentType = headers['content-type'] ?? 'application/octet-stream';
    const etag = await this.write(key, headers, { body, contentType, metadata: readMetadata(headers) });
    return { status: 200, headers: { etag: `"${etag}"` }, change: { name: 'ObjectCreated:Put', key, size: body.length, etag } };
  }

  /** Stores `object` under the conditions of `headers`; returns the new ETag. */
  async write(key: string, headers: S3Request['headers'], object: NewObject): Promise<string> {
    const ifNoneMatch = headers['if-none-match'];
    const ifMatch = headers['if-match'];
    if (ifNoneMatch !== undefined && ifNoneMatch !== '*') throw notImplemented('If-None-Match');
    if (ifMatch !== undefined && ifNoneMatch !== undefined) throw notImplemented('If-Match');
    return this.#alone(key, async () => {
      if (ifMatch !== undefined) {
        const there = await this.describe(key);
        if (there === undefined) throw noSuchKey(key);
        if (!matches(ifMatch, there.etag)) throw preconditionFailed('If-Match');
      }
      if (ifNoneMatch === '*') {
        const { outcome } = await this.#store.putIfAbsent(key, object.body);
        if (outcome === 'exists') throw preconditionFailed('If-None-Match');
      } else {
        await this.#store.put(key, object.body);
      }
      return this.#remember(key, object);
    });
  }

  async get(request: S3Request): Promise<S3Response> {
    const { key, headers } = request;
    const description = await this.describe(key);
    if (description === undefined) throw noSuchKey(key);
    const shared = describedHeaders(description);
    const refused = readConditions(headers, description.etag, shared);
    if (refused !== undefined) return refused;
    const range = parseRange(headers.range, description.size);
    if (range === undefined) {
      const { body } = await this.#store.get(key);
      return { status: 200, headers: shared, body };
    }
    const body = await this.#store.getRange(key, range.offset, range.length);
    const contentRange = `bytes ${range.offset}-${range.offset + body.length - 1}/${description.size}`;
    return { status: 206, headers: { ...shared, 'content-range': contentRange, 'content-length': String(body.length) }, body };
  }

  async head(request: S3Request): Promise<S3Response> {
    const description = await this.describe(request.key);
    if (description === undefined) throw noSuchKey(request.key);
    const shared = describedHeaders(description);
    return readConditions(request.headers, description.etag, shared) ?? { status: 200, headers: shared };
  }

  async delete({ key, headers }: S3Request): Promise<S3Response> {
    return this.#alone(key, async () => {
      const ifMatch = headers['if-match'];
      if (ifMatch !== undefined) {
        const there = await this.describe(key);
        if (there === undefined) throw noSuchKey(key);
        if (!matches(ifMatch, there.etag)) throw preconditionFailed('If-Match');
      }
      await this.remove([key]);
      return { status: 204, change: { name: 'ObjectRemoved:Delete', key } };
    });
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.#store.deleteMany(keys);
    for (const key of keys) this.#descriptions.delete(key);
  }

  async copy({ key, headers }: S3Request): Promise<S3Response> {
    const source = decodeURIComponent(String(headers['x-amz-copy-source'])).replace(/^\//, '');
    if (!source.startsWith(`${this.#bucket}/`)) throw new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist');
    const from = source.slice(this.#bucket.length + 1);
    const described = await this.describe(from);
    if (described === undefined) throw noSuchKey(from);
    const replaces = headers['x-amz-metadata-directive'] === 'REPLACE';
    if (from === key && !replaces) {
      throw invalidRequest('This copy request is illegal because it is trying to copy an object to itself without changing anything.');
    }
    const { body } = await this.#store.get(from);
    const contentType = replaces ? (headers['content-type'] ?? 'application/octet-stream') : described.contentType;
    const metadata = replaces ? readMetadata(headers) : described.metadata;
    const etag = await this.write(key, headers, { body, contentType, metadata });
    const written = await this.describe(key);
    const result = { LastModified: new Date(seconds(written?.lastModified ?? 0)).toISOString(), ETag: `"${etag}"` };
    const change = { name: 'ObjectCreated:Copy', key, size: body.length, etag };
    return { ...xmlResponse(formatXml('CopyObjectResult', result)), change };
  }

  /** Undefined when there is no such object. */
  async describe(key: string): Promise<Description | undefined> {
    const info = await this.#store.head(key);
    if (info === undefined) return undefined;
    const known = this.#descriptions.get(key);
    if (known !== undefined && known.size === info.size && known.lastModified === info.lastModified) return known;
    const { body, metadata, lastModified } = await this.#store.get(key);
    const etag = hash('md5', body);
    const description = { etag, size: body.length, lastModified, contentType: 'application/octet-stream', metadata };
    this.#descriptions.set(key, description);
    return description;
  }

  async #remember(key: string, { body, contentType, metadata, etag = hash('md5', body) }: NewObject): Promise<string> {
    const info = await this.#store.head(key);
    if (info !== undefined) {
      this.#descriptions.set(key, { etag, size: info.size, lastModified: info.lastModified, contentType, metadata });
    }
    return etag;
  }

  /** Writes to one name run one after another, so that If-Match and the write it guards are one step. */
  async #alone<T>(key: string, run: () => Promise<T>): Promise<T> {
    const before = this.#writing.get(key) ?? Promise.resolve();
    const mine = before.then(run, run);
    this.#writing.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#writing.get(key) === mine) this.#writing.delete(key);
    }
  }
}

/** S3 keeps whole seconds. */
export function seconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

export function readMetadata(headers: S3Request['headers']): Record<string, string> {
  const metadata: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('x-amz-meta-') || typeof value !== 'string') continue;
    metadata[name.slice('x-amz-meta-'.length)] = value;
    bytes += name.length - 'x-amz-meta-'.length + value.length;
  }
  if (bytes > metadataBytesMax)
    throw new S3Error(400, 'MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size');
  return metadata;
}

function describedHeaders(description: Description): Record<string, string> {
  const headers: Record<string, string> = {
    etag: `"${description.etag}"`,
    'content-type': description.contentType,
    'content-length': String(description.size),
    'last-modified': new Date(description.lastModified).toUTCString(),
    'accept-ranges': 'bytes',
  };
  for (const [name, value] of Object.entries(description.metadata)) headers[`x-amz-meta-${name}`] = value;
  return headers;
}

function readConditions(headers: S3Request['headers'], etag: string, shared: Readonly<Record<string, string>>): S3Response | undefined {
  if (headers['if-match'] !== undefined && !matches(headers['if-match'], etag)) throw preconditionFailed('If-Match');
  if (headers['if-none-match'] !== undefined && matches(headers['if-none-match'], etag)) {
    return { status: 304, headers: { etag: shared['etag']!, 'last-modified': shared['last-modified']! } };
  }
  return undefined;
}

function matches(condition: string, etag: string): boolean {
  return condition === '*' || condition.split(',').some((one) => one.trim().replace(/^"|"$/g, '') === etag);
}

/** RFC 9110 §14.1.2; undefined: the whole object, which is also the answer to several ranges or to nonsense. */
function parseRange(header: string | undefined, size: number): { offset: number; length: number } | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const offset = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (first !== '' && last !== '' && Number(last) < offset) return undefined;
  if (offset >= size || end <= offset) {
    throw new S3Error(416, 'InvalidRange', 'The requested range is not satisfiable', {
      RangeRequested: header ?? '',
      ActualObjectSize: String(size),
    });
  }
  return { offset, length: end - offset };
}
