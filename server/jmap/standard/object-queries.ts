/** /query and /queryChanges of types that are objects of the account's log, beside objects.ts. Rows are few: each result is made anew. */
import type { Static, TObject } from 'typebox';
import { MethodError } from '../../../protocol/jmap/errors.ts';
import type { QueryWindowArguments } from '../../../protocol/jmap/query-window.ts';
import { parseJmapDate } from '../../../protocol/jmap/utc-date.ts';
import type { AccountReader } from '../../../storage/account/api.ts';
import type { MethodContext } from '../method.ts';
import { effectsAfter, stateString } from '../states.ts';
import { type ObjectType, shownObjects, touchedObjects } from './objects.ts';
import { queryAnswer, readCondition } from './query.ts';
import { standardQueryChanges } from './query-changes.ts';
import { byId, readSelection, type SelectionArguments } from './selection.ts';

export interface ObjectQuery<Kept, Filter extends TObject> {
  readonly objects: ObjectType<Kept>;
  /** In a sentence: `Submissions`. */
  readonly noun: string;
  /** Its `before` and `after` are UTCDates. */
  readonly filter: Filter;
  readonly matches: (condition: Static<Filter>, value: Kept) => boolean;
  /** What each property is sorted by. */
  readonly sorts: Readonly<Record<string, (value: Kept) => number>>;
  /** The order of what is equal in all that is asked, and of everything where nothing is. */
  readonly usual: (value: Kept) => number;
}

interface SharedArguments extends SelectionArguments {
  readonly accountId: string;
  readonly calculateTotal?: boolean;
}

type QueryArguments = SharedArguments & QueryWindowArguments;

interface QueryChangesArguments extends SharedArguments {
  readonly sinceQueryState: string;
  readonly maxChanges?: number | null;
}

export function queryObjects<Kept, Filter extends TObject>(
  { account, cache }: MethodContext,
  args: QueryArguments,
  row: ObjectQuery<Kept, Filter>,
): object {
  const query = readQuery(args, row);
  return account.read((reader) => {
    const ids = query(reader);
    return queryAnswer(args, ids, stateString(cache.states(reader), row.objects.type));
  });
}

export function queryChangesOfObjects<Kept, Filter extends TObject>(
  { account, cache }: MethodContext,
  args: QueryChangesArguments,
  row: ObjectQuery<Kept, Filter>,
): object {
  const query = readQuery(args, row);
  return account.read((reader) => {
    const { touched, isNew } = touchedObjects(effectsAfter(reader, args.sinceQueryState).effects, row.objects.type);
    return standardQueryChanges<string>({
      accountId: args.accountId,
      oldQueryState: args.sinceQueryState,
      newQueryState: stateString(cache.states(reader), row.objects.type),
      maxChanges: args.maxChanges,
      calculateTotal: args.calculateTotal,
      results: query(reader),
      touched,
      existed: (id) => !isNew.has(id),
      format: (id) => id,
    });
  });
}

/** Dates are compared as they are shown, in whole seconds. `before` is exclusive, `after` inclusive. */
export function isWithin(ms: number, { before, after }: { readonly before?: string; readonly after?: string }): boolean {
  const shown = Math.floor(ms / 1000) * 1000;
  if (before !== undefined && shown >= parseJmapDate(before, true)!) return false;
  return after === undefined || shown >= parseJmapDate(after, true)!;
}

/** Checks filter and sort; gives what finds the ids of the result. Throws MethodError. */
function readQuery<Kept, Filter extends TObject>(
  args: SelectionArguments,
  row: ObjectQuery<Kept, Filter>,
): (reader: AccountReader) => string[] {
  interface Shown {
    readonly id: string;
    readonly value: Kept;
  }
  const select = readSelection<Shown, Static<Filter>>(args, {
    noun: row.noun,
    readCondition: (condition) => readDated(condition, row),
    matches: (condition, { value }) => row.matches(condition, value),
    sorts: Object.fromEntries(Object.entries(row.sorts).map(([property, keyOf]) => [property, ({ value }: Shown) => keyOf(value)])),
    usual: (a, b) => row.usual(a.value) - row.usual(b.value) || byId(a, b),
  });
  return (reader) => select(shownObjects(reader, row.objects)).map(({ id }) => id);
}

/** `before` and `after` are checked as dates. */
function readDated<Filter extends TObject>(
  condition: Record<string, unknown>,
  { filter, noun }: Pick<ObjectQuery<never, Filter>, 'filter' | 'noun'>,
): Static<Filter> {
  const given = readCondition(condition, filter, noun) as Readonly<Record<string, unknown>>;
  for (const date of [given['before'], given['after']]) {
    if (typeof date === 'string' && parseJmapDate(date, true) === undefined)
      throw new MethodError('invalidArguments', `${JSON.stringify(date.slice(0, 50))} is not a UTCDate.`);
  }
  return given as Static<Filter>;
}
