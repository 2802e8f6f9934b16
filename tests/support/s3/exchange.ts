/** One request to the strict server and its answer, between the wire and the operations. */
import type { IncomingHttpHeaders } from 'node:http';

export interface S3Request {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface S3Response {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** What happened to an object, for events. */
  readonly change?: { readonly name: string; readonly key: string; readonly size?: number; readonly etag?: string };
}

export function xmlResponse(body: string, headers: Readonly<Record<string, string>> = {}): S3Response {
  return { status: 200, headers: { 'content-type': 'application/xml', ...headers }, body };
}

/** Which API call a request is, by AWS's names. */
export function operationOf({ method, key, query, headers }: Pick<S3Request, 'method' | 'key' | 'query' | 'headers'>): string {
  if (key === '') return bucketOperation(method, query);
  if (query.has('uploads') && method === 'POST') return 'CreateMultipartUpload';
  if (query.has('uploadId')) {
    const names: Readonly<Record<string, string>> = { PUT: 'UploadPart', POST: 'CompleteMultipartUpload', DELETE: 'AbortMultipartUpload' };
    return names[method] ?? 'Unknown';
  }
  // Sub-resources that we do not have (acl, tagging, …) must not pass for the object.
  if (['acl', 'tagging', 'retention', 'versionId', 'torrent'].some((name) => query.has(name))) return 'Unknown';
  if (method === 'PUT') return headers['x-amz-copy-source'] === undefined ? 'PutObject' : 'CopyObject';
  const names: Readonly<Record<string, string>> = { GET: 'GetObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' };
  return names[method] ?? 'Unknown';
}

function bucketOperation(method: string, query: URLSearchParams): string {
  if (method === 'POST' && query.has('delete')) return 'DeleteObjects';
  if (method === 'HEAD') return 'HeadBucket';
  if (method === 'PUT' && query.has('lifecycle')) return 'PutBucketLifecycleConfiguration';
  if (method === 'PUT' && Array.from(query.keys()).every((name) => name === 'x-id')) return 'CreateBucket';
  if (method !== 'GET') return 'Unknown';
  if (query.has('location')) return 'GetBucketLocation';
  if (query.has('lifecycle')) return 'GetBucketLifecycleConfiguration';
  if (query.has('versioning')) return 'GetBucketVersioning';
  return query.get('list-type') === '2' ? 'ListObjectsV2' : 'Unknown';
}
