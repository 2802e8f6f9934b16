/** ShareNotification/query and /queryChanges (RFC 9670 §3.5, §3.6). */
import { Value } from 'typebox/value';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { type Filter, passes, readFilter } from '../../../../protocol/jmap/filter.ts';
import { comparatorsMax } from '../../../../protocol/jmap/limits.ts';
import { queryWindow } from '../../../../protocol/jmap/query-window.ts';
import { queryArguments, queryChangesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { ShareNotificationFilter, shareNotificationSorts } from '../../../../protocol/jmap/schema/share-notification.ts';
import { parseJmapDate } from '../../../../protocol/jmap/utc-date.ts';
import { type ShareNotificationRecord, shareNotificationType } from '../../../../protocol/mail/share-notification.ts';
import type { AccountReader } from '../../../../storage/account/api.ts';
import { defineMethod, principalsCapability } from '../../method.ts';
import type { Comparator } from '../../search/email-sort.ts';
import { shareNotifications } from '../../share-notifications.ts';
import { shownObjects, touchedObjects } from '../../standard/objects.ts';
import { standardQueryChanges } from '../../standard/query-changes.ts';
import { effectsAfter, stateString } from '../../states.ts';

interface Row {
  readonly id: string;
  readonly value: ShareNotificationRecord;
}

export const shareNotificationQuery = defineMethod({
  name: 'ShareNotification/query',
  capability: principalsCapability,
  access: 'read',
  arguments: queryArguments({}),
  run({ account, cache }, args) {
    const query = readQuery(args.filter, args.sort);
    return account.read((reader) => {
      const ids = query(reader);
      const { position, end, ...limit } = queryWindow(args, ids.length, (id) => ids.indexOf(id));
      return {
        accountId: args.accountId,
        queryState: stateString(cache.states(reader), shareNotificationType),
        canCalculateChanges: true,
        position,
        ids: ids.slice(position, end),
        ...limit,
        ...(args.calculateTotal === true ? { total: ids.length } : {}),
      };
    });
  },
});

export const shareNotificationQueryChanges = defineMethod({
  name: 'ShareNotification/queryChanges',
  capability: principalsCapability,
  access: 'read',
  arguments: queryChangesArguments({}),
  run({ account, cache }, args) {
    const query = readQuery(args.filter, args.sort);
    return account.read((reader) => {
      const { touched, isNew } = touchedObjects(effectsAfter(reader, args.sinceQueryState).effects, shareNotificationType);
      return standardQueryChanges<string>({
        accountId: args.accountId,
        oldQueryState: args.sinceQueryState,
        newQueryState: stateString(cache.states(reader), shareNotificationType),
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
  const direction = directionOf(sort ?? []);
  return (reader) =>
    Array.from(shownObjects(reader, shareNotifications))
      .filter((row) => read === undefined || isIn(read, row))
      .sort((a, b) => direction * (a.value.created - b.value.created) || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id);
}

function readCondition(condition: Record<string, unknown>): ShareNotificationFilter {
  const unknown = Object.keys(condition).find((name) => !Object.hasOwn(ShareNotificationFilter.properties, name));
  if (unknown !== undefined)
    throw new MethodError('unsupportedFilter', `Share notifications are not filtered by ${JSON.stringify(unknown.slice(0, 100))}.`);
  // §3.5.1: a date may be null.
  const given = Object.fromEntries(Object.entries(condition).filter(([, member]) => member !== null));
  const [fault] = Value.Errors(ShareNotificationFilter, given);
  if (fault !== undefined) throw new MethodError('invalidArguments', `The filter's ${fault.instancePath.slice(1)} ${fault.message}.`);
  const { before, after } = given as ShareNotificationFilter;
  for (const date of [before, after]) {
    if (date !== undefined && parseJmapDate(date, true) === undefined)
      throw new MethodError('invalidArguments', `${JSON.stringify(date.slice(0, 50))} is not a UTCDate.`);
  }
  return given as ShareNotificationFilter;
}

function isIn(filter: Filter<ShareNotificationFilter>, { value }: Row): boolean {
  return passes(filter, ({ before, after, objectType, objectAccountId }) => {
    if (objectType !== undefined && value.objectType !== objectType) return false;
    if (objectAccountId !== undefined && value.objectAccountId !== objectAccountId) return false;
    // It is shown in whole seconds.
    const created = Math.floor(value.created / 1000) * 1000;
    if (before !== undefined && created >= parseJmapDate(before, true)!) return false;
    return after === undefined || created >= parseJmapDate(after, true)!;
  });
}

function directionOf(sort: readonly Comparator[]): number {
  if (sort.length > comparatorsMax) throw new MethodError('unsupportedSort', `A sort has at most ${comparatorsMax} comparators.`);
  const unknown = sort.find(({ property }) => !(shareNotificationSorts as readonly string[]).includes(property));
  if (unknown !== undefined)
    throw new MethodError('unsupportedSort', `Share notifications are not sorted by ${JSON.stringify(unknown.property.slice(0, 100))}.`);
  return sort[0]?.isAscending === false ? -1 : 1;
}
