/**
 * esearch = "ESEARCH" [SP "IN" SP "(" source-mbox ")"] [search-return-opts] SP search-program (RFC 7377 §5);
 *   source-mbox = filter-mailboxes *(SP filter-mailboxes)
 */
import { mailboxFiltersMax } from '../limits.ts';
import { decodeMailboxFilter, encodeMailboxFilter, type MailboxFilter } from '../mailbox-filter.ts';
import { encodeSearchKey } from '../search-key.ts';
import { encodeSearchReturn, takeWord } from '../search-return.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';
import { decodeSearch, type SearchArguments } from './search.ts';

export interface EsearchArguments extends SearchArguments {
  /** The selected mailbox where none is named. */
  readonly sources: readonly MailboxFilter[];
}

export function decodeEsearch(scanner: Scanner, { acceptsUtf8 }: Pick<DecodeContext, 'acceptsUtf8'>): EsearchArguments {
  const start = scanner.position;
  scanner.space();
  let sources: MailboxFilter[] = [{ kind: 'selected' }];
  if (takeWord(scanner, 'IN ')) {
    sources = scanner.list(() => {
      const filter = decodeMailboxFilter(scanner, acceptsUtf8);
      // RFC 7377 §2.2.
      return filter.kind === 'selected-delayed' ? scanner.fail('SELECTED') : filter;
    });
    if (sources.length === 0 || sources.length > mailboxFiltersMax) scanner.fail(`1 to ${mailboxFiltersMax} filters of mailboxes`);
  } else scanner.position = start;
  const { return: returned = ['ALL'], ...search } = decodeSearch(scanner);
  return { sources, return: returned, ...search };
}

export function encodeEsearch({ sources, key, charset, ...returned }: EsearchArguments): Buffer {
  const writer = new CommandWriter().raw('ESEARCH IN ');
  writer.list(sources, (source) => encodeMailboxFilter(writer, source)).sp();
  encodeSearchReturn(writer, returned);
  if (charset !== 'UTF-8') writer.raw(`CHARSET ${charset} `);
  return encodeSearchKey(writer, key).toBuffer();
}
