/**
 * BODY[HEADER.FIELDS …] from the header bytes that the index keeps, without a string or a buffer per field: lists ask for a dozen fields of every
 * message of a mailbox. Gives byte for byte what headerFieldsFromRaw gives (a test holds that).
 */
import type { ByteWriter } from '../../../protocol/imap/wire/byte-writer.ts';

/** Selections of one header that are remembered; fields beyond are found by the slow way. */
const rangesMax = 512;

export class HeaderSelection {
  readonly #isNot: boolean;
  /** Wanted names in lower case, by length. */
  readonly #byLength: Uint8Array[][] = [];
  readonly #ranges = new Int32Array(rangesMax * 2);

  constructor(names: readonly string[], isNot: boolean) {
    this.#isNot = isNot;
    for (const name of names) {
      const bytes = Buffer.from(name.toLowerCase(), 'latin1');
      (this.#byLength[bytes.length] ??= []).push(bytes);
    }
  }

  /** Writes the chosen fields and an empty line as a literal. False, and nothing written, when the header has too many fields for it. */
  write(out: ByteWriter, header: Uint8Array): boolean {
    const count = this.#select(header);
    if (count < 0) return false;
    const ranges = this.#ranges;
    let octets = 2;
    for (let at = 0; at < count; at += 1) octets += ranges[2 * at + 1]! - ranges[2 * at]!;
    const isUnended = count > 0 && ranges[2 * count - 1] === header.length && header[header.length - 1] !== 0x0a;
    out
      .ascii('{')
      .number(isUnended ? octets + 2 : octets)
      .ascii('}')
      .crlf();
    for (let at = 0; at < count; at += 1) out.slice(header, ranges[2 * at]!, ranges[2 * at + 1]!);
    if (isUnended) out.crlf();
    out.crlf();
    return true;
  }

  /** Fills the ranges of chosen bytes; neighbours are joined. Their number, or -1 when there are too many. */
  #select(header: Uint8Array): number {
    const ranges = this.#ranges;
    let count = 0;
    let isChosen = false;
    for (let start = 0; start < header.length; ) {
      const first = header[start]!;
      if (first === 0x0a || (first === 0x0d && header[start + 1] === 0x0a)) break;
      const newline = header.indexOf(0x0a, start);
      const end = newline < 0 ? header.length : newline + 1;
      if ((first !== 0x20 && first !== 0x09) || start === 0) isChosen = this.#isWanted(header, start, end);
      if (isChosen) {
        if (count > 0 && ranges[2 * count - 1] === start) ranges[2 * count - 1] = end;
        else {
          if (count === rangesMax) return -1;
          ranges[2 * count] = start;
          ranges[2 * count + 1] = end;
          count += 1;
        }
      }
      start = end;
    }
    return count;
  }

  /** Whether the field that begins here is chosen. A line without a name is, only if names are excluded. */
  #isWanted(header: Uint8Array, start: number, end: number): boolean {
    let nameEnd = start;
    while (nameEnd < end && header[nameEnd]! > 0x20 && header[nameEnd]! < 0x7f && header[nameEnd] !== 0x3a) nameEnd += 1;
    let colon = nameEnd;
    while (colon < end && (header[colon] === 0x20 || header[colon] === 0x09)) colon += 1;
    if (nameEnd === start || header[colon] !== 0x3a || colon >= end) return this.#isNot;
    for (const name of this.#byLength[nameEnd - start] ?? []) if (equalsFolded(header, start, name)) return !this.#isNot;
    return this.#isNot;
  }
}

function equalsFolded(header: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let at = 0; at < name.length; at += 1) {
    const byte = header[start + at]!;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== name[at]) return false;
  }
  return true;
}
