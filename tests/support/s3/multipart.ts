/** Multipart uploads, the four calls of them that make an object. */
import { hash } from 'node:crypto';
import { type S3Request, type S3Response, xmlResponse } from './exchange.ts';
import { type ObjectOperations, readMetadata } from './object-operations.ts';
import { S3Error } from './s3-error.ts';
import { findAll, findText, formatXml } from './xml.ts';

interface Upload {
  readonly key: string;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly parts: Map<number, { readonly body: Buffer; readonly etag: string }>;
}

const partBytesMin = 5 * 1024 * 1024;

export class Multipart {
  readonly #objects: ObjectOperations;
  readonly #bucket: string;
  readonly #uploads = new Map<string, Upload>();
  #count = 0;

  constructor(objects: ObjectOperations, bucket: string) {
    this.#objects = objects;
    this.#bucket = bucket;
  }

  create({ key, headers }: S3Request): S3Response {
    const uploadId = hash('sha256', `${key} ${this.#count++}`).slice(0, 32);
    const contentType = headers['content-type'] ?? 'application/octet-stream';
    this.#uploads.set(uploadId, { key, contentType, metadata: readMetadata(headers), parts: new Map() });
    return xmlResponse(formatXml('InitiateMultipartUploadResult', { Bucket: this.#bucket, Key: key, UploadId: uploadId }));
  }

  uploadPart(request: S3Request): S3Response {
    const number = Number(request.query.get('partNumber'));
    if (!(Number.isInteger(number) && number >= 1 && number <= 10_000)) {
      throw new S3Error(400, 'InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive');
    }
    const etag = hash('md5', request.body);
    this.#upload(request).parts.set(number, { body: request.body, etag });
    return { status: 200, headers: { etag: `"${etag}"` } };
  }

  async complete(request: S3Request): Promise<S3Response> {
    const upload = this.#upload(request);
    const wanted = findAll(request.body.toString(), 'Part').map((part) => ({
      number: Number(findText(part, 'PartNumber')),
      etag: (findText(part, 'ETag') ?? '').replaceAll('"', ''),
    }));
    if (wanted.some(({ number }, i) => i > 0 && number <= wanted[i - 1]!.number)) {
      throw new S3Error(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
    }
    const parts = wanted.map(({ number, etag }) => {
      const part = upload.parts.get(number);
      if (part === undefined || part.etag !== etag)
        throw new S3Error(400, 'InvalidPart', 'One or more of the specified parts could not be found.');
      return part;
    });
    if (parts.length === 0) throw new S3Error(400, 'MalformedXML', 'The XML you provided was not well-formed');
    if (parts.slice(0, -1).some(({ body }) => body.length < partBytesMin)) {
      throw new S3Error(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
    }
    const body = Buffer.concat(parts.map((part) => part.body));
    const etag = `${hash('md5', Buffer.from(parts.map((part) => part.etag).join(''), 'hex'))}-${parts.length}`;
    await this.#objects.write(upload.key, request.headers, { body, contentType: upload.contentType, metadata: upload.metadata, etag });
    this.#uploads.delete(request.query.get('uploadId')!);
    const result = { Location: `/${this.#bucket}/${upload.key}`, Bucket: this.#bucket, Key: upload.key, ETag: `"${etag}"` };
    const change = { name: 'ObjectCreated:CompleteMultipartUpload', key: upload.key, size: body.length, etag };
    return { ...xmlResponse(formatXml('CompleteMultipartUploadResult', result)), change };
  }

  abort(request: S3Request): S3Response {
    this.#upload(request);
    this.#uploads.delete(request.query.get('uploadId')!);
    return { status: 204 };
  }

  #upload({ key, query }: S3Request): Upload {
    const upload = this.#uploads.get(query.get('uploadId') ?? '');
    if (upload?.key === key) return upload;
    throw new S3Error(404, 'NoSuchUpload', 'The specified upload does not exist.');
  }
}
