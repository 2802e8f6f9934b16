/** SieveScript/query (RFC 9661 §2.5). There are some dozens of scripts at most; changes of a query are not calculated. */
import { queryArguments } from '../../../../protocol/jmap/schema/common.ts';
import { SieveScriptFilter, type sieveScriptSorts } from '../../../../protocol/jmap/schema/sieve-script.ts';
import { foldText } from '../../../../protocol/jmap/search-text.ts';
import { type StoredScript, scripts, scriptType } from '../../../../storage/sieve/scripts.ts';
import { defineMethod, sieveCapability } from '../../method.ts';
import { queryAnswer, readCondition } from '../../standard/query.ts';
import { byId, readSelection, type SelectionArguments } from '../../standard/selection.ts';
import { stateString } from '../../states.ts';

export const sieveScriptQuery = defineMethod({
  name: 'SieveScript/query',
  capability: sieveCapability,
  access: 'read',
  arguments: queryArguments({}),
  run({ account, cache }, args) {
    const select = readQuery(args);
    return account.read((reader) => {
      const ids = select(scripts(reader)).map(({ id }) => id);
      return queryAnswer(args, ids, stateString(cache.states(reader), scriptType), false);
    });
  },
});

const sorts: Readonly<Record<(typeof sieveScriptSorts)[number], (script: StoredScript) => string | number>> = {
  name: ({ name }) => name,
  isActive: ({ isActive }) => Number(isActive),
};

/** Checks filter and sort. Throws MethodError. */
function readQuery(args: SelectionArguments): (scripts: Iterable<StoredScript>) => StoredScript[] {
  return readSelection<StoredScript, SieveScriptFilter>(args, {
    noun: 'Scripts',
    readCondition: (condition) => readCondition(condition, SieveScriptFilter, 'Scripts'),
    // §2.5: a name is looked for as a substring, in any case.
    matches: ({ name, isActive }, script) =>
      (name === undefined || foldText(script.name).includes(foldText(name))) && (isActive === undefined || script.isActive === isActive),
    sorts,
    usual: byId,
  });
}
