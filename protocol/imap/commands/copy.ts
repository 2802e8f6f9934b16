/** copy = "COPY" SP sequence-set SP mailbox; move = "MOVE" SP sequence-set SP mailbox (RFC 9051 §6.4.7, §6.4.8). */
import { decodeMailbox } from '../mailbox-name.ts';
import { decodeSequenceSet, formatSequenceSet, type SequenceSet } from '../sequence-set.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export interface CopyArguments {
  readonly set: SequenceSet;
  readonly mailbox: string;
}

export function decodeCopy(scanner: Scanner, { acceptsUtf8 }: DecodeContext): CopyArguments {
  scanner.space();
  const set = decodeSequenceSet(scanner);
  scanner.space();
  const mailbox = decodeMailbox(scanner, acceptsUtf8);
  scanner.expectEnd();
  return { set, mailbox };
}

export function encodeCopy({ set, mailbox }: CopyArguments, name: string): Buffer {
  return new CommandWriter()
    .raw(`${name} ${formatSequenceSet(set)} `)
    .mailbox(mailbox)
    .toBuffer();
}
