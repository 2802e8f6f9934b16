/** SieveScript/query (RFC 9661 §2.5). There are some dozens of scripts at most; changes of a query are not calculated. */
import { Value } from 'typebox/value';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { type Filter, passes, readFilter } from '../../../../protocol/jmap/filter.ts';
import { queryArguments } from '../../../../protocol/jmap/schema/common.ts';
import { SieveScriptFilter, sieveScriptSorts } from '../../../../protocol/jmap/schema/sieve-script.ts';
import { type StoredScript, scripts, scriptType } from '../../../../storage/sieve/scripts.ts';
import { defineMethod, sieveCapability } from '../../method.ts';
import { queryAnswer } from '../../standard/query.ts';
import { stateString } from '../../states.ts';

export const sieveScriptQuery = defineMethod({
  name: 'SieveScript/query',
  capability: sieveCapability,
  access: 'read',
  arguments: queryArguments({}),
  run({ account, cache }, args) {
    const filter = readFilter(args.filter, readCondition);
    const compare = comparison(args.sort ?? []);
    return account.read((reader) => {
      const ids = scripts(reader)
        .filter((script) => filter === undefined || isIn(filter, script))
        .sort(compare)
        .map(({ id }) => id);
      return queryAnswer(args, ids, stateString(cache.states(reader), scriptType), false);
    });
  },
});

function readCondition(condition: unknown): SieveScriptFilter {
  if (!Value.Check(SieveScriptFilter, condition)) throw new MethodError('unsupportedFilter', 'A condition has name and isActive.');
  return condition;
}

/** §2.5: a name is looked for as a substring, in any case. */
function isIn(filter: Filter<SieveScriptFilter>, script: StoredScript): boolean {
  return passes(
    filter,
    ({ name, isActive }) =>
      (name === undefined || script.name.toLowerCase().includes(name.toLowerCase())) &&
      (isActive === undefined || script.isActive === isActive),
  );
}

function comparison(sort: readonly { readonly property: string; readonly isAscending?: boolean }[]) {
  const unknown = sort.find(({ property }) => !(sieveScriptSorts as readonly string[]).includes(property));
  if (unknown !== undefined) throw new MethodError('unsupportedSort', 'Scripts are sorted by name and isActive.');
  const keyOf = (script: StoredScript, property: string) => (property === 'name' ? script.name.toLowerCase() : Number(script.isActive));
  return (a: StoredScript, b: StoredScript): number => {
    for (const { property, isAscending = true } of sort) {
      const [left, right] = [keyOf(a, property), keyOf(b, property)];
      if (left !== right) return (left < right ? -1 : 1) * (isAscending ? 1 : -1);
    }
    return a.id < b.id ? -1 : 1;
  };
}
