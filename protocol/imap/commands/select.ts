/**
 * select = ("SELECT" / "EXAMINE") SP mailbox [SP "(" select-param *(SP select-param) ")"] (RFC 9051 §6.3.2, RFC 4466).
 *   select-param =/ "CONDSTORE" (RFC 7162 §3.1.8)
 */
import { decodeMailbox } from '../mailbox-name.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export interface SelectArguments {
  readonly mailbox: string;
  readonly isCondstore: boolean;
}

export function decodeSelect(scanner: Scanner, { acceptsUtf8 }: DecodeContext): SelectArguments {
  scanner.space();
  const mailbox = decodeMailbox(scanner, acceptsUtf8);
  let isCondstore = false;
  if (scanner.take(' ')) {
    scanner.list(() => {
      if (scanner.keyword('a parameter of SELECT') !== 'CONDSTORE') scanner.fail('CONDSTORE');
      isCondstore = true;
    });
  }
  scanner.expectEnd();
  return { mailbox, isCondstore };
}

export function encodeSelect({ mailbox, isCondstore }: SelectArguments, name: 'SELECT' | 'EXAMINE' = 'SELECT'): Buffer {
  return new CommandWriter()
    .raw(`${name} `)
    .mailbox(mailbox)
    .raw(isCondstore ? ' (CONDSTORE)' : '')
    .toBuffer();
}
