/** Quota/get, /changes, /query and /queryChanges (RFC 9425 §4). */
import { collations, defaultCollation } from '../../../../protocol/jmap/collation.ts';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { passes, readFilter } from '../../../../protocol/jmap/filter.ts';
import { comparatorsMax } from '../../../../protocol/jmap/limits.ts';
import { changesArguments, getArguments, queryArguments, queryChangesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { Quota, QuotaFilter, quotaSorts } from '../../../../protocol/jmap/schema/quota.ts';
import type { AccountReader } from '../../../../storage/account/api.ts';
import { defineMethod, quotaCapability } from '../../method.ts';
import { quotaChanges, quotaState, quotasOf } from '../../quotas.ts';
import type { Comparator } from '../../search/email-sort.ts';
import { standardGet } from '../../standard/get.ts';
import { queryAnswer, readCondition } from '../../standard/query.ts';
import { standardQueryChanges } from '../../standard/query-changes.ts';

export const quotaGet = defineMethod({
  name: 'Quota/get',
  capability: quotaCapability,
  access: 'read',
  arguments: getArguments({}),
  run: (context, args) =>
    context.account.read((reader) => {
      const quotas = quotasOf(reader, context.using);
      return standardGet<Quota>(context, args, {
        defaults: Object.keys(Quota.properties),
        isProperty: (name) => Object.hasOwn(Quota.properties, name),
        state: quotaState(context, reader),
        all: () => quotas.map(({ id }) => id),
        rowOf: (id) => quotas.find((quota) => quota.id === id),
        valueOf: (row, property) => row[property as keyof Quota],
      });
    }),
});

export const quotaChangesMethod = defineMethod({
  name: 'Quota/changes',
  capability: quotaCapability,
  access: 'read',
  arguments: changesArguments,
  run: (context, args) =>
    context.account.read((reader) => {
      if (args.maxChanges === 0) throw new MethodError('invalidArguments', 'maxChanges is at least 1.');
      const { isOnlyUsed, ...changes } = quotaChanges(reader, args.sinceState);
      const count = changes.created.length + changes.updated.length + changes.destroyed.length;
      // There is no state between two quotas that changed together.
      if (count > (args.maxChanges ?? count)) throw new MethodError('cannotCalculateChanges', 'The quotas changed together.');
      return {
        accountId: args.accountId,
        oldState: args.sinceState,
        newState: quotaState(context, reader),
        hasMoreChanges: false,
        ...changes,
        updatedProperties: isOnlyUsed ? ['used'] : null,
      };
    }),
});

export const quotaQuery = defineMethod({
  name: 'Quota/query',
  capability: quotaCapability,
  access: 'read',
  arguments: queryArguments({}),
  run(context, args) {
    const query = readQuery(args.filter, args.sort);
    return context.account.read((reader) => {
      const ids = query(reader, context.using);
      return queryAnswer(args, ids, quotaState(context, reader));
    });
  },
});

export const quotaQueryChanges = defineMethod({
  name: 'Quota/queryChanges',
  capability: quotaCapability,
  access: 'read',
  arguments: queryChangesArguments({}),
  run(context, args) {
    const query = readQuery(args.filter, args.sort);
    return context.account.read((reader) => {
      const { created, updated, destroyed } = quotaChanges(reader, args.sinceQueryState);
      return standardQueryChanges<string>({
        accountId: args.accountId,
        oldQueryState: args.sinceQueryState,
        newQueryState: quotaState(context, reader),
        maxChanges: args.maxChanges,
        calculateTotal: args.calculateTotal,
        results: query(reader, context.using),
        touched: new Set([...created, ...updated, ...destroyed]),
        existed: (id) => !created.includes(id),
        format: (id) => id,
      });
    });
  },
});

function readQuery(
  filter: unknown,
  sort: readonly Comparator[] | null | undefined,
): (reader: AccountReader, using: ReadonlySet<string>) => string[] {
  const read = readFilter(filter, (condition) => readCondition(condition, QuotaFilter, 'Quotas'));
  const compares = (sort ?? []).map(comparison);
  if (compares.length > comparatorsMax) throw new MethodError('unsupportedSort', `A sort has at most ${comparatorsMax} comparators.`);
  const isIn = (quota: Quota, { name, scope, resourceType, type }: QuotaFilter): boolean =>
    (name === undefined || quota.name.includes(name)) &&
    (scope === undefined || quota.scope === scope) &&
    (resourceType === undefined || quota.resourceType === resourceType) &&
    (type === undefined || quota.types.includes(type));
  return (reader, using) =>
    quotasOf(reader, using)
      .filter((quota) => read === undefined || passes(read, (condition) => isIn(quota, condition)))
      .sort((a, b) => compares.map((compare) => compare(a, b)).find((order) => order !== 0) ?? 0)
      .map(({ id }) => id);
}

function comparison({ property, isAscending = true, collation = defaultCollation }: Comparator): (a: Quota, b: Quota) => number {
  const fold = collations[collation];
  if (!(quotaSorts as readonly string[]).includes(property) || fold === undefined)
    throw new MethodError('unsupportedSort', `Quotas are not sorted by ${JSON.stringify(property.slice(0, 100))}, or not so.`);
  const sign = isAscending ? 1 : -1;
  const byName = (a: Quota, b: Quota) => (fold(a.name) < fold(b.name) ? -1 : fold(a.name) > fold(b.name) ? 1 : 0);
  return (a, b) => sign * (property === 'used' ? a.used - b.used : byName(a, b));
}
