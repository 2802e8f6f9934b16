/** The content of a part cut out of its raw message. */
import { isAscii, isUtf8 } from 'node:buffer';
import { partCharset } from './body-lists.ts';
import { asBuffer } from './bytes.ts';
import { decodeText, isKnownCharset } from './charset.ts';
import type { Part } from './structure.ts';
import { decodeTransfer, isKnownTransferEncoding } from './transfer-encoding.ts';

/** Its names (RFC 2978's registry) that are in use. Read as more than it is, for what older programs send. */
const asciiPattern = /^(us-ascii|ascii|ansi_x3\.4-1968)$/i;

/** The part's body, transfer decoded. `raw` is the whole message. */
export function decodePart(raw: Uint8Array, part: Part): Uint8Array {
  return decodeTransfer(asBuffer(raw).subarray(part.bodyStart, part.bodyEnd), part.encoding);
}

/** The part's body as text, and what RFC 8621 §4.1.4 calls an encoding problem: bytes that do not fit, or a charset or encoding that is not known. */
export function readPartText(raw: Uint8Array, part: Part): { readonly text: string; readonly hasProblem: boolean } {
  const bytes = decodePart(raw, part);
  const charset = partCharset(part) ?? '';
  const text = decodeText(bytes, charset);
  // U+FFFD stands for what does not fit, unless the sender wrote it.
  const hasMisfits = (text.includes('\ufffd') && !isUtf8(bytes)) || (asciiPattern.test(charset) && !isAscii(bytes));
  return { text, hasProblem: hasMisfits || !isKnownCharset(charset) || !isKnownTransferEncoding(part.encoding) };
}

/** The part's body as text: at most `encodedBytesMax` of its encoded bytes are read. */
export function decodePartText(raw: Uint8Array, part: Part, encodedBytesMax = Number.POSITIVE_INFINITY): string {
  const end = Math.min(part.bodyEnd, part.bodyStart + encodedBytesMax);
  const bytes = decodeTransfer(asBuffer(raw).subarray(part.bodyStart, end), part.encoding);
  return decodeText(bytes, partCharset(part) ?? '');
}
