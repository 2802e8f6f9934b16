/**
 * BODY[HEADER.FIELDS …] from the kept header of the index, by its table of fields: lists ask for a dozen fields of every message of a mailbox. Gives byte
 * for byte what headerFieldsFromRaw gives (a test holds that).
 */
import type { ByteWriter } from '../../../protocol/imap/wire/byte-writer.ts';
import { fieldCodeCount, fieldCodeOf, type KeptHeader, namelessCode, otherCode } from '../../../protocol/mime/kept-header.ts';

/** Selections of one header that are remembered; fields beyond are found by the slow way. */
const rangesMax = 512;

export class HeaderSelection {
  readonly #isNot: boolean;
  /** By a field's code, 1 when it is chosen. Fields without a code are chosen by name. */
  readonly #isChosen: Uint8Array;
  /** Wanted names without a code, in lower case. */
  readonly #others: readonly Uint8Array[];
  readonly #ranges = new Int32Array(rangesMax * 2);

  constructor(names: readonly string[], isNot: boolean) {
    this.#isNot = isNot;
    this.#isChosen = new Uint8Array(fieldCodeCount).fill(isNot ? 1 : 0);
    const others: Uint8Array[] = [];
    for (const name of names) {
      const lower = name.toLowerCase();
      const code = fieldCodeOf(lower);
      if (code === otherCode) others.push(Buffer.from(lower, 'latin1'));
      else if (code !== namelessCode) this.#isChosen[code] = isNot ? 0 : 1;
    }
    this.#others = others;
  }

  /** Writes the chosen fields and an empty line as a literal. False, and nothing written, when the header has too many fields for it, or a NUL. */
  write(out: ByteWriter, header: KeptHeader): boolean {
    const count = this.#select(header);
    const nul = header.bytes.indexOf(0, header.start);
    if (count < 0 || (nul >= 0 && nul < header.end)) return false;
    const ranges = this.#ranges;
    const { bytes } = header;
    let octets = 2;
    for (let at = 0; at < count; at += 1) octets += ranges[2 * at + 1]! - ranges[2 * at]!;
    const isUnended = count > 0 && ranges[2 * count - 1] === header.end && bytes[header.end - 1] !== 0x0a;
    out
      .ascii('{')
      .number(isUnended ? octets + 2 : octets)
      .ascii('}\r\n');
    for (let at = 0; at < count; at += 1) out.slice(bytes, ranges[2 * at]!, ranges[2 * at + 1]!);
    if (isUnended) out.crlf();
    out.crlf();
    return true;
  }

  /** Fills the ranges of chosen bytes; neighbours are joined. Their number, or -1 when there are too many. */
  #select(header: KeptHeader): number {
    const ranges = this.#ranges;
    let count = 0;
    let start = header.start;
    for (let field = 0; field < header.fieldCount; field += 1) {
      const code = header.codeAt(field);
      const end = start + header.lengthAt(field);
      const isChosen =
        code === otherCode && this.#others.length > 0 ? this.#isOther(header, start) !== this.#isNot : this.#isChosen[code] === 1;
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

  /** Whether the field that begins here has one of the names without a code. */
  #isOther({ bytes }: KeptHeader, start: number): boolean {
    for (const name of this.#others) {
      const after = bytes[start + name.length];
      if ((after === 0x3a || after === 0x20 || after === 0x09) && equalsFolded(bytes, start, name)) return true;
    }
    return false;
  }
}

function equalsFolded(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let at = 0; at < name.length; at += 1) {
    const byte = bytes[start + at]!;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== name[at]) return false;
  }
  return true;
}
