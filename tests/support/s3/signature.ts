/**
 * AWS Signature Version 4 by the Authorization header, checked as AWS does: right key, right region and service, date within 15 minutes,
 * `host` and every `x-amz-` header signed. Chunk signatures of `aws-chunked` bodies chain from the request's.
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { S3Error } from './s3-error.ts';

export interface SigningRequest {
  readonly method: string;
  /** As sent: path and query, still encoded. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface SignaturePolicy {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly nowMs: number;
}

/** What the signatures of a body's chunks are checked with. */
export interface ChunkSigner {
  readonly seed: string;
  signChunk(previous: string, sha256: string): string;
  signTrailer(previous: string, sha256: string): string;
}

const skewMaxMs = 15 * 60_000;
const emptySha256 = hash('sha256', '');
const authorizationPattern =
  /^AWS4-HMAC-SHA256 +Credential=([^/,]+)\/(\d{8})\/([^/,]+)\/([^/,]+)\/aws4_request, *SignedHeaders=([^, ]+), *Signature=([0-9a-f]{64})$/;

export function verifySignature(request: SigningRequest, policy: SignaturePolicy): ChunkSigner {
  const { headers } = request;
  if (headers.authorization === undefined) throw new S3Error(403, 'AccessDenied', 'Access Denied');
  const match = authorizationPattern.exec(headers.authorization);
  if (match === null) throw new S3Error(400, 'AuthorizationHeaderMalformed', 'The authorization header that you provided is not valid.');
  const [, accessKeyId, day, region, service, signedHeaders, signature] = match as unknown as string[];
  if (accessKeyId !== policy.accessKeyId) {
    throw new S3Error(403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.');
  }
  if (region !== policy.region || service !== 's3') {
    const message = `The authorization header is malformed; the region '${region}' is wrong; expecting '${policy.region}'`;
    throw new S3Error(400, 'AuthorizationHeaderMalformed', message, { Region: policy.region });
  }
  const amzDate = String(headers['x-amz-date'] ?? '');
  checkDate(amzDate, day!, policy.nowMs);
  const names = signedHeaders!.split(';');
  for (const name of Object.keys(headers)) {
    if ((name === 'host' || name.startsWith('x-amz-')) && !names.includes(name)) {
      throw new S3Error(403, 'AccessDenied', 'There were headers present in the request which were not signed', { HeadersNotSigned: name });
    }
  }
  const scope = `${day}/${region}/s3/aws4_request`;
  const key = signingKey(policy.secretAccessKey, day!, policy.region);
  const toSign = (algorithm: string, rest: string) => `${algorithm}\n${amzDate}\n${scope}\n${rest}`;
  const expected = hmacHex(key, toSign('AWS4-HMAC-SHA256', hash('sha256', canonicalRequest(request, names))));
  if (!timingSafeEqual(Buffer.from(expected), Buffer.from(signature!))) {
    const message = 'The request signature we calculated does not match the signature you provided. Check your key and signing method.';
    throw new S3Error(403, 'SignatureDoesNotMatch', message, { CanonicalRequest: canonicalRequest(request, names) });
  }
  return {
    seed: signature!,
    signChunk: (previous, sha256) => hmacHex(key, toSign('AWS4-HMAC-SHA256-PAYLOAD', `${previous}\n${emptySha256}\n${sha256}`)),
    signTrailer: (previous, sha256) => hmacHex(key, toSign('AWS4-HMAC-SHA256-TRAILER', `${previous}\n${sha256}`)),
  };
}

function checkDate(amzDate: string, day: string, nowMs: number): void {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(amzDate);
  if (parts === null || !amzDate.startsWith(day)) {
    throw new S3Error(403, 'AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  }
  const [, year, month, date, hour, minute, second] = parts;
  const sentMs = Date.parse(`${year}-${month}-${date}T${hour}:${minute}:${second}Z`);
  if (Math.abs(nowMs - sentMs) <= skewMaxMs) return;
  throw new S3Error(403, 'RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.', {
    RequestTime: amzDate,
    ServerTime: new Date(nowMs).toISOString(),
    MaxAllowedSkewMilliseconds: String(skewMaxMs),
  });
}

function canonicalRequest({ method, url, headers }: SigningRequest, names: readonly string[]): string {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? '' : url.slice(mark + 1);
  const canonicalPath = path
    .split('/')
    .map((segment) => encode(decodeURIComponent(segment)))
    .join('/');
  const pairs = query === '' ? [] : query.split('&').map(canonicalPair);
  const lines = names.map(
    (name) =>
      `${name}:${String(headers[name] ?? '')
        .trim()
        .replace(/ +/g, ' ')}\n`,
  );
  const payload = String(headers['x-amz-content-sha256'] ?? '');
  return `${method}\n${canonicalPath}\n${pairs.sort().join('&')}\n${lines.join('')}\n${names.join(';')}\n${payload}`;
}

function canonicalPair(pair: string): string {
  const equals = pair.indexOf('=');
  const name = equals < 0 ? pair : pair.slice(0, equals);
  const value = equals < 0 ? '' : pair.slice(equals + 1);
  return `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`;
}

/** RFC 3986's unreserved characters stand as they are, all else is encoded, in capitals. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

function signingKey(secret: string, day: string, region: string): Buffer {
  let key = hmac(`AWS4${secret}`, day);
  for (const part of [region, 's3', 'aws4_request']) key = hmac(key, part);
  return key;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function hmacHex(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex');
}
