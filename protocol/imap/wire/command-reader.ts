/**
 * Cuts a client's byte stream into commands, at any split of the input (RFC 9051 §2.2.1, §4.3, RFC 7888). It knows lines and literals and nothing
 * of what they say: it reports each announced literal before it takes a byte of it, and its owner accepts or refuses. Memory is bounded: text by
 * `commandBytesMax`, a literal by what the owner accepted; what was refused is read past without being kept.
 */
import { discardedBytesMax, literalsMax } from '../limits.ts';

/** A whole command: its text without the last line end, each literal's announcement in place, and the literals in order. */
export interface CommandBytes {
  readonly text: Buffer;
  readonly literals: readonly Buffer[];
}

export type ReaderEvent =
  | ({ readonly kind: 'command' } & CommandBytes)
  /** A literal is announced: answer with acceptLiteral() or refuseLiteral() before next(). */
  | {
      readonly kind: 'literal';
      readonly text: Buffer;
      readonly literals: readonly Buffer[];
      readonly octets: number;
      /** The client waits for `+` (RFC 3501 §4.3); otherwise the bytes follow at once (RFC 7888). */
      readonly isSynchronizing: boolean;
    }
  /** The command is longer than it may be; it is read past. `text` is its beginning. */
  | { readonly kind: 'overlong'; readonly text: Buffer }
  /** A refused command does not end: close the connection. */
  | { readonly kind: 'endless' };

type State = 'text' | 'asked' | 'literal' | 'discardText' | 'discardLiteral' | 'dead';

const lineFeed = 0x0a;
/** The longest announcement: `~{4294967295+}` and a line end. */
const announcementBytesMax = 18;
/** Bytes of an overlong command that are shown: enough for its tag. */
const sampleBytes = 64;

export class CommandReader {
  /** May be raised when the client has logged in. */
  commandBytesMax: number;
  #input: Buffer = Buffer.alloc(0);
  #at = 0;
  #state: State = 'text';
  /** What has come of the command's text before `#input`. */
  #text: Buffer | undefined;
  #textBytes = 0;
  #literals: Buffer[] = [];
  #literal: Buffer = Buffer.alloc(0);
  #literalBytes = 0;
  #literalEnd = 0;
  #isSynchronizing = false;
  #discardBytes = 0;
  #discarded = 0;
  /** The last bytes of a text that is thrown away: it may end in an announcement. */
  #discardTail = '';

  constructor(commandBytesMax: number) {
    this.commandBytesMax = commandBytesMax;
  }

  /** Takes more input. Call when next() has returned undefined: what is left of the chunk before is nothing then. */
  push(chunk: Buffer): void {
    this.#input = this.#at < this.#input.length ? Buffer.concat([this.#input.subarray(this.#at), chunk]) : chunk;
    this.#at = 0;
  }

  /** Bytes that came and are not yet consumed. */
  get pendingBytes(): number {
    return this.#input.length - this.#at;
  }

  /** Throws away what came and was not consumed: bytes before a TLS handshake are not the client's word (CVE-2011-0411). Returns how many. */
  drop(): number {
    const dropped = this.pendingBytes;
    this.#input = Buffer.alloc(0);
    this.#at = 0;
    return dropped;
  }

  /** The next event, or undefined when more bytes are needed. */
  next(): ReaderEvent | undefined {
    for (;;) {
      switch (this.#state) {
        case 'text': {
          const event = this.#readText();
          if (event !== undefined || this.#state === 'text') return event;
          break;
        }
        case 'asked':
          throw new Error('a literal was announced: accept or refuse it first');
        case 'literal':
          if (!this.#readLiteral()) return undefined;
          break;
        case 'discardText':
          if (!this.#discardText()) return this.#isDead() ? { kind: 'endless' } : undefined;
          break;
        case 'discardLiteral':
          if (!this.#discardLiteral()) return this.#isDead() ? { kind: 'endless' } : undefined;
          break;
        case 'dead':
          return { kind: 'endless' };
      }
    }
  }

  /** A line outside commands (DONE, a SASL response), without its line end; undefined when more bytes are needed, null when it is too long. */
  nextLine(bytesMax: number): Buffer | null | undefined {
    const lineEnd = this.#input.indexOf(lineFeed, this.#at);
    const isTooLong = this.#textBytes + (lineEnd < 0 ? this.#input.length : lineEnd) - this.#at > bytesMax;
    if (isTooLong) {
      this.#startDiscard();
      return null;
    }
    if (lineEnd < 0) {
      this.#keepText(this.#input.length);
      return undefined;
    }
    return this.#takeText(lineEnd);
  }

  acceptLiteral(): void {
    this.#state = 'literal';
    // A client's claim gets no memory before its bytes come.
    this.#literal = Buffer.allocUnsafe(Math.min(this.#literalEnd, 256 * 1024));
    this.#literalBytes = 0;
  }

  /** RFC 9051 §4.3: after a refused synchronizing literal the client sends the next command; after the other kind the rest of this one follows. */
  refuseLiteral(): void {
    const isSynchronizing = this.#isSynchronizing;
    const octets = this.#literalEnd;
    this.#startDiscard();
    if (isSynchronizing) this.#state = 'text';
    else {
      this.#discardBytes = octets;
      this.#state = 'discardLiteral';
    }
  }

  #readText(): ReaderEvent | undefined {
    const lineEnd = this.#input.indexOf(lineFeed, this.#at);
    const end = lineEnd < 0 ? this.#input.length : lineEnd + 1;
    if (this.#textBytes + end - this.#at > this.commandBytesMax) {
      const sample = Math.min(sampleBytes, this.commandBytesMax);
      this.#keepText(Math.min(end, this.#at + Math.max(0, sample - this.#textBytes)));
      const text = Buffer.from(this.#text!.subarray(0, sample));
      const tail = this.#text!.toString('latin1', Math.max(0, this.#textBytes - announcementBytesMax), this.#textBytes);
      this.#startDiscard();
      this.#discardTail = tail;
      return { kind: 'overlong', text };
    }
    if (lineEnd < 0) {
      this.#keepText(end);
      return undefined;
    }
    const announcement = this.#announcement(lineEnd);
    if (announcement === undefined) {
      const literals = this.#literals;
      this.#literals = [];
      return { kind: 'command', text: this.#takeText(lineEnd), literals };
    }
    this.#keepText(end);
    if (this.#literals.length >= literalsMax) {
      const text = this.#text!.subarray(0, this.#textBytes);
      this.#isSynchronizing = announcement.isSynchronizing;
      this.#literalEnd = announcement.octets;
      this.refuseLiteral();
      return { kind: 'overlong', text };
    }
    this.#state = 'asked';
    this.#literalEnd = announcement.octets;
    this.#isSynchronizing = announcement.isSynchronizing;
    return { kind: 'literal', text: this.#text!.subarray(0, this.#textBytes), literals: this.#literals, ...announcement };
  }

  /** literal = ["~"] "{" number64 ["+" / "-"] "}" CRLF at the end of the line. */
  #announcement(lineEnd: number): { octets: number; isSynchronizing: boolean } | undefined {
    const before = this.#input[lineEnd - 1];
    if (lineEnd > this.#at && before !== 0x7d && before !== 0x0d) return undefined;
    const inInput = this.#input.toString('latin1', Math.max(this.#at, lineEnd - announcementBytesMax), lineEnd + 1);
    const inText =
      inInput.length >= announcementBytesMax || this.#text === undefined
        ? ''
        : this.#text.toString('latin1', Math.max(0, this.#textBytes - announcementBytesMax), this.#textBytes);
    return parseAnnouncement(inText + inInput);
  }

  #readLiteral(): boolean {
    const bytes = Math.min(this.#literalEnd - this.#literalBytes, this.#input.length - this.#at);
    if (this.#literalBytes + bytes > this.#literal.length) {
      const larger = Buffer.allocUnsafe(Math.min(this.#literalEnd, Math.max(this.#literal.length * 2, this.#literalBytes + bytes)));
      this.#literal.copy(larger, 0, 0, this.#literalBytes);
      this.#literal = larger;
    }
    this.#input.copy(this.#literal, this.#literalBytes, this.#at, this.#at + bytes);
    this.#literalBytes += bytes;
    this.#at += bytes;
    if (this.#literalBytes < this.#literalEnd) return false;
    this.#literals.push(this.#literal.subarray(0, this.#literalEnd));
    this.#literal = Buffer.alloc(0);
    this.#state = 'text';
    return true;
  }

  /** Appends input up to `end` to the text that is kept. */
  #keepText(end: number): void {
    const bytes = end - this.#at;
    const needed = this.#textBytes + bytes;
    if (this.#text === undefined || needed > this.#text.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, (this.#text?.length ?? 0) * 2));
      this.#text?.copy(larger, 0, 0, this.#textBytes);
      this.#text = larger;
    }
    this.#input.copy(this.#text, this.#textBytes, this.#at, end);
    this.#textBytes = needed;
    this.#at = end;
  }

  /** The text up to the line end at `lineEnd`, which is consumed. Without a part kept before it is a view on the input. */
  #takeText(lineEnd: number): Buffer {
    let text: Buffer;
    if (this.#text === undefined) {
      text = this.#input.subarray(this.#at, lineEnd);
      this.#at = lineEnd;
    } else {
      this.#keepText(lineEnd);
      text = this.#text.subarray(0, this.#textBytes);
      this.#text = undefined;
      this.#textBytes = 0;
    }
    this.#at += 1;
    // RFC 9051 §2.2 ends lines with CRLF; LF alone is read too, for people who type into netcat.
    return text.at(-1) === 0x0d ? text.subarray(0, -1) : text;
  }

  #startDiscard(): void {
    this.#state = 'discardText';
    this.#text = undefined;
    this.#textBytes = 0;
    this.#literals = [];
    this.#discarded = 0;
    this.#discardTail = '';
  }

  #discardText(): boolean {
    const lineEnd = this.#input.indexOf(lineFeed, this.#at);
    const end = lineEnd < 0 ? this.#input.length : lineEnd + 1;
    this.#discardTail = (this.#discardTail + this.#input.toString('latin1', Math.max(this.#at, end - announcementBytesMax), end)).slice(
      -announcementBytesMax,
    );
    this.#discarded += end - this.#at;
    this.#at = end;
    if (lineEnd < 0) return false;
    const announcement = parseAnnouncement(this.#discardTail);
    this.#discardTail = '';
    if (announcement === undefined || announcement.isSynchronizing) this.#state = 'text';
    else {
      this.#discardBytes = announcement.octets;
      this.#state = 'discardLiteral';
    }
    return true;
  }

  #discardLiteral(): boolean {
    const bytes = Math.min(this.#discardBytes, this.#input.length - this.#at);
    this.#at += bytes;
    this.#discardBytes -= bytes;
    this.#discarded += bytes;
    if (this.#discardBytes > 0) return false;
    this.#state = 'discardText';
    return true;
  }

  #isDead(): boolean {
    if (this.#discarded + this.#discardBytes <= discardedBytesMax) return false;
    this.#state = 'dead';
    return true;
  }
}

function parseAnnouncement(line: string): { octets: number; isSynchronizing: boolean } | undefined {
  const match = /\{(\d{1,10})([+-]?)\}\r?\n$/.exec(line);
  if (match === null) return undefined;
  return { octets: Number(match[1]), isSynchronizing: match[2] === '' };
}
