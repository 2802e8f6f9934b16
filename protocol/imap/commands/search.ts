/**
 * search = "SEARCH" [search-return-opts] SP search-program (RFC 9051 §6.4.4, RFC 4731, RFC 5182);
 *   search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
 *   search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
 */
import { encodeSearchKey, type SearchKey, SearchKeyDecoder } from '../search-key.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

const returnOptions = ['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE'] as const;
export type SearchReturnOption = (typeof returnOptions)[number];

export interface SearchArguments {
  readonly key: SearchKey;
  /** Upper case, as the client named it. */
  readonly charset: string;
  /** RFC 5530 BADCHARSET is the answer where false; the key's strings were guessed at then. */
  readonly isCharsetKnown: boolean;
  /** undefined without RETURN: the answer is SEARCH then, else ESEARCH. */
  readonly return: readonly SearchReturnOption[] | undefined;
}

export function decodeSearch(scanner: Scanner): SearchArguments {
  scanner.space();
  let returned: SearchReturnOption[] | undefined;
  if (takeWord(scanner, 'RETURN ')) {
    returned = scanner.list(() => {
      const name = scanner.keyword('a return option');
      return returnOptions.find((option) => option === name) ?? scanner.fail('MIN, MAX, ALL, COUNT or SAVE');
    });
    // RFC 4731 §3.1: an empty list means ALL.
    if (returned.length === 0) returned = ['ALL'];
    scanner.space();
  }
  let charset = 'UTF-8';
  if (takeWord(scanner, 'CHARSET ')) {
    charset = scanner.astringText().toUpperCase();
    scanner.space();
  }
  const isCharsetKnown = isKnown(charset);
  const key = new SearchKeyDecoder(scanner, isCharsetKnown ? charset : 'UTF-8').decodeAll();
  scanner.expectEnd();
  return { key, charset, isCharsetKnown, return: returned };
}

function takeWord(scanner: Scanner, word: string): boolean {
  const { position, text } = scanner;
  if (text.toString('latin1', position, position + word.length).toUpperCase() !== word) return false;
  scanner.position += word.length;
  return true;
}

function isKnown(charset: string): boolean {
  try {
    new TextDecoder(charset);
    return true;
  } catch {
    return false;
  }
}

export function encodeSearch({ key, charset, return: returned }: SearchArguments, prefix = ''): Buffer {
  const writer = new CommandWriter().raw(`${prefix}SEARCH `);
  if (returned !== undefined) writer.raw(`RETURN (${returned.join(' ')}) `);
  if (charset !== 'UTF-8') writer.raw(`CHARSET ${charset} `);
  return encodeSearchKey(writer, key).toBuffer();
}
