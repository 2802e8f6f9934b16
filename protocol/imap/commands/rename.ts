/** rename = "RENAME" SP mailbox SP mailbox (RFC 9051 §6.3.6). */
import { decodeGivenName, decodeMailbox } from '../mailbox-name.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export interface RenameArguments {
  readonly from: string;
  readonly to: string;
  /** `to` as it was sent: see GivenName. */
  readonly toAsSent?: string;
}

export function decodeRename(scanner: Scanner, { acceptsUtf8 }: DecodeContext): RenameArguments {
  scanner.space();
  const from = decodeMailbox(scanner, acceptsUtf8);
  scanner.space();
  const { mailbox: to, asSent } = decodeGivenName(scanner, acceptsUtf8);
  scanner.expectEnd();
  return asSent === undefined ? { from, to } : { from, to, toAsSent: asSent };
}

export function encodeRename({ from, to }: RenameArguments): Buffer {
  return new CommandWriter().raw('RENAME ').mailbox(from).sp().mailbox(to).toBuffer();
}
