/** Filter and sort of the queries of types with few objects (RFC 8620 §5.5): read once, and then asked of all that there are. */
import { collations, defaultCollation } from '../../../protocol/jmap/collation.ts';
import { MethodError } from '../../../protocol/jmap/errors.ts';
import { passes, readFilter } from '../../../protocol/jmap/filter.ts';
import { comparatorsMax } from '../../../protocol/jmap/limits.ts';
import type { Comparator } from '../search/email-sort.ts';

export interface Order<Value> {
  /** In a sentence: `Quotas`. */
  readonly noun: string;
  /** What each property is sorted by; texts as the collation has them. */
  readonly sorts: Readonly<Record<string, (value: Value) => string | number>>;
  /** The order of what is equal in all that is asked, and of everything where nothing is. */
  readonly usual: (a: Value, b: Value) => number;
}

export interface Selection<Value, Condition> extends Order<Value> {
  /** Throws MethodError. */
  readonly readCondition: (condition: Record<string, unknown>) => Condition;
  readonly matches: (condition: Condition, value: Value) => boolean;
}

export interface SelectionArguments {
  readonly filter?: unknown;
  readonly sort?: readonly Comparator[] | null;
}

/** Gives what finds the values of the result, in its order. Throws MethodError. */
export function readSelection<Value, Condition>(
  { filter, sort }: SelectionArguments,
  row: Selection<Value, Condition>,
): (values: Iterable<Value>) => Value[] {
  const read = readFilter(filter, row.readCondition);
  const compare = readSort(sort, row);
  return (values) =>
    Array.from(values)
      .filter((value) => read === undefined || passes(read, (condition) => row.matches(condition, value)))
      .sort(compare);
}

/** What to sort by. Throws MethodError. */
export function readSort<Value>(sort: readonly Comparator[] | null | undefined, row: Order<Value>): (a: Value, b: Value) => number {
  if ((sort?.length ?? 0) > comparatorsMax) throw new MethodError('unsupportedSort', `A sort has at most ${comparatorsMax} comparators.`);
  const compares = [...(sort ?? []).map((comparator) => comparison(comparator, row)), row.usual];
  return (a, b) => {
    for (const compare of compares) {
      const order = compare(a, b);
      if (order !== 0) return order;
    }
    return 0;
  };
}

function comparison<Value>(
  { property, isAscending = true, collation = defaultCollation }: Comparator,
  { noun, sorts }: Order<Value>,
): (a: Value, b: Value) => number {
  if (!Object.hasOwn(sorts, property))
    throw new MethodError('unsupportedSort', `${noun} are not sorted by ${JSON.stringify(property.slice(0, 100))}.`);
  const fold = Object.hasOwn(collations, collation) ? collations[collation] : undefined;
  if (fold === undefined) throw new MethodError('unsupportedSort', 'That collation is not known.');
  const sortedBy = sorts[property]!;
  const keyOf = (value: Value) => {
    const key = sortedBy(value);
    return typeof key === 'string' ? fold(key) : key;
  };
  return (a, b) => {
    const [left, right] = [keyOf(a), keyOf(b)];
    return (left === right ? 0 : left < right ? -1 : 1) * (isAscending ? 1 : -1);
  };
}

export const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);
