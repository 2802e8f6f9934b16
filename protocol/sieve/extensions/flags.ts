/** RFC 5232 (imap4flags): flags that the message gets where it is put. */
import { isKeyword, keywordOf } from '../../mail/keywords.ts';
import type { Machine } from '../machine.ts';
import type { Matching } from '../match.ts';
import { type Call, defineCommand, defineTest } from '../row.ts';
import { isVariableName } from '../text.ts';
import { matchTags, matchValues, readMatching } from './matching.ts';

/** §2: strings hold several flags; each once, in any case. What is no flag is passed over. `\Recent` is not for scripts. */
export function flagsIn(texts: readonly string[]): string[] {
  const found = new Map<string, string>();
  for (const flag of texts.flatMap((text) => text.split(/[ \t\r\n]+/))) {
    const isFlag = flag.toLowerCase() === '\\deleted' || isKeyword(keywordOf(flag) ?? '');
    if (isFlag && !found.has(flag.toLowerCase())) found.set(flag.toLowerCase(), flag);
  }
  return [...found.values()];
}

/** The flags of the variable that a call names, or of the internal one. */
function change(machine: Machine, call: Call, make: (now: readonly string[], given: readonly string[]) => readonly string[]): void {
  const given = flagsIn(machine.texts(call.values.at(-1)!.texts));
  if (call.values.length === 1) {
    machine.flags = make(machine.flags, given);
    return;
  }
  const name = machine.text(call.values[0]!.texts[0]!);
  if (!isVariableName(name)) throw machine.fail(`${JSON.stringify(name.slice(0, 100))} is no name of a variable.`);
  machine.setVariable(name, make(flagsIn([machine.variable(name.toLowerCase())]), given).join(' '));
}

const without = (now: readonly string[], given: readonly string[]) => {
  const gone = new Set(given.map((flag) => flag.toLowerCase()));
  return now.filter((flag) => !gone.has(flag.toLowerCase()));
};

const row = (name: string, make: (now: readonly string[], given: readonly string[]) => readonly string[]) =>
  defineCommand({
    name,
    extension: 'imap4flags',
    values: ['string', 'strings'],
    isFirstOptional: true,
    check({ values, line }, facts) {
      if (values.length === 2 && !facts.isRequired('variables')) throw facts.fail(line, `${name} on a variable needs require "variables".`);
    },
    run: (machine, call) => change(machine, call, make),
  });

export const flagCommands = [
  row('setflag', (_, given) => given),
  row('addflag', (now, given) => flagsIn([...now, ...given])),
  row('removeflag', without),
];

export const flagTests = [
  defineTest({
    name: 'hasflag',
    extension: 'imap4flags',
    tags: matchTags,
    values: ['strings', 'strings'],
    isFirstOptional: true,
    check: (call, facts) => readMatching(call, facts, call.values.length - 1),
    run(machine, call) {
      const names = call.values.length === 2 ? machine.texts(call.values[0]!.texts) : undefined;
      const flags = names === undefined ? machine.flags : flagsIn(names.map((name) => machine.variable(name.toLowerCase())));
      // §4: the list is compared as flags; for :count it is how many there are.
      const { type } = call.data as Matching;
      const given = machine.texts(call.values.at(-1)!.texts);
      const patterns =
        type === 'is' || type === 'contains' ? given.flatMap((text) => text.split(/[ \t\r\n]+/).filter((flag) => flag !== '')) : given;
      return matchValues(machine, call.data as Matching, flags, patterns);
    },
  }),
];
