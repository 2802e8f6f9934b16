/**
 * append = "APPEND" SP mailbox 1*append-message; append-message = [SP flag-list] [SP date-time] SP literal (RFC 9051 §6.3.12).
 * The reader asks about the literal before it comes: decodeAppendHead reads what stands before it.
 */
import { decodeDateTime, formatDateTime } from '../date-time.ts';
import { decodeFlagList } from '../flags.ts';
import { decodeMailbox } from '../mailbox-name.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export interface AppendHead {
  readonly mailbox: string;
  readonly flags: readonly string[];
  /** Milliseconds since the epoch; absent when the client leaves it to the server. */
  readonly receivedAt?: number;
}

export interface AppendArguments extends AppendHead {
  readonly message: Buffer;
}

export function decodeAppend(scanner: Scanner, context: DecodeContext): AppendArguments {
  const head = decodeAppendHead(scanner, context);
  const message = scanner.literal();
  scanner.expectEnd();
  return { ...head, message };
}

export function decodeAppendHead(scanner: Scanner, { acceptsUtf8 }: DecodeContext): AppendHead {
  scanner.space();
  const mailbox = decodeMailbox(scanner, acceptsUtf8);
  scanner.space();
  let flags: string[] = [];
  if (scanner.isNext('(')) {
    flags = decodeFlagList(scanner);
    scanner.space();
  }
  if (!scanner.isNext('"')) return { mailbox, flags };
  const receivedAt = decodeDateTime(scanner);
  scanner.space();
  return { mailbox, flags, receivedAt };
}

export function encodeAppend({ mailbox, flags, receivedAt, message }: AppendArguments): Buffer {
  const writer = new CommandWriter().raw('APPEND ').mailbox(mailbox).sp();
  if (flags.length > 0) writer.raw(`(${flags.join(' ')}) `);
  if (receivedAt !== undefined) writer.raw(`${formatDateTime(receivedAt)} `);
  return writer.literal(message).toBuffer();
}
