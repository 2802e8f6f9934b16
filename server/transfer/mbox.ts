/**
 * Mbox: messages one after the other, each behind a line `From sender date`. There are dialects; this reads what they share, undoes the `>`
 * that stands before a line of a message that begins like a separator (mboxo and mboxrd), and goes by Content-Length where it proves right
 * (mboxcl and mboxcl2). It writes mboxrd.
 */
import { parseDate } from '../../protocol/mime/date.ts';

export interface MboxMessage {
  readonly raw: Buffer;
  /** What the separator says, milliseconds since the epoch. */
  readonly receivedAt: number | undefined;
}

export interface MboxOptions {
  readonly messageBytesMax: number;
  /** Told what could not be read, and where: byte of the file. */
  readonly onFault: (sentence: string, offset: number) => void;
}

const newline = 10;
/** A line that is longer is cut in pieces for looking at it; no separator is. */
const separatorBytesMax = 512;
/** Lines kept one by one. */
const linesMax = 4096;

/** A line that looks like a separator, within the length that the message claims for itself. */
interface Suspect {
  readonly line: number;
  readonly offset: number;
  readonly receivedAt: number | undefined;
}

export async function* readMbox(chunks: AsyncIterable<Buffer>, options: MboxOptions): AsyncGenerator<MboxMessage> {
  let message: MessageLines | undefined;
  let isBlankBefore = true;
  let passedOver = 0;
  let offset = 0;
  for await (const { line, next } of withNext(linesOf(chunks))) {
    const date = separatorDate(line);
    // Some writers leave the blank line out; then a header must follow, since sentences begin so too.
    const separator = date !== undefined && (isBlankBefore || (next !== undefined && beginsHeader(next))) ? date : undefined;
    if (separator !== undefined && message?.claims(line) !== true) {
      if (message !== undefined) yield* message.finish();
      message = new MessageLines(offset, separator.ms, options);
      isBlankBefore = false;
    } else {
      // The first message of some files has no separator before it.
      if (message === undefined && passedOver === 0 && beginsHeader(line)) message = new MessageLines(offset, undefined, options);
      if (message !== undefined) message.add(line, next, separator === undefined ? undefined : { offset, receivedAt: separator.ms });
      else if (!isBlank(line)) passedOver += line.length;
      isBlankBefore = isBlank(line);
    }
    if (message === undefined) isBlankBefore = true;
    offset += line.length;
  }
  if (message !== undefined) yield* message.finish();
  else if (passedOver > 0) options.onFault(`${passedOver} bytes are no message`, 0);
}

/** The lines of the message that is being read. */
class MessageLines {
  readonly #options: MboxOptions;
  readonly #offset: number;
  readonly #receivedAt: number | undefined;
  /** What is read and settled, unquoted; the rest of the lines comes after it. */
  readonly #settled: Buffer[] = [];
  readonly #lines: Buffer[] = [];
  #length = 0;
  #isHeader = true;
  /** What Content-Length says is still to come; 0 when it says nothing, or nothing that can be believed. */
  #claimed = 0;
  /** That was the last line of what it claimed. */
  #endsHere = false;
  #suspects: Suspect[] = [];
  /** mboxcl2 quotes nothing: a separator of its own kind lies bare in the message. */
  #isBare = false;

  constructor(offset: number, receivedAt: number | undefined, options: MboxOptions) {
    this.#offset = offset;
    this.#receivedAt = receivedAt;
    this.#options = options;
  }

  /** Whether the line lies within what the message says of its length. */
  claims(line: Buffer): boolean {
    return this.#claimed >= line.length;
  }

  add(line: Buffer, next: Buffer | undefined, suspect: Omit<Suspect, 'line'> | undefined): void {
    if (suspect !== undefined) this.#suspects.push({ line: this.#lines.length, ...suspect });
    this.#length += line.length;
    if (this.#length <= this.#options.messageBytesMax) this.#lines.push(line);
    if (this.#isHeader) {
      if (!isBlank(line)) return;
      this.#isHeader = false;
      const claimed = contentLength(this.#lines);
      this.#claimed = this.#length + claimed <= this.#options.messageBytesMax ? claimed : 0;
    } else if (this.#claimed > 0) {
      this.#claimed -= line.length;
      this.#endsHere = this.#claimed === 0;
      if (this.#claimed < 0) this.#claimed = 0;
    } else if (this.#endsHere && !isBlank(line)) this.#endsHere = false;
    else if (!this.#endsHere && this.#suspects.length === 0 && this.#lines.length >= linesMax) this.#settle();
    // Right only when the next message, or the end, is where it says, but for a blank line.
    if (!this.#endsHere || (next !== undefined && separatorDate(next) === undefined)) return;
    this.#isBare ||= this.#suspects.length > 0;
    this.#suspects = [];
  }

  /** A message of a million short lines takes no million buffers. The last line may be the dialect's. */
  #settle(): void {
    const lines = this.#lines.splice(0, this.#lines.length - 1);
    this.#settled.push(Buffer.concat(this.#isBare ? lines : lines.map(unquoted)));
  }

  *finish(): Generator<MboxMessage> {
    const { messageBytesMax, onFault } = this.#options;
    if (this.#length > messageBytesMax)
      return onFault(`a message of ${this.#length} bytes is larger than ${messageBytesMax}`, this.#offset);
    // The length that the message claimed was wrong: what looked like separators were some.
    const starts = [{ line: -1, offset: this.#offset, receivedAt: this.#receivedAt }, ...this.#suspects];
    for (const [index, { line, offset, receivedAt }] of starts.entries()) {
      const lines = this.#lines.slice(line + 1, starts[index + 1]?.line);
      // The blank line before the next separator is the dialect's, not the message's.
      if (lines.length > 0 && isBlank(lines.at(-1)!)) lines.pop();
      const rest = this.#isBare ? lines : lines.map(unquoted);
      const raw = Buffer.concat(index === 0 ? [...this.#settled, ...rest] : rest);
      if (raw.length === 0) onFault('a message is empty', offset);
      else yield { raw, receivedAt };
    }
  }
}

/** Of a header's lines; 0 where there is none that is a number. */
function contentLength(lines: readonly Buffer[]): number {
  for (const line of lines) {
    const [, octets] = /^content-length:[ \t]*(\d{1,15})[ \t]*\r?\n$/i.exec(line.length > 64 ? '' : line.toString('latin1')) ?? [];
    if (octets !== undefined) return Number(octets);
  }
  return 0;
}

/** RFC 5322 §2.2: a field begins with its name and a colon. */
export const beginsHeader = (line: Buffer) => /^[\x21-\x39\x3b-\x7e]{1,128}[ \t]*:/.test(line.toString('latin1', 0, 200));

async function* withNext(lines: AsyncIterable<Buffer>): AsyncGenerator<{ readonly line: Buffer; readonly next: Buffer | undefined }> {
  let line: Buffer | undefined;
  for await (const next of lines) {
    if (line !== undefined) yield { line, next };
    line = next;
  }
  if (line !== undefined) yield { line, next: undefined };
}

/** Whether a file that begins with these bytes is an mbox. */
export function looksLikeMbox(beginning: Buffer): boolean {
  let at = 0;
  while (beginning[at] === newline || beginning[at] === 13) at++;
  return separatorDate(firstLine(beginning.subarray(at))) !== undefined;
}

/** The separator's time; undefined for a line that is none: `From ` begins sentences too, so a time of day must be in it. */
function separatorDate(line: Buffer): { readonly ms: number | undefined } | undefined {
  if (line.length > separatorBytesMax || line.toString('latin1', 0, 5) !== 'From ') return undefined;
  const [, date] =
    /^From (?:.*?\s)?((?:[A-Za-z]{3},?\s+)?(?:[A-Za-z]{3}\s+\d{1,2}|\d{1,2}\s+[A-Za-z]{3})\s.*?\d{1,2}:\d{2}.*)$/.exec(
      line.toString('latin1').trimEnd(),
    ) ?? [];
  if (date === undefined) return undefined;
  // Google writes the zone before the year.
  return { ms: parseDate(date.replace(/ ([+-]\d{4}) (\d{4})$/, ' $2 $1'))?.ms };
}

function unquoted(line: Buffer): Buffer {
  if (line[0] !== 0x3e) return line;
  let at = 1;
  while (line[at] === 0x3e) at++;
  return line.toString('latin1', at, at + 5) === 'From ' ? line.subarray(1) : line;
}

const isBlank = (line: Buffer) => line.length <= 2 && (line[0] === newline || (line[0] === 13 && line[1] === newline));

function firstLine(bytes: Buffer): Buffer {
  const end = bytes.indexOf(newline);
  return end < 0 ? bytes : bytes.subarray(0, end + 1);
}

/** Lines with their ends. A line that spans chunks is put together; one without end comes in pieces of a chunk's size. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer | undefined;
  for await (const chunk of chunks) {
    let bytes: Buffer = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline)) {
      yield bytes.subarray(0, end + 1);
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > 1024 * 1024) {
      yield bytes;
      rest = undefined;
    } else rest = bytes.length === 0 ? undefined : bytes;
  }
  if (rest !== undefined) yield rest;
}

/** A message as mboxrd has it: separator, quoted text, a blank line. */
export function formatMboxMessage(raw: Buffer, from: string, receivedAt: number): Buffer {
  const sender = /^[\x21-\x7e]+$/.test(from) ? from : 'MAILER-DAEMON';
  const parts: Buffer[] = [Buffer.from(`From ${sender} ${asctime(receivedAt)}\n`)];
  let start = 0;
  while (start < raw.length) {
    const found = raw.indexOf(newline, start);
    const end = found < 0 ? raw.length : found + 1;
    let at = start;
    while (raw[at] === 0x3e) at++;
    if (raw.toString('latin1', at, at + 5) === 'From ') parts.push(Buffer.from('>'));
    parts.push(raw.subarray(start, end));
    start = end;
  }
  parts.push(Buffer.from(raw.at(-1) === newline ? '\n' : '\n\n'));
  return Buffer.concat(parts);
}

/** `Thu Jan  1 00:00:00 1970`, UTC. */
function asctime(ms: number): string {
  const [, weekday, day, month, year, time] = /^(\w+), (\d+) (\w+) (\d+) (\S+)/.exec(new Date(ms).toUTCString()) ?? [];
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
}
