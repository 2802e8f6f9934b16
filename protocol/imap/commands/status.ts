/**
 * status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")" (RFC 9051 §6.3.11), with the items of CONDSTORE, APPENDLIMIT (RFC 7889),
 * OBJECTID (RFC 8474), STATUS=SIZE (RFC 8438) and QUOTA (RFC 9208 DELETED-STORAGE).
 */
import { decodeMailbox } from '../mailbox-name.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export const statusItems = [
  'MESSAGES',
  'RECENT',
  'UIDNEXT',
  'UIDVALIDITY',
  'UNSEEN',
  'DELETED',
  'SIZE',
  'DELETED-STORAGE',
  'HIGHESTMODSEQ',
  'APPENDLIMIT',
  'MAILBOXID',
] as const;
export type StatusItem = (typeof statusItems)[number];

export interface StatusArguments {
  readonly mailbox: string;
  readonly items: readonly StatusItem[];
}

export function decodeStatus(scanner: Scanner, { acceptsUtf8 }: DecodeContext): StatusArguments {
  scanner.space();
  const mailbox = decodeMailbox(scanner, acceptsUtf8);
  scanner.space();
  const items = decodeStatusItems(scanner);
  scanner.expectEnd();
  return { mailbox, items };
}

export function decodeStatusItems(scanner: Scanner): StatusItem[] {
  const items = scanner.list(() => {
    const name = scanner.keyword('a status item');
    return statusItems.find((item) => item === name) ?? scanner.fail('a status item');
  });
  if (items.length === 0) scanner.fail('a status item');
  return items;
}

export function encodeStatus({ mailbox, items }: StatusArguments): Buffer {
  return new CommandWriter()
    .raw('STATUS ')
    .mailbox(mailbox)
    .raw(` (${items.join(' ')})`)
    .toBuffer();
}
