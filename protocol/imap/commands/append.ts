/**
 * append = "APPEND" SP mailbox 1*append-message; append-message = [SP flag-list] [SP date-time] SP append-data (RFC 9051 §6.3.12, RFC 3502 §6.3.11).
 *   append-data = literal / literal8 (RFC 3516 §4.4) / "UTF8" SP "(" literal8 ")" (RFC 6855 §4: older clients still send it)
 *   append-data =/ "CATENATE" SP "(" cat-part *(SP cat-part) ")"; cat-part = "TEXT" SP literal / "URL" SP astring (RFC 4469 §5)
 * replace = ("REPLACE" / "UID" SP "REPLACE") SP seq-number SP mailbox append-message (RFC 8508 §3.5)
 */
import { decodeDateTime, formatDateTime } from '../date-time.ts';
import { decodeFlagList } from '../flags.ts';
import { catenatePartsMax } from '../limits.ts';
import { decodeMailbox } from '../mailbox-name.ts';
import { star } from '../sequence-set.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export type CatenatePart = { readonly text: Buffer } | { readonly url: string };

interface MessageHead {
  readonly flags: readonly string[];
  /** Milliseconds since the epoch; absent when the client leaves it to the server. */
  readonly receivedAt?: number;
}

/** A message, whole or in parts. */
export type AppendedMessage = MessageHead & ({ readonly message: Buffer } | { readonly parts: readonly CatenatePart[] });

export interface AppendArguments {
  readonly mailbox: string;
  /** One, or several that are appended together or not at all. */
  readonly messages: readonly AppendedMessage[];
}

export interface ReplaceArguments extends AppendArguments {
  /** Message number or UID; 0 for `*`. */
  readonly target: number;
}

export function decodeAppend(scanner: Scanner, { acceptsUtf8 }: Pick<DecodeContext, 'acceptsUtf8'>): AppendArguments {
  scanner.space();
  const mailbox = decodeMailbox(scanner, acceptsUtf8);
  const messages: AppendedMessage[] = [];
  do messages.push(decodeMessage(scanner));
  while (!scanner.isAtEnd());
  return { mailbox, messages };
}

export function decodeReplace(scanner: Scanner, { acceptsUtf8 }: Pick<DecodeContext, 'acceptsUtf8'>): ReplaceArguments {
  scanner.space();
  const target = scanner.take('*') ? star : scanner.nzNumber();
  scanner.space();
  const mailbox = decodeMailbox(scanner, acceptsUtf8);
  const messages = [decodeMessage(scanner)];
  scanner.expectEnd();
  return { target, mailbox, messages };
}

function decodeMessage(scanner: Scanner): AppendedMessage {
  scanner.space();
  let flags: string[] = [];
  if (scanner.isNext('(')) {
    flags = decodeFlagList(scanner);
    scanner.space();
  }
  if (!scanner.isNext('"')) return { flags, ...decodeData(scanner) };
  const receivedAt = decodeDateTime(scanner);
  scanner.space();
  return { flags, receivedAt, ...decodeData(scanner) };
}

function decodeData(scanner: Scanner): { message: Buffer } | { parts: CatenatePart[] } {
  if (scanner.isStringNext()) return { message: scanner.literal() };
  const name = scanner.keyword('a literal, UTF8 or CATENATE');
  scanner.space();
  if (name === 'CATENATE') return { parts: decodeParts(scanner) };
  if (name !== 'UTF8') scanner.fail('a literal, UTF8 or CATENATE');
  scanner.expect('(');
  const message = scanner.literal();
  scanner.expect(')');
  return { message };
}

function decodeParts(scanner: Scanner): CatenatePart[] {
  const parts = scanner.list((): CatenatePart => {
    const name = scanner.keyword('TEXT or URL');
    scanner.space();
    if (name === 'URL') return { url: scanner.astringText() };
    if (name !== 'TEXT') scanner.fail('TEXT or URL');
    return { text: scanner.literal() };
  });
  if (parts.length === 0) scanner.fail('TEXT or URL');
  if (parts.length > catenatePartsMax) scanner.fail(`at most ${catenatePartsMax} parts`);
  return parts;
}

export function encodeAppend({ mailbox, messages }: AppendArguments): Buffer {
  return encodeMessages(new CommandWriter().raw('APPEND ').mailbox(mailbox), messages).toBuffer();
}

export function encodeReplace({ target, mailbox, messages }: ReplaceArguments, prefix = ''): Buffer {
  const writer = new CommandWriter().raw(`${prefix}REPLACE ${target === star ? '*' : target} `).mailbox(mailbox);
  return encodeMessages(writer, messages).toBuffer();
}

function encodeMessages(writer: CommandWriter, messages: readonly AppendedMessage[]): CommandWriter {
  for (const appended of messages) {
    const { flags, receivedAt } = appended;
    writer.sp();
    if (flags.length > 0) writer.raw(`(${flags.join(' ')}) `);
    if (receivedAt !== undefined) writer.raw(`${formatDateTime(receivedAt)} `);
    if ('message' in appended) writer.literal(appended.message);
    else
      writer.raw('CATENATE ').list(appended.parts, (part) => {
        if ('text' in part) writer.raw('TEXT ').literal(part.text);
        else writer.raw('URL ').astring(part.url);
      });
  }
  return writer;
}
