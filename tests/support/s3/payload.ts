/**
 * The body of a request, as its headers promise it: length, SHA-256, MD5, checksums, `aws-chunked` framing with signatures and trailers.
 * What does not keep a promise is refused, as AWS does, so that a client with a wrong checksum cannot pass its tests here.
 */
import { createHash, hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import { invalidRequest, notImplemented, S3Error } from './s3-error.ts';
import type { ChunkSigner } from './signature.ts';

/** S3's limit on one PUT is 5 GB; tests have no business above this. */
const bodyBytesMax = 256 * 1024 * 1024;

/** The whole body, as sent. A connection that ends early rejects. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bodyBytesMax) throw new S3Error(400, 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed object size.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function verifyPayload(headers: IncomingMessage['headers'], sent: Buffer, signer: ChunkSigner): Buffer {
  const declared = String(headers['x-amz-content-sha256'] ?? '');
  const trailers = new Map<string, string>();
  let body = sent;
  if (declared.startsWith('STREAMING-')) {
    body = decodeChunked(sent, declared, signer, trailers);
    const length = Number(headers['x-amz-decoded-content-length']);
    if (length !== body.length)
      throw new S3Error(400, 'IncompleteBody', 'You did not provide the number of bytes specified by the header.');
    const promised = headers['x-amz-trailer'];
    if (promised !== undefined && !trailers.has(String(promised)))
      throw new S3Error(400, 'MalformedTrailerError', 'The trailer is missing.');
  } else if (declared === '') {
    throw invalidRequest('Missing required header for this request: x-amz-content-sha256');
  } else if (declared !== 'UNSIGNED-PAYLOAD' && declared !== hash('sha256', sent)) {
    throw new S3Error(400, 'XAmzContentSHA256Mismatch', "The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  verifyChecksums(headers, trailers, body);
  return body;
}

function verifyChecksums(headers: IncomingMessage['headers'], trailers: ReadonlyMap<string, string>, body: Buffer): void {
  const md5 = headers['content-md5'];
  if (md5 !== undefined && md5 !== createHash('md5').update(body).digest('base64')) {
    throw new S3Error(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
  }
  const given = [...Object.entries(headers), ...trailers];
  for (const [name, value] of given) {
    const algorithm = /^x-amz-checksum-(crc32|crc32c|sha1|sha256|crc64nvme)$/.exec(name)?.[1];
    if (algorithm === undefined) continue;
    if (checksum(algorithm, body) === value) continue;
    throw new S3Error(400, 'BadDigest', `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`);
  }
}

/** In base64, as the `x-amz-checksum-` headers have it. */
function checksum(algorithm: string, body: Buffer): string {
  switch (algorithm) {
    case 'crc32':
      return uint32(crc32(body));
    case 'crc32c':
      return uint32(crc32c(body));
    case 'sha1':
    case 'sha256':
      return createHash(algorithm).update(body).digest('base64');
    default:
      throw notImplemented(`x-amz-checksum-${algorithm}`);
  }
}

function uint32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes.toString('base64');
}

const crc32cTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

function crc32c(body: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of body) crc = crc32cTable[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * chunk = hex-size [";chunk-signature=" hex] CRLF data CRLF, the last one of size 0; then trailers `name:value` CRLF, and a CRLF.
 * With signatures, each chunk's is made from the one before, the trailers' from the last.
 */
function decodeChunked(sent: Buffer, declared: string, signer: ChunkSigner, trailers: Map<string, string>): Buffer {
  const isSigned = declared.startsWith('STREAMING-AWS4-HMAC-SHA256-PAYLOAD');
  if (!isSigned && declared !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') throw notImplemented('x-amz-content-sha256');
  const chunks: Buffer[] = [];
  let signature = signer.seed;
  let at = 0;
  const line = () => {
    const end = sent.indexOf('\r\n', at);
    if (end < 0) throw new S3Error(400, 'IncompleteBody', 'The chunked body ends early.');
    const text = sent.toString('latin1', at, end);
    at = end + 2;
    return text;
  };
  for (;;) {
    const [, size = '', given] = /^([0-9a-f]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(line()) ?? [];
    const length = Number.parseInt(size, 16);
    if (Number.isNaN(length) || at + length > sent.length) throw invalidRequest('The chunked body is malformed.');
    const data = sent.subarray(at, at + length);
    if (isSigned) {
      signature = signer.signChunk(signature, hash('sha256', data));
      if (signature !== given) throw new S3Error(403, 'SignatureDoesNotMatch', 'The signature of a chunk does not match.');
    }
    at += length;
    if (length === 0) break;
    chunks.push(data);
    if (line() !== '') throw invalidRequest('A chunk is longer than it says.');
  }
  readTrailers(line, trailers, isSigned && declared.endsWith('-TRAILER') ? { signer, previous: signature } : undefined);
  return Buffer.concat(chunks);
}

function readTrailers(
  line: () => string,
  trailers: Map<string, string>,
  signed: { signer: ChunkSigner; previous: string } | undefined,
): void {
  let canonical = '';
  let given: string | undefined;
  for (let text = line(); text !== ''; text = line()) {
    const colon = text.indexOf(':');
    const name = text.slice(0, colon).trim().toLowerCase();
    const value = text.slice(colon + 1).trim();
    if (name === 'x-amz-trailer-signature') {
      given = value;
      continue;
    }
    canonical += `${name}:${value}\n`;
    trailers.set(name, value);
  }
  if (signed === undefined) return;
  if (given !== signed.signer.signTrailer(signed.previous, hash('sha256', canonical))) {
    throw new S3Error(403, 'SignatureDoesNotMatch', 'The signature of the trailers does not match.');
  }
}
