/** Principal/query and /queryChanges (RFC 9670 §2.4, §2.5). */
import { queryArguments, queryChangesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { type Principal, PrincipalFilter, type principalSorts } from '../../../../protocol/jmap/schema/principal.ts';
import { foldText } from '../../../../protocol/jmap/search-text.ts';
import { defineMethod, principalsCapability } from '../../method.ts';
import { type Principals, principalsNow, principalsState, touchedPrincipals } from '../../principals.ts';
import { queryAnswer, readCondition } from '../../standard/query.ts';
import { standardQueryChanges } from '../../standard/query-changes.ts';
import { byId, readSelection, type SelectionArguments } from '../../standard/selection.ts';
import { effectsAfter } from '../../states.ts';

export const principalQuery = defineMethod({
  name: 'Principal/query',
  capability: principalsCapability,
  access: 'read',
  arguments: queryArguments({}),
  async run(context, args) {
    const query = readQuery(args);
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
    const query = readQuery(args);
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

const sorts: Readonly<Record<(typeof principalSorts)[number], (principal: Principal) => string>> = {
  name: ({ name }) => name,
  email: ({ email }) => email ?? '',
};

/** Checks filter and sort; gives what finds the ids of the result. Throws MethodError. */
function readQuery(args: SelectionArguments): (principals: Principals) => string[] {
  const select = readSelection<Principal, PrincipalFilter>(args, {
    noun: 'Principals',
    readCondition: (condition) => readCondition(condition, PrincipalFilter, 'Principals'),
    matches: isIn,
    sorts,
    usual: byId,
  });
  return ({ all }) => select(all()).map(({ id }) => id);
}

/** §2.4.1: all of a condition must hold; text is looked for in any case. */
function isIn({ accountIds, email, name, text, type, timeZone }: PrincipalFilter, principal: Principal): boolean {
  const holds = (value: string | null, looked: string) => value !== null && foldText(value).includes(foldText(looked));
  if (accountIds !== undefined && !accountIds.some((id) => principal.accounts !== null && Object.hasOwn(principal.accounts, id)))
    return false;
  if (email !== undefined && !holds(principal.email, email)) return false;
  if (name !== undefined && !holds(principal.name, name)) return false;
  if (text !== undefined && ![principal.name, principal.email, principal.description].some((value) => holds(value, text))) return false;
  return (type === undefined || principal.type === type) && (timeZone === undefined || principal.timeZone === timeZone);
}
