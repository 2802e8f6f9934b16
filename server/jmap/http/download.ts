/** Downloads (RFC 8620 §6.2), with ranges (RFC 9110 §14) and headers that keep a browser from running what a stranger sent. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Account } from '../../../storage/account/api.ts';
import { readBlob } from '../blobs.ts';
import { problem } from './authentication.ts';

export async function sendBlob(account: Account, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { blobId, name } = request.params as { blobId: string; name: string };
  const { type } = request.query as { type?: unknown };
  const found = await readBlob(account, blobId);
  if (found === undefined) return problem(reply, 404, 'There is no such blob.');
  const { bytes } = found;
  const etag = `"${blobId}"`;
  reply
    .header('content-type', safeType(type) ?? safeType(found.type) ?? 'application/octet-stream')
    .header('content-disposition', `attachment; ${fileName(name)}`)
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "sandbox; default-src 'none'")
    .header('accept-ranges', 'bytes')
    .header('etag', etag)
    // What an id names never changes.
    .header('cache-control', 'private, immutable, max-age=31536000');
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  const { range } = request.headers;
  const asked = range === undefined ? undefined : parseRange(range, bytes.length);
  if (asked === undefined) return reply.send(bytes);
  if (asked === 'unsatisfiable') return reply.header('content-range', `bytes */${bytes.length}`).code(416).send();
  return reply
    .code(206)
    .header('content-range', `bytes ${asked.first}-${asked.last}/${bytes.length}`)
    .send(bytes.subarray(asked.first, asked.last + 1));
}

/** A media type that may stand in a header; undefined for anything else. */
function safeType(type: unknown): string | undefined {
  return typeof type === 'string' && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:; ?[\w-]+=(?:[\w.+-]+|"[\w .+-]*"))*$/.test(type) ? type : undefined;
}

/** RFC 6266 §4.1, Appendix D: as a string where that can say it, since not every reader knows the other form. */
function fileName(name: string): string {
  return /^[\w .,()@+=&!#$-]+$/.test(name) ? `filename="${name}"` : `filename*=UTF-8''${encodeFileName(name)}`;
}

const encodeFileName = (name: string) =>
  encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** One range; what is not understood, or are several, is answered whole (RFC 9110 §14.2). */
export function parseRange(header: string, length: number): { first: number; last: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '') {
    const count = Math.min(Number(to), length);
    return count === 0 ? 'unsatisfiable' : { first: length - count, last: length - 1 };
  }
  const first = Number(from);
  const last = to === '' ? length - 1 : Math.min(Number(to), length - 1);
  if (to !== '' && Number(to) < first) return undefined;
  return first >= length ? 'unsatisfiable' : { first, last };
}
