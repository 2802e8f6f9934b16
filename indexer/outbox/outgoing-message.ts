/** The bytes of a message as it leaves: what its sender wrote, without the fields that are nobody else's affair. Pure. */
import { asBuffer } from '../../protocol/mime/bytes.ts';
import { type HeaderField, scanHeader } from '../../protocol/mime/header.ts';

/** RFC 5322 §3.6.3: Bcc is not shown to others. Return-Path is the last server's to write (RFC 5321 §4.4). */
const privateNames: ReadonlySet<string> = new Set(['bcc', 'resent-bcc', 'return-path']);

export function withoutPrivateFields(message: Uint8Array): Buffer {
  return withoutFields(message, ({ name }) => privateNames.has(name));
}

/** The message without the fields of its header that `isDropped` names; the rest is byte for byte the same. */
export function withoutFields(message: Uint8Array, isDropped: (field: HeaderField) => boolean): Buffer {
  const buffer = asBuffer(message);
  // All of them, however many: a private field must not hide behind a thousand others.
  const { fields } = scanHeader(buffer, 0, Number.POSITIVE_INFINITY);
  const kept: Buffer[] = [];
  let at = 0;
  for (const field of fields) {
    if (!isDropped(field)) continue;
    kept.push(buffer.subarray(at, field.start));
    at = field.end;
  }
  return kept.length === 0 ? buffer : Buffer.concat([...kept, buffer.subarray(at)]);
}

/** How many servers a message has passed. */
export function hopsOf(message: Uint8Array): number {
  return scanHeader(asBuffer(message)).fields.filter(({ name }) => name === 'received').length;
}
