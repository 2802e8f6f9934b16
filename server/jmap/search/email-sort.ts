/** Sorting emails (RFC 8621 §4.4.2). What is equal in everything keeps one order: by email number, as the first comparator runs. */
import { collations, defaultCollation } from '../../../protocol/jmap/collation.ts';
import { MethodError } from '../../../protocol/jmap/errors.ts';
import { comparatorsMax } from '../../../protocol/jmap/limits.ts';
import { emailSorts } from '../../../protocol/jmap/schema/email.ts';
import type { EmailNumber } from '../../../protocol/mail/ids.ts';
import { baseSubject } from '../../../protocol/mime/base-subject.ts';
import { headerValuesFromRaw } from '../../../protocol/mime/header-facts.ts';
import { asAddresses, asText } from '../../../protocol/mime/header-forms.ts';
import type { AccountReader } from '../../../storage/account/api.ts';
import type { AccountCache } from '../account-cache.ts';
import { keywordTest, threadKeyword } from './columns.ts';
import type { FilterContext } from './email-filter.ts';

export interface Comparator {
  readonly property: string;
  readonly isAscending?: boolean;
  readonly collation?: string;
  readonly keyword?: string;
}

const newestFirst: readonly Comparator[] = [{ property: 'receivedAt', isAscending: false }];

/** Checks a sort; none is newest first. Throws MethodError 'unsupportedSort', 'invalidArguments'. */
export function readEmailSort(sort: readonly Comparator[] | null | undefined): readonly Comparator[] {
  if (sort === undefined || sort === null || sort.length === 0) return newestFirst;
  if (sort.length > comparatorsMax) throw new MethodError('unsupportedSort', `A sort has at most ${comparatorsMax} comparators.`);
  for (const { property, collation, keyword } of sort) {
    if (!(emailSorts as readonly string[]).includes(property))
      throw new MethodError('unsupportedSort', `Emails are not sorted by ${JSON.stringify(property.slice(0, 100))}.`);
    if (collation !== undefined && !Object.hasOwn(collations, collation))
      throw new MethodError('unsupportedSort', 'That collation is not known.');
    if (property.endsWith('Keyword') && keyword === undefined)
      throw new MethodError('invalidArguments', `${property} is sorted by a keyword.`);
  }
  return sort;
}

export function sortLooksAtThreads(sort: readonly Comparator[]): boolean {
  return sort.some(({ property }) => property === 'allInThreadHaveKeyword' || property === 'someInThreadHaveKeyword');
}

type Compare = (a: number, b: number) => number;

/** Orders rows, given by their places in the columns. Most lists are asked for by date, and rows come about so: what is in order already is only looked over. */
export function sortRows(context: FilterContext, rows: Uint32Array, sort: readonly Comparator[]): ArrayLike<number> {
  const compares = sort.map((comparator) => compareBy(context, comparator));
  const { email } = context.columns;
  const tie = sort[0]!.isAscending === false ? -1 : 1;
  compares.push((a, b) => tie * (email[a]! - email[b]!));
  const [first, second] = compares;
  const compare: Compare =
    compares.length === 2
      ? (a, b) => first!(a, b) || second!(a, b)
      : (a, b) => {
          for (const one of compares) {
            const order = one(a, b);
            if (order !== 0) return order;
          }
          return 0;
        };
  if (tie < 0) rows.reverse();
  return isInOrder(rows, compare) ? rows : Array.from(rows).sort(compare);
}

function isInOrder(rows: Uint32Array, compare: Compare): boolean {
  for (let at = 1; at < rows.length; at += 1) if (compare(rows[at - 1]!, rows[at]!) > 0) return false;
  return true;
}

function compareBy({ reader, cache, columns, all }: FilterContext, comparator: Comparator): Compare {
  const direction = comparator.isAscending === false ? -1 : 1;
  const byNumber =
    (numbers: ArrayLike<number>): Compare =>
    (a, b) =>
      direction * (numbers[a]! - numbers[b]!);
  const byTruth =
    (isTrue: (at: number) => boolean): Compare =>
    (a, b) =>
      direction * (Number(isTrue(a)) - Number(isTrue(b)));
  const { keyword = '' } = comparator;
  switch (comparator.property) {
    case 'receivedAt':
      return byNumber(columns.receivedAt);
    case 'sentAt':
      return byNumber(columns.sentAt);
    case 'size':
      return byNumber(columns.size);
    case 'hasKeyword': {
      const has = keywordTest(reader, keyword);
      return byTruth((at) => has(columns.keywordSet[at]!));
    }
    case 'allInThreadHaveKeyword': {
      const threads = threadKeyword(all(), keywordTest(reader, keyword));
      return byTruth((at) => threads.all(columns.thread[at]!));
    }
    case 'someInThreadHaveKeyword': {
      const threads = threadKeyword(all(), keywordTest(reader, keyword));
      return byTruth((at) => threads.some(columns.thread[at]!));
    }
    default: {
      const key = sortKey(reader, cache, comparator.property as 'from' | 'to' | 'subject', comparator.collation ?? defaultCollation);
      return (a, b) => {
        const left = key(columns.email[a]!);
        const right = key(columns.email[b]!);
        return left === right ? 0 : left < right ? -direction : direction;
      };
    }
  }
}

/** A header's value to sort by, folded by the collation. It never changes, and is remembered. */
function sortKey(
  reader: AccountReader,
  cache: AccountCache,
  property: 'from' | 'to' | 'subject',
  collation: string,
): (email: number) => string {
  const name = `${property} ${collation}`;
  const known = cache.sortKeys.get(name) ?? new Map<number, string>();
  cache.sortKeys.set(name, known);
  const fold = collations[collation]!;
  return (email) => {
    let key = known.get(email);
    if (key === undefined) known.set(email, (key = fold(headerSortText(reader, email as EmailNumber, property))));
    return key;
  };
}

function headerSortText(reader: AccountReader, email: EmailNumber, property: 'from' | 'to' | 'subject'): string {
  const bytes = reader.headerBytes(email);
  const value =
    bytes === undefined ? undefined : headerValuesFromRaw(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), property).at(-1);
  if (value === undefined) return '';
  if (property === 'subject') return baseSubject(asText(value));
  const [first] = asAddresses(value);
  return first === undefined ? '' : first.name || first.email;
}
