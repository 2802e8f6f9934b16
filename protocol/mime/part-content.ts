/** The content of a part cut out of its raw message. */

import { partCharset } from './body-lists.ts';
import { asBuffer } from './bytes.ts';
import { decodeText } from './charset.ts';
import type { Part } from './structure.ts';
import { decodeTransfer } from './transfer-encoding.ts';

/** The part's body, transfer decoded. `raw` is the whole message. */
export function decodePart(raw: Uint8Array, part: Part): Uint8Array {
  return decodeTransfer(asBuffer(raw).subarray(part.bodyStart, part.bodyEnd), part.encoding);
}

/** The part's body as text: at most `encodedBytesMax` of its encoded bytes are read. */
export function decodePartText(raw: Uint8Array, part: Part, encodedBytesMax = Number.POSITIVE_INFINITY): string {
  const end = Math.min(part.bodyEnd, part.bodyStart + encodedBytesMax);
  const bytes = decodeTransfer(asBuffer(raw).subarray(part.bodyStart, end), part.encoding);
  return decodeText(bytes, partCharset(part) ?? '');
}
