/**
 * Commands of ManageSieve (RFC 5804 §4) from bytes, at any split: a line of words, strings and numbers, in which literals stand.
 *
 *   command      = atom *(SP (string / number)) CRLF
 *   string       = quoted / literal
 *   literal-c2s  = "{" number "+}" CRLF *OCTET
 */
import { isUtf8 } from 'node:buffer';
import { lineBytesMax, literalBytesMax, skippedLiteralBytesMax } from './limits.ts';

export type ManageArgument = { readonly kind: 'string'; readonly text: string } | { readonly kind: 'number'; readonly value: number };

export type ManageEvent =
  | { readonly kind: 'command'; readonly name: string; readonly arguments: readonly ManageArgument[] }
  /** A line that is one string: an answer within AUTHENTICATE. */
  | { readonly kind: 'line'; readonly text: string }
  /** The command is read to its end, and cannot be carried out. */
  | { readonly kind: 'refused'; readonly reason: string; readonly isTooLarge: boolean }
  /** Where the next command begins is not known. */
  | { readonly kind: 'lost'; readonly reason: string };

const space = 0x20;

export class ManageReader {
  #buffer: Buffer = Buffer.alloc(0);
  /** Pieces of the command at hand: text of lines, and literals between them. */
  #pieces: (string | Buffer)[] = [];
  #literalLeft = 0;
  #isSkipping = false;
  #isTooLarge = false;
  #isUtf8 = true;
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
  }

  /** Throws away what came in the clear, before TLS. */
  drop(): void {
    this.#buffer = Buffer.alloc(0);
  }

  get hasUnread(): boolean {
    return this.#buffer.length > 0;
  }

  /** undefined: more bytes are needed. */
  next(): ManageEvent | undefined {
    for (;;) {
      if (this.#literalLeft > 0 && !this.#takeLiteral()) return undefined;
      const newline = this.#buffer.indexOf(10);
      if (newline < 0) return this.#buffer.length > lineBytesMax ? { kind: 'lost', reason: 'The line is too long.' } : undefined;
      if (newline > lineBytesMax) return { kind: 'lost', reason: 'The line is too long.' };
      this.#isUtf8 &&= isUtf8(this.#buffer.subarray(0, newline));
      const line = this.#buffer.subarray(0, newline).toString('utf8').replace(/\r$/, '');
      this.#buffer = this.#buffer.subarray(newline + 1);
      const [, octets] = /\{([0-9]{1,15})\+?\}$/.exec(line) ?? [];
      this.#pieces.push(octets === undefined ? line : line.slice(0, line.lastIndexOf('{')));
      if (octets === undefined) return this.#finish();
      const lost = this.#beginLiteral(Number(octets));
      if (lost !== undefined) return lost;
    }
  }

  #beginLiteral(octets: number): ManageEvent | undefined {
    this.#bytes += octets;
    this.#literalLeft = octets;
    this.#isSkipping = this.#bytes > literalBytesMax;
    this.#isTooLarge ||= this.#isSkipping;
    if (this.#bytes > skippedLiteralBytesMax) return { kind: 'lost', reason: 'The literal is too large.' };
    if (octets === 0 || this.#isSkipping) this.#pieces.push(Buffer.alloc(0));
    return undefined;
  }

  #takeLiteral(): boolean {
    if (this.#isSkipping) {
      const taken = Math.min(this.#literalLeft, this.#buffer.length);
      this.#buffer = this.#buffer.subarray(taken);
      this.#literalLeft -= taken;
      return this.#literalLeft === 0;
    }
    if (this.#buffer.length < this.#literalLeft) return false;
    const literal = Buffer.from(this.#buffer.subarray(0, this.#literalLeft));
    this.#isUtf8 &&= isUtf8(literal);
    this.#pieces.push(literal);
    this.#buffer = this.#buffer.subarray(this.#literalLeft);
    this.#literalLeft = 0;
    return true;
  }

  #finish(): ManageEvent {
    const pieces = this.#pieces;
    const isTooLarge = this.#isTooLarge;
    const isText = this.#isUtf8;
    this.#isUtf8 = true;
    this.#pieces = [];
    this.#bytes = 0;
    this.#isTooLarge = false;
    if (isTooLarge) return { kind: 'refused', reason: `A string has at most ${literalBytesMax} octets.`, isTooLarge: true };
    // RFC 5804 §1.2: what stood for the wrong octets would be stored otherwise.
    if (!isText) return { kind: 'refused', reason: 'A command is UTF-8.', isTooLarge: false };
    const read = readPieces(pieces);
    if (read === undefined) return { kind: 'refused', reason: 'The line follows no grammar of a command.', isTooLarge: false };
    const [first, ...rest] = read;
    if (first?.kind === 'string' && rest.length === 0) return { kind: 'line', text: first.text };
    if (first?.kind !== 'atom') return { kind: 'refused', reason: 'A line begins with a command.', isTooLarge: false };
    if (!rest.every((word) => word.kind !== 'atom'))
      return { kind: 'refused', reason: 'An argument is a string or a number.', isTooLarge: false };
    return { kind: 'command', name: first.text.toUpperCase(), arguments: rest };
  }
}

type Word = ManageArgument | { readonly kind: 'atom'; readonly text: string };

/** undefined where the words do not follow the grammar. */
function readPieces(pieces: readonly (string | Buffer)[]): Word[] | undefined {
  const words: Word[] = [];
  for (const [index, piece] of pieces.entries()) {
    if (typeof piece !== 'string') {
      words.push({ kind: 'string', text: piece.toString('utf8') });
      continue;
    }
    // Between words there is one space; a literal's line ends behind one, and the next begins with one.
    const isAfterLiteral = index > 0;
    if (isAfterLiteral && piece === '') continue;
    const found = readWords(isAfterLiteral ? piece.replace(/^ /, '') : piece);
    if (found === undefined) return undefined;
    words.push(...found);
  }
  return words;
}

function readWords(line: string): Word[] | undefined {
  const words: Word[] = [];
  const word = /"((?:[^"\\\0]|\\["\\])*)"(?= |$)|([0-9]{1,15})(?= |$)|([A-Za-z]+)(?= |$)/y;
  for (let at = 0; at < line.length; ) {
    if (line.charCodeAt(at) === space) {
      at++;
      continue;
    }
    word.lastIndex = at;
    const found = word.exec(line);
    if (found === null) return undefined;
    const [whole, quoted, digits, atom] = found;
    if (quoted !== undefined) words.push({ kind: 'string', text: quoted.replace(/\\(.)/g, '$1') });
    else if (digits !== undefined) words.push({ kind: 'number', value: Number(digits) });
    else words.push({ kind: 'atom', text: atom! });
    at += whole.length;
  }
  return words;
}

/** A string as servers send it: quoted where it can be. */
export function formatString(text: string): string {
  if (!/[\r\n\0]/.test(text) && Buffer.byteLength(text) <= 1024) return `"${text.replace(/["\\]/g, '\\$&')}"`;
  return `{${Buffer.byteLength(text)}}\r\n${text}`;
}
