/** Principal/query and /queryChanges (RFC 9670 §2.4, §2.5). */
import { collations, defaultCollation } from '../../../../protocol/jmap/collation.ts';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { passes, readFilter } from '../../../../protocol/jmap/filter.ts';
import { comparatorsMax } from '../../../../protocol/jmap/limits.ts';
import { queryArguments, queryChangesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { type Principal, PrincipalFilter, principalSorts } from '../../../../protocol/jmap/schema/principal.ts';
import { foldText } from '../../../../protocol/jmap/search-text.ts';
import { defineMethod, principalsCapability } from '../../method.ts';
import { type Principals, principalsNow, principalsState, touchedPrincipals } from '../../principals.ts';
import type { Comparator } from '../../search/email-sort.ts';
import { queryAnswer, readCondition } from '../../standard/query.ts';
import { standardQueryChanges } from '../../standard/query-changes.ts';
import { effectsAfter } from '../../states.ts';

export const principalQuery = defineMethod({
  name: 'Principal/query',
  capability: principalsCapability,
  access: 'read',
  arguments: queryArguments({}),
  async run(context, args) {
    const query = readQuery(args.filter, args.sort);
    const ids = query(await principalsNow(context.services, context.identity));
    return queryAnswer(args, ids, principalsState(context.services));
  },
});

export const principalQueryChanges = defineMethod({
  name: 'Principal/queryChanges',
  capability: principalsCapability,
  access: 'read',
  arguments: queryChangesArguments({}),
  async run({ services, identity }, args) {
    const query = readQuery(args.filter, args.sort);
    const principals = await principalsNow(services, identity);
    return services.directory.history((reader) => {
      const touched = new Set<string>();
      const isNew = new Set<string>();
      for (const effect of effectsAfter(reader, args.sinceQueryState).effects) {
        for (const { number, how } of touchedPrincipals(services, identity, effect)) {
          touched.add(number);
          if (how === 'added') isNew.add(number);
        }
      }
      return standardQueryChanges<string>({
        accountId: args.accountId,
        oldQueryState: args.sinceQueryState,
        newQueryState: principalsState(services),
        maxChanges: args.maxChanges,
        calculateTotal: args.calculateTotal,
        results: query(principals),
        touched,
        existed: (id) => !isNew.has(id),
        format: (id) => id,
      });
    });
  },
});

/** Checks filter and sort; gives what finds the ids of the result. Throws MethodError. */
function readQuery(filter: unknown, sort: readonly Comparator[] | null | undefined): (principals: Principals) => string[] {
  const read = readFilter(filter, (condition) => readCondition(condition, PrincipalFilter, 'Principals'));
  const compares = (sort ?? []).map(comparison);
  if (compares.length > comparatorsMax) throw new MethodError('unsupportedSort', `A sort has at most ${comparatorsMax} comparators.`);
  const byId = (a: Principal, b: Principal) => (a.id < b.id ? -1 : 1);
  return ({ all }) =>
    all()
      .filter((principal) => read === undefined || passes(read, (condition) => isIn(principal, condition)))
      .sort((a, b) => compares.map((compare) => compare(a, b)).find((order) => order !== 0) ?? byId(a, b))
      .map(({ id }) => id);
}

/** §2.4.1: all of a condition must hold; text is looked for in any case. */
function isIn(principal: Principal, { accountIds, email, name, text, type, timeZone }: PrincipalFilter): boolean {
  const holds = (value: string | null, looked: string) => value !== null && foldText(value).includes(foldText(looked));
  if (accountIds !== undefined && !accountIds.some((id) => principal.accounts !== null && Object.hasOwn(principal.accounts, id)))
    return false;
  if (email !== undefined && !holds(principal.email, email)) return false;
  if (name !== undefined && !holds(principal.name, name)) return false;
  if (text !== undefined && ![principal.name, principal.email, principal.description].some((value) => holds(value, text))) return false;
  return (type === undefined || principal.type === type) && (timeZone === undefined || principal.timeZone === timeZone);
}

function comparison({ property, isAscending = true, collation = defaultCollation }: Comparator): (a: Principal, b: Principal) => number {
  const fold = collations[collation];
  if (!(principalSorts as readonly string[]).includes(property) || fold === undefined)
    throw new MethodError('unsupportedSort', `Principals are not sorted by ${JSON.stringify(property.slice(0, 100))}, or not so.`);
  const keyOf = (principal: Principal) => fold(principal[property as (typeof principalSorts)[number]] ?? '');
  return (a, b) => {
    const [left, right] = [keyOf(a), keyOf(b)];
    return (left === right ? 0 : left < right ? -1 : 1) * (isAscending ? 1 : -1);
  };
}
