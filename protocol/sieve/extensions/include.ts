/** RFC 6609 (include): other scripts of the account. There are no scripts of the site: `:global` ones are never found. */
import { defineCommand } from '../row.ts';
import { isVariableName } from '../text.ts';

export const includeCommands = [
  defineCommand({
    name: 'include',
    extension: 'include',
    tags: [{ name: 'personal', group: 'location' }, { name: 'global', group: 'location' }, { name: 'once' }, { name: 'optional' }],
    values: ['string'],
    run(machine, { tags, values: [name] }) {
      const wanted = machine.text(name!.texts[0]!);
      const isPersonal = !tags.has('global');
      // §3.2: what was included already, by whichever way, is not again.
      const isKnown = machine.included.has(wanted);
      if (tags.has('once') && isKnown) return;
      const script = isPersonal ? machine.input.script(wanted) : undefined;
      if (script === undefined) {
        if (tags.has('optional')) return;
        throw machine.fail(
          `there is no ${isPersonal ? 'script' : 'script of the site'} ${JSON.stringify(wanted.slice(0, 100))} to include.`,
        );
      }
      machine.included.add(wanted);
      machine.include(script);
    },
  }),
  defineCommand({
    name: 'return',
    extension: 'include',
    run(machine) {
      machine.jump = 'return';
    },
  }),
  defineCommand({
    name: 'global',
    extension: 'include',
    values: ['strings'],
    check({ values: [names] }, facts) {
      if (!facts.isRequired('variables')) throw facts.fail(names!.line, 'global needs require "variables".');
      const wrong = names!.texts.find((text) => typeof text !== 'string' || !isVariableName(text) || text.includes('.'));
      if (wrong !== undefined) throw facts.fail(names!.line, 'global takes names of variables.');
    },
    run(machine, { values: [names] }) {
      for (const name of names!.texts) machine.tieToGlobal(name as string);
    },
  }),
];
