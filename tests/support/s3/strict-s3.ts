/**
 * An S3 server for tests that is as strict as AWS: signatures, checksums and conditions are verified, errors are AWS's, and it can be told
 * to fail in every way that loses mail. An ObjectStore (in memory by default) holds the bytes. It listens on loopback only.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import type { Random } from '../../../storage/random.ts';
import { BucketOperations } from './bucket-operations.ts';
import { makeS3Event, type S3Event } from './events.ts';
import { operationOf, type S3Request, type S3Response } from './exchange.ts';
import { type S3Fault, S3Faults } from './faults.ts';
import { Multipart } from './multipart.ts';
import { ObjectOperations } from './object-operations.ts';
import { readBody, verifyPayload } from './payload.ts';
import { S3Error } from './s3-error.ts';
import { verifySignature } from './signature.ts';
import { formatXml } from './xml.ts';

export interface StrictS3Options {
  readonly port?: number;
  readonly bucket?: string;
  readonly region?: string;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Where the bytes are; default a MemoryStore on `clock`. The server does not dispose of it. */
  readonly store?: ObjectStore;
  /** Gives Date, Last-Modified and the skew check their time. Default: the system's. */
  readonly clock?: { now(): number };
  /** Drives the faults that have a rate. Default: Math.random. */
  readonly random?: Pick<Random, 'fraction'>;
  /** Who hears of created and removed objects: a function, or a URL that events are posted to as MinIO does. */
  readonly onEvent?: ((event: S3Event) => void) | string;
  /** Only objects whose names begin so have events. */
  readonly eventPrefix?: string;
}

export interface LoggedRequest {
  readonly operation: string;
  readonly key: string;
  readonly status: number;
  /** AWS's error code, or the kind of the fault that was committed. */
  readonly outcome: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The latest requests are kept, so that a long load test does not keep them all. */
const loggedRequestsMax = 20_000;

export async function startStrictS3(options: StrictS3Options = {}): Promise<StrictS3> {
  const strict = new StrictS3(options);
  await strict.listen(options.port ?? 0);
  return strict;
}

export class StrictS3 implements AsyncDisposable {
  readonly bucket: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly store: ObjectStore;
  readonly faults: S3Faults;
  /** Newest last. */
  readonly requests: LoggedRequest[] = [];
  /** Lifecycle and versioning, as they are to be answered. */
  readonly settings: BucketOperations;
  /** Posts of events that failed. */
  eventsLost = 0;
  endpoint = '';
  readonly #clock: { now(): number };
  readonly #objects: ObjectOperations;
  readonly #multipart: Multipart;
  readonly #server: Server;
  readonly #onEvent: StrictS3Options['onEvent'];
  readonly #eventPrefix: string;
  #sequence = 0;

  constructor(options: StrictS3Options) {
    this.bucket = options.bucket ?? 'satchel-test';
    this.region = options.region ?? 'us-east-1';
    this.credentials = options.credentials ?? { accessKeyId: 'satchel', secretAccessKey: 'satchel-secret' };
    this.#clock = options.clock ?? Date;
    this.store = options.store ?? new MemoryStore({ clock: this.#clock, name: 'memory behind S3' });
    this.faults = new S3Faults(options.random ?? { fraction: Math.random });
    this.#objects = new ObjectOperations(this.store, this.bucket);
    this.#multipart = new Multipart(this.#objects, this.bucket);
    this.settings = new BucketOperations(this.store, this.#objects, { bucket: this.bucket, region: this.region });
    this.#onEvent = options.onEvent;
    this.#eventPrefix = options.eventPrefix ?? '';
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
    this.endpoint = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = (this.#sequence++).toString(16).toUpperCase().padStart(16, '0');
    response.setHeader('x-amz-request-id', requestId);
    response.setHeader('server', 'StrictS3');
    let logged = { operation: 'Unknown', key: '', bytesIn: 0 };
    try {
      const sent = await readBody(message);
      const target = this.#target(message);
      const isConditional = message.headers['if-none-match'] !== undefined || message.headers['if-match'] !== undefined;
      logged = { operation: operationOf(target), key: target.key, bytesIn: sent.length };
      const fault = this.faults.take({ ...logged, isConditional });
      const request = this.#authenticate(message, target, sent);
      const answer = await this.#runWithFault(request, logged.operation, fault);
      if (answer?.change !== undefined) this.#announce(answer.change, requestId);
      const isDropped = answer === undefined || fault?.kind === 'dropReply';
      this.#log({ ...logged, status: isDropped ? 0 : answer.status, outcome: fault?.kind ?? 'ok', bytesOut: answer?.body?.length ?? 0 });
      if (isDropped) message.socket.destroy();
      else this.#respond(message, response, answer, fault);
    } catch (error) {
      const refusal = asS3Error(error);
      this.#log({ ...logged, status: refusal.status, outcome: refusal.code, bytesOut: 0 });
      if (message.socket.destroyed) return;
      const { code: Code, message: Message, details } = refusal;
      const body = formatXml('Error', { Code, Message, ...details, Resource: message.url, RequestId: requestId }, false);
      this.#respond(message, response, { status: refusal.status, headers: { 'content-type': 'application/xml' }, body }, undefined);
    }
  }

  #target(message: IncomingMessage): Pick<S3Request, 'method' | 'key' | 'query' | 'headers'> {
    const url = new URL(message.url ?? '/', 'http://localhost');
    // The URL class would resolve `..`, so the path is taken as it was sent.
    const path = (message.url ?? '/').split('?', 1)[0]!;
    const [, bucket = '', ...segments] = path.split('/');
    if (decodeURIComponent(bucket) !== this.bucket)
      throw new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist', { BucketName: bucket });
    const key = segments.map(decodeURIComponent).join('/');
    // A stream in aws-chunked framing says its length in a header of its own.
    const length = message.headers['content-length'] ?? message.headers['x-amz-decoded-content-length'];
    if (message.method === 'PUT' && length === undefined) {
      throw new S3Error(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
    }
    return { method: message.method ?? 'GET', key, query: url.searchParams, headers: message.headers };
  }

  #authenticate(message: IncomingMessage, target: Pick<S3Request, 'method' | 'key' | 'query' | 'headers'>, sent: Buffer): S3Request {
    const signing = { method: target.method, url: message.url ?? '/', headers: message.headers };
    const signer = verifySignature(signing, { ...this.credentials, region: this.region, nowMs: this.#clock.now() });
    return { ...target, body: verifyPayload(message.headers, sent, signer) };
  }

  /** Undefined: close the connection. */
  async #runWithFault(request: S3Request, operation: string, fault: S3Fault | undefined): Promise<S3Response | undefined> {
    if (fault?.kind === 'dropRequest') return undefined;
    if (fault?.kind === 'status') throw new S3Error(fault.status, fault.code, 'A fault that a test asked for.');
    if (fault?.kind === 'delay') await sleep(fault.ms);
    const answer = await this.#run(operation, request);
    if (fault?.kind === 'delayReply') await sleep(fault.ms);
    if (fault?.kind !== 'statusAfter') return answer;
    const body = formatXml('Error', { Code: fault.code, Message: 'A fault that a test asked for.' }, false);
    return { status: fault.status, headers: { 'content-type': 'application/xml' }, body, change: answer.change };
  }

  async #run(operation: string, request: S3Request): Promise<S3Response> {
    switch (operation) {
      case 'PutObject':
        return this.#objects.put(request);
      case 'GetObject':
        return this.#objects.get(request);
      case 'HeadObject':
        return this.#objects.head(request);
      case 'DeleteObject':
        return this.#objects.delete(request);
      case 'CopyObject':
        return this.#objects.copy(request);
      case 'CreateMultipartUpload':
        return this.#multipart.create(request);
      case 'UploadPart':
        return this.#multipart.uploadPart(request);
      case 'CompleteMultipartUpload':
        return this.#multipart.complete(request);
      case 'AbortMultipartUpload':
        return this.#multipart.abort(request);
      case 'ListObjectsV2':
        return this.settings.list(request);
      case 'DeleteObjects':
        return this.settings.deleteMany(request);
      case 'HeadBucket':
        return { status: 200, headers: { 'x-amz-bucket-region': this.region } };
      case 'CreateBucket':
        throw new S3Error(
          409,
          'BucketAlreadyOwnedByYou',
          'Your previous request to create the named bucket succeeded and you already own it.',
        );
      case 'GetBucketLocation':
        return this.settings.location();
      case 'GetBucketLifecycleConfiguration':
        return this.settings.lifecycle();
      case 'PutBucketLifecycleConfiguration':
        return this.settings.putLifecycle(request);
      case 'GetBucketVersioning':
        return this.settings.versioningStatus();
      default:
        throw new S3Error(501, 'NotImplemented', 'This server does not have that operation.');
    }
  }

  #respond(message: IncomingMessage, response: ServerResponse, answer: S3Response, fault: S3Fault | undefined): void {
    response.setHeader('date', new Date(this.#clock.now()).toUTCString());
    const body = Buffer.from(answer.body ?? '');
    const headers: Record<string, string> = { 'content-length': String(body.length), ...answer.headers };
    if (answer.status === 204 || answer.status === 304) delete headers['content-length'];
    response.writeHead(answer.status, headers);
    if (fault?.kind === 'truncate') {
      response.write(body.subarray(0, fault.bytes), () => message.socket.destroy());
      return;
    }
    response.end(message.method === 'HEAD' ? undefined : body);
  }

  #announce(change: NonNullable<S3Response['change']>, requestId: string): void {
    if (this.#onEvent === undefined || !change.key.startsWith(this.#eventPrefix)) return;
    const event = makeS3Event({
      ...change,
      bucket: this.bucket,
      region: this.region,
      atMs: this.#clock.now(),
      sequence: this.#sequence,
      requestId,
    });
    if (typeof this.#onEvent === 'function') {
      this.#onEvent(event);
      return;
    }
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(event) };
    fetch(this.#onEvent, init).then(
      (reply) => {
        if (!reply.ok) this.eventsLost++;
      },
      () => {
        this.eventsLost++;
      },
    );
  }

  #log(request: LoggedRequest): void {
    this.requests.push(request);
    if (this.requests.length > loggedRequestsMax) this.requests.splice(0, loggedRequestsMax / 2);
  }
}

function asS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  if (error instanceof URIError) return new S3Error(400, 'InvalidURI', "Couldn't parse the specified URI.");
  if (!(error instanceof StorageError)) return new S3Error(500, 'InternalError', String(error));
  if (error.code === 'refused') return new S3Error(400, 'InvalidArgument', error.message);
  return error.code === 'missing' ? new S3Error(404, 'NoSuchKey', error.message) : new S3Error(503, 'ServiceUnavailable', error.message);
}
