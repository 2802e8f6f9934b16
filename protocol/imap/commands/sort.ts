/**
 * sort = "SORT" [search-return-opts] SP sort-criteria SP search-criteria (RFC 5256 §3, RFC 5957, RFC 5267 §3);
 *   sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"
 *   sort-criterion = ["REVERSE" SP] sort-key
 *   search-criteria = charset 1*(SP search-key)
 */
import { sortCriteriaMax } from '../limits.ts';
import { encodeSearchKey } from '../search-key.ts';
import { decodeSearchReturn, encodeSearchReturn, type SearchReturn } from '../search-return.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import { decodeSearchKeys, type SearchProgram } from './search.ts';

export const sortKeys = ['ARRIVAL', 'CC', 'DATE', 'FROM', 'SIZE', 'SUBJECT', 'TO', 'DISPLAYFROM', 'DISPLAYTO'] as const;
export type SortKey = (typeof sortKeys)[number];

export interface SortCriterion {
  readonly key: SortKey;
  readonly isReverse: boolean;
}

export interface SortArguments extends SearchProgram, SearchReturn {
  readonly criteria: readonly SortCriterion[];
}

export function decodeSort(scanner: Scanner): SortArguments {
  scanner.space();
  const returned = decodeSearchReturn(scanner);
  const criteria = scanner.list(() => decodeCriterion(scanner));
  if (criteria.length === 0 || criteria.length > sortCriteriaMax) scanner.fail(`1 to ${sortCriteriaMax} sort criteria`);
  scanner.space();
  const charset = scanner.astringText().toUpperCase();
  scanner.space();
  return { criteria, ...decodeSearchKeys(scanner, charset), ...returned };
}

function decodeCriterion(scanner: Scanner): SortCriterion {
  const first = scanner.keyword('a sort key');
  const isReverse = first === 'REVERSE';
  if (isReverse) scanner.space();
  const name = isReverse ? scanner.keyword('a sort key') : first;
  return { key: sortKeys.find((key) => key === name) ?? scanner.fail(`one of ${sortKeys.join(', ')}`), isReverse };
}

export function encodeSort({ criteria, key, charset, ...returned }: SortArguments, prefix = ''): Buffer {
  const writer = encodeSearchReturn(new CommandWriter().raw(`${prefix}SORT `), returned);
  writer.list(criteria, ({ key, isReverse }) => writer.raw(isReverse ? `REVERSE ${key}` : key));
  return encodeSearchKey(writer.raw(` ${charset} `), key).toBuffer();
}
