/**
 * Header fields with their offsets. A header is every line up to the first empty one; lines end in LF, with or without CR before it.
 * A line without a usable name (an mbox `From ` line, 8-bit or spaces before the colon, a continuation of nothing) is a field named ''.
 * So the fields tile the header, and any of them can be served byte for byte.
 */
import { asBuffer } from './bytes.ts';
import { headerFieldsMax } from './limits.ts';

/** Offsets count from the start of the scanned bytes. `end` is after the field's last line end; the value begins right after the colon. */
export interface HeaderField {
  /** Lower case; '' for a line that has none. */
  name: string;
  start: number;
  valueStart: number;
  end: number;
}

export interface ScannedHeader {
  fields: HeaderField[];
  /** After the last field's line end: where the empty line is, if there is one. */
  fieldsEnd: number;
  /** After the empty line; equal to fieldsEnd where the header ends without one. */
  bodyStart: number;
  /** LF seen in [start, bodyStart). */
  lines: number;
  /** More fields than were kept. */
  isCut: boolean;
}

/**
 * Scans a header from `start`. `isDelimiter` tells whether a line (given by its start) ends the header without an empty line, as a boundary
 * does. Linear in the bytes of the header.
 */
export function scanHeader(
  buffer: Buffer,
  start = 0,
  fieldsMax = headerFieldsMax,
  isDelimiter?: (lineStart: number) => boolean,
): ScannedHeader {
  const fields: HeaderField[] = [];
  const end = buffer.length;
  let position = start;
  let lines = 0;
  let isCut = false;
  let last: HeaderField | undefined;
  while (position < end) {
    const first = buffer[position]!;
    if (first === 10) return { fields, fieldsEnd: position, bodyStart: position + 1, lines: lines + 1, isCut };
    if (first === 13 && buffer[position + 1] === 10)
      return { fields, fieldsEnd: position, bodyStart: position + 2, lines: lines + 1, isCut };
    if (first === 45 && isDelimiter !== undefined && isDelimiter(position)) break;
    const newline = buffer.indexOf(10, position);
    const lineEnd = newline < 0 ? end : newline + 1;
    if (newline >= 0) lines++;
    if ((first === 32 || first === 9) && position > start) {
      if (last !== undefined) last.end = lineEnd;
    } else if (fields.length >= fieldsMax) {
      isCut = true;
      last = undefined;
    } else {
      last = readField(buffer, position, lineEnd);
      fields.push(last);
    }
    position = lineEnd;
  }
  return { fields, fieldsEnd: position, bodyStart: position, lines, isCut };
}

function readField(buffer: Buffer, start: number, end: number): HeaderField {
  let position = start;
  // RFC 5322 §2.2: printable ASCII except the colon. §4.5.8 allows spaces before the colon.
  while (position < end && buffer[position]! > 32 && buffer[position]! < 127 && buffer[position] !== 58) position++;
  const nameEnd = position;
  while (position < end && (buffer[position] === 32 || buffer[position] === 9)) position++;
  if (nameEnd === start || buffer[position] !== 58 || position >= end) return { name: '', start, valueStart: start, end };
  return { name: readName(buffer, start, nameEnd), start, valueStart: position + 1, end };
}

/** Names read lately, each at a place that its bytes give: mail has a few hundred names, and every message's header is read several times. */
const recentNames = new Array<string>(1024).fill('');
const recentNameCharsMax = 64;

/** A name (RFC 5322 §2.2: printable ASCII) in lower case. */
function readName(buffer: Buffer, start: number, end: number): string {
  let place = end - start;
  for (let at = start; at < end; at++) place = (place * 31 + (buffer[at]! | 0x20)) & 0xffff;
  place &= recentNames.length - 1;
  const recent = recentNames[place]!;
  if (isNamed(buffer, start, end, recent)) return recent;
  const name = buffer.toString('latin1', start, end).toLowerCase();
  if (name.length <= recentNameCharsMax) recentNames[place] = name;
  return name;
}

/** Whether the bytes are `name`, which is in lower case, in any case. */
function isNamed(buffer: Buffer, start: number, end: number, name: string): boolean {
  if (name.length !== end - start) return false;
  for (let at = start; at < end; at++) {
    const byte = buffer[at]!;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== name.charCodeAt(at - start)) return false;
  }
  return true;
}

/** RFC 5322 §2.2.3: takes line ends (and stray CR and NUL) out; spaces and tabs of the fold stay. */
export function unfold(value: string): string {
  return /[\r\n\0]/.test(value) ? value.replace(/[\r\n\0]+/g, '') : value;
}

/** A field's value as a latin1 string, unfolded and trimmed, at most `bytesMax` of its raw bytes. */
export function fieldValue(buffer: Buffer, field: HeaderField, bytesMax = Number.POSITIVE_INFINITY): string {
  return unfold(buffer.toString('latin1', field.valueStart, Math.min(field.end, field.valueStart + bytesMax))).trim();
}

/** The last field of this name. RFC 8621 §4.1.3: of several instances the last one speaks. */
export function lastField(fields: readonly HeaderField[], name: string): HeaderField | undefined {
  for (let i = fields.length - 1; i >= 0; i--) if (fields[i]!.name === name) return fields[i];
  return undefined;
}

/**
 * RFC 3501 §6.4.5, HEADER.FIELDS and HEADER.FIELDS.NOT: the chosen fields of a header as stored, then an empty line.
 * `header` is the header's bytes (or the whole message's). With `not`, the fields that are not named.
 */
export function headerFieldsFromRaw(header: Uint8Array, names: readonly string[], not: boolean): Uint8Array {
  const buffer = asBuffer(header);
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const chunks: Uint8Array[] = [];
  for (const field of scanHeader(buffer, 0, Number.POSITIVE_INFINITY).fields) {
    if (wanted.has(field.name) === not || (field.name === '' && !not)) continue;
    chunks.push(buffer.subarray(field.start, field.end));
    if (buffer[field.end - 1] !== 10) chunks.push(lineEnd);
  }
  chunks.push(lineEnd);
  return Buffer.concat(chunks);
}

const lineEnd = Buffer.from('\r\n');
