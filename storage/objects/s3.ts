/**
 * Objects in an S3 bucket. The only file that knows the AWS SDK.
 *
 * Two clients: `cas` makes one attempt, since an SDK that retries a conditional put that had succeeded reports a lost race; `bulk` retries.
 * Bodies are buffers of known length, so nothing is sent in chunks. Each answer carries the store's Date, taken from the response.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import {
  CopyObjectCommand,
  DeleteObjectsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../clock.ts';
import type { BucketSettings } from './lifecycle.ts';
import {
  assertKey,
  assertPrefix,
  assertRange,
  keyFault,
  type ListOptions,
  type ListPage,
  listByPages,
  listPageMax,
  type ObjectInfo,
  type ObjectStore,
  type PutIfAbsentReceipt,
  type PutReceipt,
  pageLimit,
  type RequestOptions,
  type StoredObject,
} from './object-store.ts';
import { headerDate, s3Answer, s3ErrorDate, s3StorageError } from './s3-errors.ts';

export interface S3StoreOptions {
  readonly bucket: string;
  /** Before every name; '' or ends with `/`. */
  readonly prefix?: string;
  readonly region?: string;
  /** Anything but AWS: MinIO, Ceph RGW, a test's server. */
  readonly endpoint?: string;
  readonly forcePathStyle?: boolean;
  /** Default: the AWS SDK's chain (environment, profile, instance or task role). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  /** Stands in for the store's Date where a store sends none. */
  readonly clock: Pick<Clock, 'now'>;
  /** How long a conditional put may take to be answered, besides its transfer. Default 5,000. */
  readonly casTimeoutMs?: number;
  /** The same for every other attempt. Default 15,000. */
  readonly bulkTimeoutMs?: number;
}

const casTimeoutMsDefault = 5_000;
const bulkTimeoutMsDefault = 15_000;
const connectTimeoutMs = 2_000;
/** A kept-alive connection is closed before the other side does it under a request of ours. */
const idleConnectionMs = 15_000;
/** Twice what an account opening at full width asks for, by a few accounts at once. */
const connectionsMax = 256;
/** The slowest upload we wait for: 128 KB/s. */
const uploadBytesPerMs = 128;

export class S3Store implements ObjectStore {
  readonly name: string;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #cas: S3Client;
  readonly #bulk: S3Client;
  readonly #casTimeoutMs: number;
  readonly #bulkTimeoutMs: number;

  constructor(options: S3StoreOptions) {
    const { bucket, prefix = '' } = options;
    assertPrefix(prefix);
    if (prefix !== '' && !prefix.endsWith('/'))
      throw new StorageError('refused', `The store's prefix ${JSON.stringify(prefix)} must end in "/".`);
    this.name = `s3 ${bucket}${prefix && ` ${prefix}`}`;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#clock = options.clock;
    this.#casTimeoutMs = options.casTimeoutMs ?? casTimeoutMsDefault;
    this.#bulkTimeoutMs = options.bulkTimeoutMs ?? bulkTimeoutMsDefault;
    this.#cas = makeClient(options, this.#casTimeoutMs, { maxAttempts: 1 });
    this.#bulk = makeClient(options, this.#bulkTimeoutMs, { maxAttempts: 4, retryMode: 'standard' });
  }

  async get(key: string, options: RequestOptions = {}): Promise<StoredObject> {
    assertKey(key);
    return this.#reading(key, options, async () => {
      const output = await this.#bulk.send(new GetObjectCommand(this.#at(key)), { abortSignal: options.signal });
      const body = await readBody(output, output.ContentLength);
      return { body, lastModified: timeOf(output.LastModified), date: this.#date(output), metadata: output.Metadata ?? {} };
    });
  }

  /** The bytes of one version of an object in a bucket that keeps versions; undefined when there are more than `bytesMax`. */
  async getVersion(key: string, versionId: string, bytesMax: number, options: RequestOptions = {}): Promise<Buffer | undefined> {
    assertKey(key);
    return this.#reading(key, options, async () => {
      const stop = new AbortController();
      const abortSignal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
      const output = await this.#bulk.send(new GetObjectCommand({ ...this.#at(key), VersionId: versionId }), { abortSignal });
      if ((output.ContentLength ?? 0) <= bytesMax) return readBody(output, output.ContentLength);
      stop.abort();
      return undefined;
    });
  }

  async getRange(key: string, offset: number, length: number, options: RequestOptions = {}): Promise<Buffer> {
    assertKey(key);
    assertRange(offset, length);
    if (length === 0) return Buffer.alloc(0);
    return this.#reading(key, options, async () => {
      try {
        const range = `bytes=${offset}-${offset + length - 1}`;
        const output = await this.#bulk.send(new GetObjectCommand({ ...this.#at(key), Range: range }), { abortSignal: options.signal });
        if (output.ContentRange === undefined) throw new StorageError('refused', `${this.name} ignores ranged reads.`);
        return await readBody(output, output.ContentLength);
      } catch (error) {
        if (s3Answer(error) === 'rangeNotSatisfiable') return Buffer.alloc(0);
        throw error;
      }
    });
  }

  async put(key: string, body: Uint8Array, options: RequestOptions = {}): Promise<PutReceipt> {
    assertKey(key);
    return this.#attempt(`write ${key}`, options, async () => {
      const command = new PutObjectCommand({ ...this.#at(key), Body: body, ContentLength: body.length });
      const output = await this.#bulk.send(command, { abortSignal: options.signal, requestTimeout: this.#bulkTimeoutMs + uploadMs(body) });
      return { date: this.#date(output) };
    });
  }

  async putIfAbsent(key: string, body: Uint8Array, options: RequestOptions = {}): Promise<PutIfAbsentReceipt> {
    assertKey(key);
    return this.#attempt(`create ${key}`, options, async () => {
      const command = new PutObjectCommand({ ...this.#at(key), Body: body, ContentLength: body.length, IfNoneMatch: '*' });
      try {
        const output = await this.#cas.send(command, { abortSignal: options.signal, requestTimeout: this.#casTimeoutMs + uploadMs(body) });
        return { outcome: 'created', date: this.#date(output) };
      } catch (error) {
        if (s3Answer(error) !== 'precondition') throw error;
        return { outcome: 'exists', date: s3ErrorDate(error) ?? this.#clock.now() };
      }
    });
  }

  async head(key: string, options: RequestOptions = {}): Promise<ObjectInfo | undefined> {
    assertKey(key);
    return this.#attempt(`look for ${key}`, options, async () => {
      try {
        const output = await this.#bulk.send(new HeadObjectCommand(this.#at(key)), { abortSignal: options.signal });
        return { key, size: output.ContentLength ?? 0, lastModified: timeOf(output.LastModified) };
      } catch (error) {
        if (s3Answer(error) === 'missing') return undefined;
        throw error;
      }
    });
  }

  /** Names that no driver takes (a console's `folder/` markers) are left out. */
  async listPage(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    assertPrefix(prefix);
    return this.#attempt(`list ${prefix}`, options, async () => {
      const command = new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: this.#prefix + prefix,
        StartAfter: options.startAfter === undefined ? undefined : this.#prefix + options.startAfter,
        MaxKeys: pageLimit(options),
        EncodingType: 'url',
      });
      const output = await this.#bulk.send(command, { abortSignal: options.signal });
      const found = (output.Contents ?? []).map(({ Key = '', Size = 0, LastModified }) => {
        const name = output.EncodingType === 'url' ? decodeURIComponent(Key.replaceAll('+', ' ')) : Key;
        return { key: name.slice(this.#prefix.length), size: Size, lastModified: timeOf(LastModified) };
      });
      const objects = found.filter(({ key }) => keyFault(key) === undefined);
      return { objects, date: this.#date(output), next: output.IsTruncated ? found.at(-1)?.key : undefined };
    });
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    return listByPages(this, prefix, options);
  }

  async deleteMany(keys: readonly string[], options: RequestOptions = {}): Promise<void> {
    for (const key of keys) assertKey(key);
    for (let i = 0; i < keys.length; i += listPageMax) {
      const some = keys.slice(i, i + listPageMax);
      await this.#attempt(`delete ${some.length} objects`, options, async () => {
        const objects = some.map((key) => ({ Key: this.#prefix + key }));
        const command = new DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects: objects, Quiet: true } });
        const { Errors: errors = [] } = await this.#bulk.send(command, { abortSignal: options.signal });
        const first = errors[0];
        if (first === undefined) return;
        const code = first.Code === 'AccessDenied' ? 'refused' : 'unavailable';
        throw new StorageError(
          code,
          `Could not delete ${errors.length} objects, the first ${first.Key}: ${first.Message} (${first.Code}).`,
        );
      });
    }
  }

  async copy(from: string, to: string, options: RequestOptions = {}): Promise<PutReceipt> {
    assertKey(from);
    assertKey(to);
    return this.#reading(from, options, async () => {
      const source = `${this.#bucket}/${this.#prefix}${from}`.split('/').map(encodeURIComponent).join('/');
      const output = await this.#bulk.send(new CopyObjectCommand({ ...this.#at(to), CopySource: source }), { abortSignal: options.signal });
      return { date: this.#date(output) };
    });
  }

  /** What the bucket itself does to objects, as far as these credentials may read it. */
  async bucketSettings(options: RequestOptions = {}): Promise<BucketSettings> {
    const bucket = { Bucket: this.#bucket };
    const send = { abortSignal: options.signal };
    const [lifecycle, versioning] = await Promise.all([
      readSetting(`read the lifecycle rules of ${this.name}`, 'NoSuchLifecycleConfiguration', async () => {
        return (await this.#bulk.send(new GetBucketLifecycleConfigurationCommand(bucket), send)).Rules ?? [];
      }),
      readSetting(`read the versioning of ${this.name}`, '', async () => {
        return [(await this.#bulk.send(new GetBucketVersioningCommand(bucket), send)).Status ?? 'Off'];
      }),
    ]);
    return { prefix: this.#prefix, lifecycle, versioning: versioning?.[0] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cas.destroy();
    this.#bulk.destroy();
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  #date(output: object): number {
    return (output as DatedOutput)[storeDate] ?? this.#clock.now();
  }

  /** As `#attempt`, of a request that needs the object `key`. */
  async #reading<T>(key: string, options: RequestOptions, read: () => Promise<T>): Promise<T> {
    return this.#attempt(`read ${key}`, options, async () => {
      try {
        return await read();
      } catch (error) {
        if (s3Answer(error) !== 'missing') throw error;
        throw new StorageError('missing', `There is no object ${key} in ${this.name}.`, { cause: error });
      }
    });
  }

  async #attempt<T>(doing: string, { signal }: RequestOptions, run: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await run();
    } catch (error) {
      signal?.throwIfAborted();
      throw s3StorageError(error, `${doing} in ${this.name}`);
    }
  }
}

/** Where the middleware leaves the response's Date on the SDK's output. */
const storeDate = Symbol('the Date of the response');
interface DatedOutput {
  [storeDate]?: number;
}

function makeClient(options: S3StoreOptions, timeoutMs: number, retry: Pick<S3ClientConfig, 'maxAttempts' | 'retryMode'>): S3Client {
  const agent = { keepAlive: true, maxSockets: connectionsMax, scheduling: 'lifo', timeout: idleConnectionMs } as const;
  // Stores that are not AWS: some refuse or even store the trailers that checksums bring. Readers check our own hashes anyway.
  const checksums = options.endpoint === undefined ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED';
  const client = new S3Client({
    ...retry,
    region: options.region ?? (options.endpoint === undefined ? undefined : 'us-east-1'),
    endpoint: options.endpoint,
    forcePathStyle: options.forcePathStyle ?? options.endpoint !== undefined,
    credentials: options.credentials,
    cacheMiddleware: true,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    requestHandler: {
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
      connectionTimeout: connectTimeoutMs,
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: timeoutMs,
    },
  });
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers?: Record<string, string> };
      (result.output as DatedOutput)[storeDate] = headerDate(headers);
      return result;
    },
    { step: 'deserialize', priority: 'high', name: 'storeDate' },
  );
  return client;
}

interface Streamed {
  readonly Body?: { transformToByteArray(): Promise<Uint8Array> };
}

async function readBody(output: Streamed, length: number | undefined): Promise<Buffer> {
  const bytes = (await output.Body?.transformToByteArray()) ?? new Uint8Array(0);
  if (length !== undefined && bytes.length !== length) {
    throw new StorageError('unavailable', `The store sent ${bytes.length} of ${length} bytes.`);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Undefined where we may not ask, or the store has no such thing. */
async function readSetting<T>(doing: string, noneCode: string, read: () => Promise<T[]>): Promise<T[] | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Error && error.name === noneCode) return [];
    const failure = s3StorageError(error, doing);
    const isUnsupported = /^(NotImplemented|MethodNotAllowed)$/.test(error instanceof Error ? error.name : '');
    if (failure.code === 'refused' || isUnsupported) return undefined;
    throw failure;
  }
}

function timeOf(date: Date | undefined): number {
  return date?.getTime() ?? 0;
}

function uploadMs(body: Uint8Array): number {
  return Math.ceil(body.length / uploadBytesPerMs);
}
