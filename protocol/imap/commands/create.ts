/**
 * create = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"] (RFC 9051 §6.3.4, RFC 4466).
 *   create-param =/ "USE" SP "(" [use-attr *(SP use-attr)] ")" (RFC 6154 §6)
 */
import { decodeFlag } from '../flags.ts';
import { decodeGivenName, type GivenName } from '../mailbox-name.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export interface CreateArguments extends GivenName {
  /** Special uses as written, e.g. `\Sent`. */
  readonly use: readonly string[];
}

export function decodeCreate(scanner: Scanner, { acceptsUtf8 }: DecodeContext): CreateArguments {
  scanner.space();
  const name = decodeGivenName(scanner, acceptsUtf8);
  let use: string[] = [];
  if (scanner.take(' ')) {
    scanner.list(() => {
      if (scanner.keyword('a parameter of CREATE') !== 'USE') scanner.fail('USE');
      scanner.space();
      use = scanner.list(() => decodeFlag(scanner));
    });
  }
  scanner.expectEnd();
  return { ...name, use };
}

export function encodeCreate({ mailbox, use }: CreateArguments): Buffer {
  const writer = new CommandWriter().raw('CREATE ').mailbox(mailbox);
  if (use.length > 0) writer.raw(` (USE (${use.join(' ')}))`);
  return writer.toBuffer();
}
