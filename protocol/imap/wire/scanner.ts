/**
 * Reads the tokens of one command (RFC 9051 §9, RFC 3501 §9): a cursor over its text, with its literals beside it. The text holds each literal's
 * announcement (`{5}` CRLF) where the literal stood. Strings are views on the bytes that came in; nothing is copied. Whatever does not fit the
 * grammar is a ProtocolError that says where and what was expected.
 */
import { ProtocolError } from '../../mail/errors.ts';

const space = 0x20;
const doubleQuote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;

const isAtomByte = classOf((code) => code > 0x20 && code < 0x7f && !'(){%*"\\]'.includes(String.fromCharCode(code)));
/** ASTRING-CHAR = ATOM-CHAR / resp-specials */
const isAstringByte = classOf((code) => isAtomByte[code] === 1 || code === 0x5d);
/** list-char = ATOM-CHAR / list-wildcards / resp-specials */
const isListByte = classOf((code) => isAstringByte[code] === 1 || code === 0x25 || code === 0x2a);
/** tag = 1*<any ASTRING-CHAR except "+"> */
const isTagByte = classOf((code) => isAstringByte[code] === 1 && code !== 0x2b);

function classOf(test: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (test(code) ? 1 : 0));
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class Scanner {
  readonly text: Buffer;
  position = 0;
  readonly #literals: readonly Buffer[];
  #literalsRead = 0;

  constructor(text: Buffer, literals: readonly Buffer[] = []) {
    this.text = text;
    this.#literals = literals;
  }

  fail(expected: string): never {
    throw new ProtocolError(`expected ${expected}`, this.position);
  }

  isAtEnd(): boolean {
    return this.position >= this.text.length;
  }

  expectEnd(): void {
    if (!this.isAtEnd()) this.fail('the end of the command');
  }

  /** The next byte, or -1 at the end. */
  peek(): number {
    return this.text[this.position] ?? -1;
  }

  isNext(character: string): boolean {
    return this.peek() === character.charCodeAt(0);
  }

  /** Steps over one character if it is next. */
  take(character: string): boolean {
    if (!this.isNext(character)) return false;
    this.position += 1;
    return true;
  }

  expect(character: string): void {
    if (!this.take(character)) this.fail(`"${character}"`);
  }

  space(): void {
    if (this.text[this.position] !== space) this.fail('a space');
    this.position += 1;
  }

  tag(): string {
    return this.#run(isTagByte, 'a tag');
  }

  atom(): string {
    return this.#run(isAtomByte, 'an atom');
  }

  /** An atom in upper case: names of commands, items and keys are matched in any case. */
  keyword(expected = 'a keyword'): string {
    return this.#run(isAtomByte, expected).toUpperCase();
  }

  /** A run of letters, digits and dots, in upper case: what names a FETCH item before `[`. */
  itemName(): string {
    const start = this.position;
    while (isItemByte(this.peek())) this.position += 1;
    if (this.position === start) this.fail('the name of a data item');
    return this.text.toString('latin1', start, this.position).toUpperCase();
  }

  #run(bytes: Uint8Array, expected: string): string {
    const start = this.position;
    while (this.position < this.text.length && bytes[this.text[this.position]!] === 1) this.position += 1;
    if (this.position === start) this.fail(expected);
    return this.text.toString('latin1', start, this.position);
  }

  /** number: 0 … 4294967295, or up to `max`. Leading zeros are read. */
  number(max = 0xffffffff): number {
    const start = this.position;
    let value = 0;
    for (let code = this.peek(); code >= 0x30 && code <= 0x39; code = this.peek()) {
      value = value * 10 + (code - 0x30);
      if (value > max) this.fail(`a number up to ${max}`);
      this.position += 1;
    }
    if (this.position === start) this.fail('a number');
    return value;
  }

  nzNumber(): number {
    const start = this.position;
    const value = this.number();
    if (value === 0) {
      this.position = start;
      this.fail('a number above zero');
    }
    return value;
  }

  /** RFC 7162 §7 mod-sequence-valzer, up to 2^63-1. Past 2^53 it is above every one that was given, and so is 2^53-1. */
  modSeq(): number {
    const start = this.position;
    while (this.peek() >= 0x30 && this.peek() <= 0x39) this.position += 1;
    const digits = this.text.toString('latin1', start, this.position);
    if (digits === '' || digits.length > 19) {
      this.position = start;
      this.fail('a mod-sequence');
    }
    return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
  }

  isStringNext(): boolean {
    const next = this.peek();
    return next === doubleQuote || next === openBrace || (next === 0x7e && this.text[this.position + 1] === openBrace);
  }

  /** string = quoted / literal, as bytes. */
  string(): Buffer {
    if (this.peek() === doubleQuote) return this.#quoted();
    if (this.isStringNext()) return this.literal();
    return this.fail('a string');
  }

  /** astring = 1*ASTRING-CHAR / string, as bytes. */
  astring(): Buffer {
    return this.isStringNext() ? this.string() : this.#view(isAstringByte, 'a string');
  }

  /** list-mailbox = 1*list-char / string */
  listMailbox(): Buffer {
    return this.isStringNext() ? this.string() : this.#view(isListByte, 'a mailbox pattern');
  }

  /** nstring = string / "NIL" */
  nstring(): Buffer | null {
    if (this.isStringNext()) return this.string();
    if (this.keyword('a string or NIL') === 'NIL') return null;
    return this.fail('a string or NIL');
  }

  /** An astring as text, which must be UTF-8 without NUL. */
  astringText(): string {
    return this.#decode(this.astring());
  }

  stringText(): string {
    return this.#decode(this.string());
  }

  /** The same of bytes that a caller has read. */
  decode(bytes: Buffer): string {
    return this.#decode(bytes);
  }

  /** The next literal. Its bytes are whatever the client sent, NUL included. */
  literal(): Buffer {
    if (this.peek() === 0x7e) this.position += 1;
    const lineEnd = this.text.indexOf(0x0a, this.position);
    const literal = this.#literals[this.#literalsRead];
    if (this.peek() !== openBrace || lineEnd < 0 || literal === undefined) return this.fail('a literal');
    this.#literalsRead += 1;
    this.position = lineEnd + 1;
    return literal;
  }

  /** "(" [item *(SP item)] ")" */
  list<T>(readItem: () => T): T[] {
    const items: T[] = [];
    this.expect('(');
    if (this.take(')')) return items;
    do items.push(readItem());
    while (this.take(' '));
    this.expect(')');
    return items;
  }

  /** quoted = DQUOTE *QUOTED-CHAR DQUOTE. 8-bit bytes pass: RFC 9755 allows them, and some clients send them unasked. */
  #quoted(): Buffer {
    const { text } = this;
    const start = this.position + 1;
    let at = start;
    let hasEscapes = false;
    for (; ; at += 1) {
      const code = text[at];
      if (code === undefined || code === 0x0d || code === 0x0a || code === 0) {
        this.position = Math.min(at, text.length);
        return this.fail('the end of a quoted string');
      }
      if (code === doubleQuote) break;
      if (code !== backslash) continue;
      const escaped = text[at + 1];
      if (escaped !== doubleQuote && escaped !== backslash) {
        this.position = at + 1;
        return this.fail('\\" or \\\\ after a backslash');
      }
      hasEscapes = true;
      at += 1;
    }
    this.position = at + 1;
    const content = text.subarray(start, at);
    return hasEscapes ? withoutEscapes(content) : content;
  }

  #view(bytes: Uint8Array, expected: string): Buffer {
    const start = this.position;
    this.#run(bytes, expected);
    return this.text.subarray(start, this.position);
  }

  #decode(bytes: Buffer): string {
    if (bytes.includes(0)) return this.fail('a string without NUL');
    try {
      return strictUtf8.decode(bytes);
    } catch {
      return this.fail('a string in UTF-8');
    }
  }
}

function isItemByte(code: number): boolean {
  return (
    (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x2e || code === 0x2d
  );
}

function withoutEscapes(content: Buffer): Buffer {
  const plain = Buffer.allocUnsafe(content.length);
  let length = 0;
  for (let at = 0; at < content.length; at += 1) {
    if (content[at] === backslash) at += 1;
    plain[length++] = content[at]!;
  }
  return plain.subarray(0, length);
}
