/**
 * Substring search as IMAP and JMAP want it: in decoded text, in any case. Both sides are folded alike, to lower case of NFC. Most mail is ASCII: there
 * bytes are compared as they are, and only where something would have to be decoded first is a string made.
 */
import { isAscii } from 'node:buffer';
import { decodeWords } from './encoded-word.ts';
import { scanHeader, unfold } from './header.ts';
import type { KeptHeader } from './kept-header.ts';

/** Simple lower-casing of NFC text, so that a folded needle is a substring of the folded text. */
export function foldForSearch(text: string): string {
  // What is below U+0300 combines with nothing; normalize() would copy it to learn that.
  return (/[\u0300-\uffff]/.test(text) ? text.normalize('NFC') : text).toLowerCase();
}

/** A header as text to search TEXT in: its lines unfolded, their values decoded. Takes latin1. */
export function searchableHeader(header: string): string {
  const bytes = Buffer.from(header, 'latin1');
  // Each line by itself: what is not labelled with a charset is guessed, and one line's guess says nothing of another's.
  return scanHeader(bytes, 0, Number.POSITIVE_INFINITY)
    .fields.map(({ start, end }) => decodeWords(unfold(bytes.toString('latin1', start, end))))
    .join('\n');
}

/** UTF-8 of what is not ASCII and folds to it: U+0130, U+037E, U+1FEF, U+212A. All else that is not there as bytes is not there folded. */
const foldsToAscii = /\xc4\xb0|\xcd\xbe|\xe1\xbf\xaf|\xe2\x84\xaa/;

/** A text that is looked for, folded once. */
export class Needle {
  readonly folded: string;
  readonly #isAscii: boolean;
  /** White space may stand for a fold that is taken out first. */
  readonly #hasSpace: boolean;
  readonly #bytes: Uint8Array;

  constructor(text: string) {
    this.folded = foldForSearch(text);
    const bytes = Buffer.from(this.folded, 'utf8');
    this.#isAscii = isAscii(bytes);
    this.#hasSpace = /[\s\0]/.test(this.folded);
    this.#bytes = bytes;
  }

  isInText(text: string): boolean {
    return foldForSearch(text).includes(this.folded);
  }

  /** In UTF-8 text. */
  isInUtf8(bytes: Buffer): boolean {
    if (!this.#isAscii) return !isAscii(bytes) && this.isInText(bytes.toString('utf8'));
    const characters = bytes.toString('latin1');
    if (characters.toLowerCase().includes(this.folded)) return isAscii(bytes) || this.isInText(bytes.toString('utf8'));
    return foldsToAscii.test(characters) && this.isInText(bytes.toString('utf8'));
  }

  /** In the raw value of a header field. */
  isInValue(raw: string): boolean {
    return this.isInText(decodeWords(unfold(raw)));
  }

  /** In one of the fields of this name (lower case); of an empty needle: whether there is such a field. */
  isInField(header: KeptHeader, name: string): boolean {
    return header.some(name, (start, end) => {
      const answer = this.#scan(header.bytes, start, end);
      return answer ?? this.isInValue(header.bytes.toString('latin1', start, end));
    });
  }

  /** In searchableHeader's text of it. */
  isInHeader(header: KeptHeader): boolean {
    let start = header.start;
    for (let field = 0; field < header.fieldCount; field += 1) {
      const end = start + header.lengthAt(field);
      const answer = this.#scan(header.bytes, start, end);
      if (answer ?? this.isInValue(header.bytes.toString('latin1', start, end))) return true;
      start = end;
    }
    // A needle with a line end in it: the lines are looked at together.
    return this.folded.includes('\n') && this.isInText(searchableHeader(header.text));
  }

  /** Over the raw bytes of a value; undefined where they have to be decoded. */
  #scan(bytes: Buffer, start: number, end: number): boolean | undefined {
    if (this.folded === '') return true;
    if (this.#hasSpace) return undefined;
    const needle = this.#bytes;
    const last = this.#isAscii ? end - needle.length : -1;
    const first = needle[0]!;
    for (let at = start; at < end; at += 1) {
      const byte = bytes[at]!;
      if (needsDecoding(bytes, at, end)) return undefined;
      const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
      if (lower === first && at <= last && startsWith(bytes, at, needle)) {
        // What follows may still change what was found: an accent that combines with it.
        const after = at + needle.length;
        return after < end && needsDecoding(bytes, after, end) ? undefined : true;
      }
    }
    return false;
  }
}

/** 8-bit and control characters, and what may begin an encoded word; not the line end before a fold. */
function needsDecoding(bytes: Buffer, at: number, end: number): boolean {
  const byte = bytes[at]!;
  if (byte >= 0x80) return true;
  if (byte === 0x3d) return at + 1 < end && bytes[at + 1] === 0x3f;
  if (byte >= 0x20 || byte === 0x09 || byte === 0x0a) return false;
  return byte !== 0x0d || bytes[at + 1] !== 0x0a;
}

function startsWith(bytes: Buffer, at: number, needle: Uint8Array): boolean {
  for (let offset = 1; offset < needle.length; offset += 1) {
    const byte = bytes[at + offset]!;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== needle[offset]) return false;
  }
  return true;
}
