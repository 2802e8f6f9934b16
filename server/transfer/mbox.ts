/**
 * Mbox: messages one after the other, each behind a line `From sender date`. There are dialects; this reads what they share, and undoes the `>`
 * that stands before a line of a message that begins like a separator (mboxo and mboxrd). It writes mboxrd.
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

export async function* readMbox(chunks: AsyncIterable<Buffer>, { messageBytesMax, onFault }: MboxOptions): AsyncGenerator<MboxMessage> {
  let lines: Buffer[] = [];
  let length = 0;
  let begin: { readonly offset: number; readonly receivedAt: number | undefined } | undefined;
  let isBlankBefore = true;
  let passedOver = 0;
  let offset = 0;

  const finish = (): MboxMessage | undefined => {
    if (begin === undefined) {
      if (passedOver > 0) onFault(`${passedOver} bytes before the first message are no message`, 0);
      return undefined;
    }
    if (length > messageBytesMax) {
      onFault(`a message of ${length} bytes is larger than ${messageBytesMax}`, begin.offset);
      return undefined;
    }
    // The blank line before the next separator is the dialect's, not the message's.
    if (lines.length > 0 && isBlank(lines.at(-1)!)) lines.pop();
    const raw = Buffer.concat(lines);
    if (raw.length === 0) onFault('a message is empty', begin.offset);
    return raw.length === 0 ? undefined : { raw, receivedAt: begin.receivedAt };
  };

  for await (const line of linesOf(chunks)) {
    const separator = isBlankBefore ? separatorDate(line) : undefined;
    if (separator !== undefined) {
      const message = finish();
      if (message !== undefined) yield message;
      begin = { offset, receivedAt: separator.ms };
      lines = [];
      length = 0;
      isBlankBefore = false;
    } else {
      if (begin === undefined) passedOver += line.length;
      else {
        length += line.length;
        if (length <= messageBytesMax) lines.push(unquoted(line));
      }
      isBlankBefore = isBlank(line);
    }
    offset += line.length;
  }
  const last = finish();
  if (last !== undefined) yield last;
}

/** Whether a file that begins with these bytes is an mbox. */
export const looksLikeMbox = (beginning: Buffer) => separatorDate(firstLine(beginning)) !== undefined;

/** The separator's time; undefined for a line that is none: `From ` begins sentences too, so a time of day must be in it. */
function separatorDate(line: Buffer): { readonly ms: number | undefined } | undefined {
  if (line.length > separatorBytesMax || line.toString('latin1', 0, 5) !== 'From ') return undefined;
  const [, date] =
    /^From (?:.*?\s)?((?:[A-Za-z]{3},?\s+)?(?:[A-Za-z]{3}\s+\d{1,2}|\d{1,2}\s+[A-Za-z]{3})\s.*?\d{1,2}:\d{2}.*)$/.exec(
      line.toString('latin1').trimEnd(),
    ) ?? [];
  if (date === undefined) return undefined;
  return { ms: parseDate(date)?.ms };
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
