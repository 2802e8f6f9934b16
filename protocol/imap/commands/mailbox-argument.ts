/**
 * Commands with one mailbox: delete = "DELETE" SP mailbox; subscribe = "SUBSCRIBE" SP mailbox; unsubscribe = "UNSUBSCRIBE" SP mailbox
 * (RFC 9051 §6.3.5, §6.3.7, §6.3.8).
 */
import { decodeMailbox } from '../mailbox-name.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export interface MailboxArgument {
  readonly mailbox: string;
}

export function decodeMailboxArgument(scanner: Scanner, { acceptsUtf8 }: DecodeContext): MailboxArgument {
  scanner.space();
  const mailbox = decodeMailbox(scanner, acceptsUtf8);
  scanner.expectEnd();
  return { mailbox };
}

export function encodeMailboxArgument({ mailbox }: MailboxArgument, name: 'DELETE' | 'SUBSCRIBE' | 'UNSUBSCRIBE'): Buffer {
  return new CommandWriter().raw(`${name} `).mailbox(mailbox).toBuffer();
}
