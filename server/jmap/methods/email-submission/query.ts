/** EmailSubmission/query and /queryChanges (RFC 8621 §7.3, §7.4). */
import { Value } from 'typebox/value';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { type Filter, passes, readFilter } from '../../../../protocol/jmap/filter.ts';
import { comparatorsMax } from '../../../../protocol/jmap/limits.ts';
import { queryWindow } from '../../../../protocol/jmap/query-window.ts';
import { queryArguments, queryChangesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { SubmissionFilter, submissionSorts } from '../../../../protocol/jmap/schema/email-submission.ts';
import { parseJmapDate } from '../../../../protocol/jmap/utc-date.ts';
import { formatEmailId, formatThreadId } from '../../../../protocol/mail/ids.ts';
import type { AccountReader } from '../../../../storage/account/api.ts';
import { type SubmissionRecord, submissionType } from '../../../../storage/outbox/record.ts';
import { defineMethod, submissionCapability } from '../../method.ts';
import type { Comparator } from '../../search/email-sort.ts';
import { shownObjects, touchedObjects } from '../../standard/objects.ts';
import { standardQueryChanges } from '../../standard/query-changes.ts';
import { effectsAfter, stateString } from '../../states.ts';
import { emailSubmissions } from '../../submissions.ts';

interface Row {
  readonly id: string;
  readonly value: SubmissionRecord;
}

export const emailSubmissionQuery = defineMethod({
  name: 'EmailSubmission/query',
  capability: submissionCapability,
  access: 'read',
  arguments: queryArguments({}),
  run({ account, cache }, args) {
    const query = readQuery(args.filter, args.sort);
    return account.read((reader) => {
      const ids = query(reader);
      const { position, end, ...limit } = queryWindow(args, ids.length, (id) => ids.indexOf(id));
      return {
        accountId: args.accountId,
        queryState: stateString(cache.states(reader), submissionType),
        canCalculateChanges: true,
        position,
        ids: ids.slice(position, end),
        ...limit,
        ...(args.calculateTotal === true ? { total: ids.length } : {}),
      };
    });
  },
});

export const emailSubmissionQueryChanges = defineMethod({
  name: 'EmailSubmission/queryChanges',
  capability: submissionCapability,
  access: 'read',
  arguments: queryChangesArguments({}),
  run({ account, cache }, args) {
    const query = readQuery(args.filter, args.sort);
    return account.read((reader) => {
      const { touched, isNew } = touchedObjects(effectsAfter(reader, args.sinceQueryState).effects, submissionType);
      return standardQueryChanges<string>({
        accountId: args.accountId,
        oldQueryState: args.sinceQueryState,
        newQueryState: stateString(cache.states(reader), submissionType),
        maxChanges: args.maxChanges,
        calculateTotal: args.calculateTotal,
        results: query(reader),
        touched,
        existed: (id) => !isNew.has(id),
        format: (id) => id,
      });
    });
  },
});

/** Checks filter and sort; gives what finds the ids of the result. Throws MethodError. */
function readQuery(filter: unknown, sort: readonly Comparator[] | null | undefined): (reader: AccountReader) => string[] {
  const read = readFilter(filter, readCondition);
  const compare = comparison(sort ?? []);
  return (reader) =>
    Array.from(shownObjects(reader, emailSubmissions))
      .filter((row) => read === undefined || isIn(read, row))
      .sort(compare)
      .map(({ id }) => id);
}

function readCondition(condition: Record<string, unknown>): SubmissionFilter {
  const unknown = Object.keys(condition).find((name) => !Object.hasOwn(SubmissionFilter.properties, name));
  if (unknown !== undefined)
    throw new MethodError('unsupportedFilter', `Submissions are not filtered by ${JSON.stringify(unknown.slice(0, 100))}.`);
  const given = Object.fromEntries(Object.entries(condition).filter(([, member]) => member !== null));
  const [fault] = Value.Errors(SubmissionFilter, given);
  if (fault !== undefined) throw new MethodError('invalidArguments', `The filter's ${fault.instancePath.slice(1)} ${fault.message}.`);
  const { before, after } = given as SubmissionFilter;
  for (const date of [before, after]) {
    if (date !== undefined && parseJmapDate(date, true) === undefined)
      throw new MethodError('invalidArguments', `${JSON.stringify(date.slice(0, 50))} is not a UTCDate.`);
  }
  return given as SubmissionFilter;
}

function isIn(filter: Filter<SubmissionFilter>, { value }: Row): boolean {
  return passes(filter, ({ identityIds, emailIds, threadIds, undoStatus, before, after }) => {
    if (identityIds !== undefined && !identityIds.includes(value.identityId!)) return false;
    if (emailIds !== undefined && !emailIds.includes(formatEmailId(value.email!))) return false;
    if (threadIds !== undefined && !threadIds.includes(formatThreadId(value.thread!))) return false;
    if (undoStatus !== undefined && value.undoStatus !== undoStatus) return false;
    // sendAt is shown in whole seconds.
    const sendAt = Math.floor(value.sendAt / 1000) * 1000;
    if (before !== undefined && sendAt >= parseJmapDate(before, true)!) return false;
    return after === undefined || sendAt >= parseJmapDate(after, true)!;
  });
}

function comparison(sort: readonly Comparator[]): (a: Row, b: Row) => number {
  if (sort.length > comparatorsMax) throw new MethodError('unsupportedSort', `A sort has at most ${comparatorsMax} comparators.`);
  const keys = sort.map(({ property, isAscending = true }) => {
    if (!(submissionSorts as readonly string[]).includes(property))
      throw new MethodError('unsupportedSort', `Submissions are not sorted by ${JSON.stringify(property.slice(0, 100))}.`);
    const keyOf = ({ value }: Row): number =>
      property === 'emailId' ? value.email! : property === 'threadId' ? value.thread! : value.sendAt;
    return (a: Row, b: Row) => (isAscending ? keyOf(a) - keyOf(b) : keyOf(b) - keyOf(a));
  });
  return (a, b) => {
    for (const key of keys) {
      const order = key(a, b);
      if (order !== 0) return order;
    }
    return a.value.createdAt - b.value.createdAt || (a.id < b.id ? -1 : 1);
  };
}
