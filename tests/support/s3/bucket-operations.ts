/** The calls on the bucket: listing, deleting many, and the settings that can be read. */
import type { ObjectInfo, ObjectStore } from '../../../storage/objects/object-store.ts';
import { type S3Request, type S3Response, xmlResponse } from './exchange.ts';
import { type ObjectOperations, seconds } from './object-operations.ts';
import { invalidRequest, S3Error } from './s3-error.ts';
import { findAll, findText, formatXml } from './xml.ts';

export interface BucketOptions {
  readonly bucket: string;
  readonly region: string;
}

const keysMax = 1000;

export class BucketOperations {
  /** The `<Rule>` elements of the lifecycle configuration; '' means that there is none. */
  lifecycleRules = '';
  /** `''`, `Enabled` or `Suspended`: only what GetBucketVersioning says; no versions are kept. */
  versioning = '';
  readonly #store: ObjectStore;
  readonly #objects: ObjectOperations;
  readonly #options: BucketOptions;

  constructor(store: ObjectStore, objects: ObjectOperations, options: BucketOptions) {
    this.#store = store;
    this.#objects = objects;
    this.#options = options;
  }

  async list({ query }: S3Request): Promise<S3Response> {
    const maxKeys = Number(query.get('max-keys') ?? keysMax);
    if (!Number.isInteger(maxKeys) || maxKeys < 0) throw new S3Error(400, 'InvalidArgument', 'Argument max-keys must be an integer');
    const limit = Math.min(maxKeys, keysMax);
    const prefix = query.get('prefix') ?? '';
    const delimiter = query.get('delimiter') ?? '';
    const encoding = query.get('encoding-type') ?? undefined;
    if (encoding !== undefined && encoding !== 'url')
      throw new S3Error(400, 'InvalidArgument', 'Invalid Encoding Method specified in Request');
    const encode = (text: string) => (encoding === 'url' ? encodeKey(text) : text);
    const token = query.get('continuation-token');
    const startAfter = query.get('start-after') ?? undefined;
    const page = await this.#page(prefix, delimiter, token === null ? startAfter : readToken(token), limit);
    const contents = await Promise.all(
      page.objects.map(async ({ key, size, lastModified }) => ({
        Key: encode(key),
        LastModified: new Date(seconds(lastModified)).toISOString(),
        ETag: `"${(await this.#objects.describe(key))?.etag ?? ''}"`,
        Size: size,
        StorageClass: 'STANDARD',
      })),
    );
    return xmlResponse(
      formatXml('ListBucketResult', {
        Name: this.#options.bucket,
        Prefix: encode(prefix),
        Delimiter: delimiter === '' ? undefined : encode(delimiter),
        StartAfter: startAfter === undefined ? undefined : encode(startAfter),
        EncodingType: encoding,
        KeyCount: page.objects.length + page.commonPrefixes.length,
        MaxKeys: maxKeys,
        IsTruncated: page.last !== undefined,
        ContinuationToken: token ?? undefined,
        NextContinuationToken: page.last === undefined ? undefined : Buffer.from(page.last).toString('base64url'),
        Contents: contents,
        CommonPrefixes: page.commonPrefixes.map((one) => ({ Prefix: encode(one) })),
      }),
    );
  }

  /** `last`: where the next page goes on, when there is one. Names within a common prefix count once together. */
  async #page(prefix: string, delimiter: string, startAfter: string | undefined, limit: number) {
    const objects: ObjectInfo[] = [];
    const commonPrefixes: string[] = [];
    let last = startAfter;
    if (limit === 0) return { objects, commonPrefixes, last: undefined };
    for await (const object of this.#store.list(prefix, { startAfter })) {
      const cut = delimiter === '' ? -1 : object.key.indexOf(delimiter, prefix.length);
      const group = cut < 0 ? undefined : object.key.slice(0, cut + delimiter.length);
      if (group !== undefined && group === last) continue;
      if (objects.length + commonPrefixes.length === limit) return { objects, commonPrefixes, last };
      if (group === undefined) objects.push(object);
      else commonPrefixes.push(group);
      last = group ?? object.key;
    }
    return { objects, commonPrefixes, last: undefined };
  }

  async deleteMany({ headers, body }: S3Request): Promise<S3Response> {
    const isSummed = Object.keys(headers).some((name) => name === 'content-md5' || name.startsWith('x-amz-checksum-'));
    if (!isSummed) throw invalidRequest('Missing required header for this request: Content-MD5 OR x-amz-checksum-*');
    const xml = body.toString();
    const keys = findAll(xml, 'Object').map((object) => findText(object, 'Key') ?? '');
    if (keys.length === 0 || keys.length > keysMax) {
      throw new S3Error(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema');
    }
    await this.#objects.remove(keys);
    const isQuiet = findText(xml, 'Quiet') === 'true';
    return xmlResponse(formatXml('DeleteResult', { Deleted: isQuiet ? undefined : keys.map((key) => ({ Key: key })) }));
  }

  location(): S3Response {
    const region = this.#options.region === 'us-east-1' ? '' : this.#options.region;
    return xmlResponse(`<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint>${region}</LocationConstraint>`);
  }

  lifecycle(): S3Response {
    if (this.lifecycleRules === '') {
      throw new S3Error(404, 'NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist');
    }
    return xmlResponse(`<?xml version="1.0" encoding="UTF-8"?>\n<LifecycleConfiguration>${this.lifecycleRules}</LifecycleConfiguration>`);
  }

  putLifecycle({ body }: S3Request): S3Response {
    this.lifecycleRules = findAll(body.toString(), 'Rule')
      .map((rule) => `<Rule>${rule}</Rule>`)
      .join('');
    return { status: 200 };
  }

  versioningStatus(): S3Response {
    return xmlResponse(formatXml('VersioningConfiguration', { Status: this.versioning === '' ? undefined : this.versioning }));
  }
}

function readToken(token: string): string {
  const key = Buffer.from(token, 'base64url').toString();
  if (key === '') throw new S3Error(400, 'InvalidArgument', 'The continuation token provided is incorrect');
  return key;
}

/** As S3 encodes names in listings: a space is `+`, a slash stands as it is. */
function encodeKey(key: string): string {
  return encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/');
}
