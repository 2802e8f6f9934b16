/**
 * The kept header of a message as the index stores it: with a table of its fields in front, so that lists and searches find a field among thousands of
 * messages without looking for line ends and names.
 *
 *   row = omitted-bytes:u16 field-count:u16 omitted-names *(field-code:u16 field-bytes:u16) header
 *
 * Numbers are little-endian; omitted names (HeaderFacts.headerOmitted) are latin1, each ended by LF. The fields tile the header.
 */
import { scanHeader } from './header.ts';
import { listNames } from './header-facts.ts';

/** Code of a line without a usable name, of a field whose name has no code. The names with codes follow. Their order is part of the index's layout. */
export const namelessCode = 0;
export const otherCode = 1;
const codes: ReadonlyMap<string, number> = new Map([...listNames].map((name, at) => [name, at + 2]));
export const fieldCodeCount = codes.size + 2;

/** The code of a name in lower case. */
export const fieldCodeOf = (name: string): number => (name === '' ? namelessCode : (codes.get(name) ?? otherCode));

const empty = Buffer.alloc(0);
const fixedBytes = 4;
const entryBytes = 4;

/** `header` and `headerOmitted` of a message's facts as one row. */
export function encodeKeptHeader(header: string, omitted: readonly string[]): Buffer {
  const bytes = Buffer.from(header, 'latin1');
  const { fields } = scanHeader(bytes, 0, Number.POSITIVE_INFINITY);
  const names = Buffer.from(omitted.map((name) => `${name}\n`).join(''), 'latin1');
  const row = Buffer.allocUnsafe(fixedBytes + names.length + fields.length * entryBytes + bytes.length);
  row.writeUInt16LE(names.length, 0);
  row.writeUInt16LE(fields.length, 2);
  names.copy(row, fixedBytes);
  let at = fixedBytes + names.length;
  for (const { name, start, end } of fields) {
    row.writeUInt16LE(fieldCodeOf(name), at);
    row.writeUInt16LE(end - start, at + 2);
    at += entryBytes;
  }
  bytes.copy(row, at);
  return row;
}

/** One row at a time, in a buffer that the next one overwrites. */
export class KeptHeader {
  /** The row's bytes; valid up to `end`. Fields are given as offsets into it. */
  bytes: Buffer = empty;
  /** Where the header's bytes begin and end. */
  start = 0;
  end = 0;
  fieldCount = 0;
  #tableStart = 0;

  load(row: Buffer): this {
    this.bytes = row;
    return this.open(row.length);
  }

  /** Reads what was put at the start of `bytes`. */
  open(length: number): this {
    const { bytes } = this;
    this.#tableStart = fixedBytes + (bytes[0]! | (bytes[1]! << 8));
    this.fieldCount = bytes[2]! | (bytes[3]! << 8);
    this.start = this.#tableStart + this.fieldCount * entryBytes;
    this.end = length;
    return this;
  }

  codeAt(field: number): number {
    const at = this.#tableStart + field * entryBytes;
    return this.bytes[at]! | (this.bytes[at + 1]! << 8);
  }

  /** Bytes of a field, its line end included. */
  lengthAt(field: number): number {
    const at = this.#tableStart + field * entryBytes + 2;
    return this.bytes[at]! | (this.bytes[at + 1]! << 8);
  }

  /** HeaderFacts.header. */
  get text(): string {
    return this.bytes.toString('latin1', this.start, this.end);
  }

  /** HeaderFacts.headerOmitted, joined as the row has it: a key that messages share. */
  get omittedKey(): string {
    return this.#tableStart === fixedBytes ? '' : this.bytes.toString('latin1', fixedBytes, this.#tableStart);
  }

  get omitted(): string[] {
    return this.omittedKey.split('\n').slice(0, -1);
  }

  /** Whether fields of this name (lower case) may be missing here. */
  leavesOut(name: string): boolean {
    const key = this.omittedKey;
    return key !== '' && (key.startsWith('*\n') || key.startsWith(`${name}\n`) || key.includes(`\n${name}\n`));
  }

  /** Visits where the values of the fields of this name (lower case) begin and end, in order, until `visit` gives true. */
  some(name: string, visit: (valueStart: number, end: number) => boolean): boolean {
    if (name === '') return false;
    const code = fieldCodeOf(name);
    let start = this.start;
    for (let field = 0; field < this.fieldCount; field += 1) {
      const end = start + this.lengthAt(field);
      if (this.codeAt(field) === code && (code !== otherCode || this.#isNamed(start, name))) {
        if (visit(this.bytes.indexOf(0x3a, start) + 1, end)) return true;
      }
      start = end;
    }
    return false;
  }

  /** The raw value of the last field of this name (RFC 8621 §4.1.3: it speaks), latin1; undefined where there is none. */
  lastValue(name: string): string | undefined {
    let found: string | undefined;
    this.some(name, (start, end) => {
      found = this.bytes.toString('latin1', start, end);
      return false;
    });
    return found;
  }

  #isNamed(start: number, name: string): boolean {
    for (let at = 0; at < name.length; at += 1) {
      const byte = this.bytes[start + at]!;
      if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== name.charCodeAt(at)) return false;
    }
    const after = this.bytes[start + name.length]!;
    return after === 0x3a || after === 0x20 || after === 0x09;
  }
}
