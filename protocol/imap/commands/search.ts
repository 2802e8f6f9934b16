/**
 * search = "SEARCH" [search-return-opts] SP search-program (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 9394);
 *   search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
 */
import { encodeSearchKey, type SearchKey, SearchKeyDecoder } from '../search-key.ts';
import { decodeSearchReturn, encodeSearchReturn, type SearchReturn, type SearchReturnOption, takeWord } from '../search-return.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export type { SearchReturnOption };

/** Which messages: what SEARCH, SORT and THREAD have in common. */
export interface SearchProgram {
  readonly key: SearchKey;
  /** Upper case, as the client named it. */
  readonly charset: string;
  /** RFC 5530 BADCHARSET is the answer where false; the key's strings were guessed at then. */
  readonly isCharsetKnown: boolean;
}

export interface SearchArguments extends SearchProgram, SearchReturn {}

export function decodeSearch(scanner: Scanner): SearchArguments {
  scanner.space();
  const returned = decodeSearchReturn(scanner);
  let charset = 'UTF-8';
  if (takeWord(scanner, 'CHARSET ')) {
    charset = scanner.astringText().toUpperCase();
    scanner.space();
  }
  return { ...decodeSearchKeys(scanner, charset), ...returned };
}

/** search-key *(SP search-key), to the command's end. */
export function decodeSearchKeys(scanner: Scanner, charset: string): SearchProgram {
  const isCharsetKnown = isKnown(charset);
  const key = new SearchKeyDecoder(scanner, isCharsetKnown ? charset : 'UTF-8').decodeAll();
  scanner.expectEnd();
  return { key, charset, isCharsetKnown };
}

function isKnown(charset: string): boolean {
  try {
    new TextDecoder(charset);
    return true;
  } catch {
    return false;
  }
}

export function encodeSearch({ key, charset, ...returned }: SearchArguments, prefix = ''): Buffer {
  const writer = encodeSearchReturn(new CommandWriter().raw(`${prefix}SEARCH `), returned);
  if (charset !== 'UTF-8') writer.raw(`CHARSET ${charset} `);
  return encodeSearchKey(writer, key).toBuffer();
}
