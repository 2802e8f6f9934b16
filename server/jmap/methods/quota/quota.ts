/** Quota/get, /changes, /query and /queryChanges (RFC 9425 §4). */
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { changesArguments, getArguments, queryArguments, queryChangesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { Quota, QuotaFilter, type quotaSorts } from '../../../../protocol/jmap/schema/quota.ts';
import type { AccountReader } from '../../../../storage/account/api.ts';
import { defineMethod, quotaCapability } from '../../method.ts';
import { quotaChanges, quotaState, quotasOf } from '../../quotas.ts';
import { standardGet } from '../../standard/get.ts';
import { queryAnswer, readCondition } from '../../standard/query.ts';
import { standardQueryChanges } from '../../standard/query-changes.ts';
import { readSelection, type SelectionArguments } from '../../standard/selection.ts';

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
    const query = readQuery(args);
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
    const query = readQuery(args);
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

const sorts: Readonly<Record<(typeof quotaSorts)[number], (quota: Quota) => string | number>> = {
  name: ({ name }) => name,
  used: ({ used }) => used,
};

/** Checks filter and sort; gives what finds the ids of the result. Throws MethodError. */
function readQuery(args: SelectionArguments): (reader: AccountReader, using: ReadonlySet<string>) => string[] {
  const select = readSelection<Quota, QuotaFilter>(args, {
    noun: 'Quotas',
    readCondition: (condition) => readCondition(condition, QuotaFilter, 'Quotas'),
    matches: ({ name, scope, resourceType, type }, quota) =>
      (name === undefined || quota.name.includes(name)) &&
      (scope === undefined || quota.scope === scope) &&
      (resourceType === undefined || quota.resourceType === resourceType) &&
      (type === undefined || quota.types.includes(type)),
    sorts,
    usual: () => 0,
  });
  return (reader, using) => select(quotasOf(reader, using)).map(({ id }) => id);
}
