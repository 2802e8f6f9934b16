/** Content-Transfer-Encodings (RFC 2045 §6), read as leniently as mail needs: stray bytes are skipped or kept, nothing fails. All linear. */
import { asBuffer } from './bytes.ts';

export type TransferEncoding = 'identity' | 'base64' | 'quoted-printable' | 'uuencode';

/** What a Content-Transfer-Encoding token means. RFC 8621 §4.1.4: an unknown one is treated as none. */
export function transferEncoding(token: string | undefined): TransferEncoding {
  switch (token) {
    case undefined:
      return 'identity';
    case 'base64':
    case 'base-64':
    case 'b':
      return 'base64';
    case 'quoted-printable':
    case 'quotedprintable':
    case 'quoted_printable':
    case 'qp':
    case 'q':
      return 'quoted-printable';
    case 'uuencode':
    case 'x-uuencode':
    case 'x-uue':
    case 'uue':
      return 'uuencode';
    default:
      return 'identity';
  }
}

export function isKnownTransferEncoding(token: string | undefined): boolean {
  return transferEncoding(token) !== 'identity' || token === undefined || ['7bit', '8bit', 'binary'].includes(token);
}

/** The decoded bytes. For an identity encoding, the same memory. */
export function decodeTransfer(bytes: Uint8Array, token: string | undefined): Uint8Array {
  const buffer = asBuffer(bytes);
  switch (transferEncoding(token)) {
    case 'base64':
      return decodeBase64(buffer);
    case 'quoted-printable':
      return decodeQuotedPrintable(buffer);
    case 'uuencode':
      return decodeUuencode(buffer);
    case 'identity':
      return buffer;
  }
}

/** How many bytes decodeTransfer would return, without the memory for them. */
export function decodedLength(bytes: Uint8Array, token: string | undefined): number {
  const buffer = asBuffer(bytes);
  switch (transferEncoding(token)) {
    case 'base64':
      return base64Length(buffer);
    case 'quoted-printable':
      return quotedPrintable(buffer, undefined);
    case 'uuencode':
      return decodeUuencode(buffer).length;
    case 'identity':
      return buffer.length;
  }
}

/** Sextet of each byte; 64 for padding, 255 for what is skipped. */
const sextets = new Uint8Array(256).fill(255);
for (const [i, char] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) sextets[char.charCodeAt(0)] = i;
sextets[61] = 64;

/** RFC 2045 §6.8: other characters are ignored. Padding ends a group, and what follows begins anew: joined pieces decode to joined bytes. */
export function decodeBase64(bytes: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(Math.floor((bytes.length * 3) / 4) + 3);
  let length = 0;
  let bits = 0;
  let count = 0;
  for (let i = 0; i < bytes.length; i++) {
    const value = sextets[bytes[i]!]!;
    if (value < 64) {
      bits = ((bits << 6) | value) & 0xffffff;
      count += 6;
      if (count === 24) {
        out[length++] = bits >> 16;
        out[length++] = bits >> 8;
        out[length++] = bits;
        count = 0;
      }
    } else if (value === 64) {
      length = flush(out, length, bits, count);
      count = 0;
    }
  }
  return out.subarray(0, flush(out, length, bits, count));
}

function flush(out: Buffer, length: number, bits: number, count: number): number {
  if (count === 12) out[length++] = bits >> 4;
  if (count === 18) {
    out[length++] = bits >> 10;
    out[length++] = bits >> 2;
  }
  return length;
}

function base64Length(bytes: Uint8Array): number {
  let length = 0;
  let run = 0;
  for (let i = 0; i < bytes.length; i++) {
    const value = sextets[bytes[i]!]!;
    if (value < 64) run++;
    else if (value === 64) {
      length += Math.floor((run * 3) / 4);
      run = 0;
    }
  }
  return length + Math.floor((run * 3) / 4);
}

export function decodeQuotedPrintable(bytes: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  return out.subarray(0, quotedPrintable(bytes, out));
}

/** RFC 2045 §6.7. White space at the end of a line is padding; a `=` that begins nothing stands for itself. Returns the decoded length. */
function quotedPrintable(bytes: Uint8Array, out: Uint8Array | undefined): number {
  let length = 0;
  let i = 0;
  while (i < bytes.length) {
    const byte = bytes[i]!;
    if (byte === 61) {
      const high = hexDigit(bytes[i + 1]);
      const low = hexDigit(bytes[i + 2]);
      if (high >= 0 && low >= 0) {
        if (out !== undefined) out[length] = (high << 4) | low;
        length++;
        i += 3;
        continue;
      }
      const next = afterLineEnd(bytes, skipBlanks(bytes, i + 1));
      if (next >= 0) {
        i = next;
        continue;
      }
    } else if (byte === 32 || byte === 9) {
      const blanksEnd = skipBlanks(bytes, i);
      const isKept = blanksEnd === bytes.length || afterLineEnd(bytes, blanksEnd) < 0;
      for (; i < blanksEnd; i++) {
        if (!isKept) continue;
        if (out !== undefined) out[length] = bytes[i]!;
        length++;
      }
      continue;
    }
    if (out !== undefined) out[length] = byte;
    length++;
    i++;
  }
  return length;
}

function skipBlanks(bytes: Uint8Array, at: number): number {
  while (bytes[at] === 32 || bytes[at] === 9) at++;
  return at;
}

/** The position after a line end (or the end of the bytes) at `at`, else -1. */
function afterLineEnd(bytes: Uint8Array, at: number): number {
  if (at >= bytes.length) return bytes.length;
  if (bytes[at] === 10) return at + 1;
  return bytes[at] === 13 && bytes[at + 1] === 10 ? at + 2 : -1;
}

/** The value of a hexadecimal digit's code, -1 where it is none. */
export function hexDigit(code: number | undefined): number {
  if (code === undefined) return -1;
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 65 && code <= 70) return code - 55;
  if (code >= 97 && code <= 102) return code - 87;
  return -1;
}

/** Lines between `begin` and `end`; without a `begin` line every line is taken for data. */
function decodeUuencode(bytes: Buffer): Buffer {
  const out = Buffer.alloc(bytes.length);
  let length = 0;
  let position = 0;
  const begin = bytes.subarray(0, 6).toString('latin1') === 'begin ' ? 0 : bytes.indexOf('\nbegin ');
  if (begin >= 0) position = lineAfter(bytes, begin + 1);
  while (position < bytes.length) {
    const lineEnd = lineAfter(bytes, position);
    if (bytes.toString('latin1', position, position + 3) === 'end') break;
    length = uuencodeLine(bytes, position, lineEnd, out, length);
    position = lineEnd;
  }
  return out.subarray(0, length);
}

function lineAfter(bytes: Buffer, position: number): number {
  const newline = bytes.indexOf(10, position);
  return newline < 0 ? bytes.length : newline + 1;
}

function uuencodeLine(bytes: Buffer, start: number, end: number, out: Buffer, length: number): number {
  const count = (bytes[start]! - 32) & 63;
  const available = Math.floor(((end - start - 1) * 3) / 4);
  const target = length + Math.min(count, available);
  for (let i = start + 1; i + 1 < end && length < target; i += 4) {
    const bits =
      (((bytes[i]! - 32) & 63) << 18) |
      (((bytes[i + 1]! - 32) & 63) << 12) |
      ((((bytes[i + 2] ?? 32) - 32) & 63) << 6) |
      (((bytes[i + 3] ?? 32) - 32) & 63);
    for (const shift of [16, 8, 0]) if (length < target) out[length++] = (bits >> shift) & 255;
  }
  return length;
}
