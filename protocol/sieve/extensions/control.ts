/** RFC 5228 §3, §4: control, and the actions that say where the message goes, with what copy, imap4flags, mailbox and special-use add to them. */
import type { Machine } from '../machine.ts';
import type { Target } from '../outcome.ts';
import { type Call, defineCommand, type ScriptFacts, type TagRow } from '../row.ts';
import { addressIn } from './addresses.ts';
import { flagsIn } from './flags.ts';

/** An elsif or an else is for when nothing before it in its chain was. */
function branch(machine: Machine, call: Call, holds: () => boolean): void {
  machine.isTaken = holds();
  if (machine.isTaken) machine.runBlock(call.block);
}

const copyTag: TagRow = { name: 'copy', extension: 'copy' };
const flagsTag: TagRow = { name: 'flags', takes: 'strings', extension: 'imap4flags' };
export const targetTags: readonly TagRow[] = [
  { name: 'create', extension: 'mailbox' },
  { name: 'specialuse', takes: 'string', extension: 'special-use' },
];

function flagsOf(machine: Machine, { tags }: Call): readonly string[] | undefined {
  const given = tags.get('flags');
  if (given !== undefined) return flagsIn(machine.texts(given.texts));
  return machine.flags.length > 0 ? machine.flags : undefined;
}

export function targetOf(machine: Machine, { tags }: Call, mailbox: string): Target {
  const use = tags.get('specialuse')?.texts[0];
  return { mailbox, mayCreate: tags.has('create'), specialUse: use === undefined ? undefined : machine.text(use).toLowerCase() };
}

/** RFC 8579 §4: a use is written as LIST gives it. */
export function requireUse({ tags }: Omit<Call, 'data'>, facts: ScriptFacts): void {
  const use = tags.get('specialuse');
  const text = use?.texts[0];
  if (typeof text === 'string' && !/^\\[^\s(){}%*"\\\]]+$/.test(text))
    throw facts.fail(use!.line, ':specialuse takes a use such as "\\Junk".');
}

export const controlCommands = [
  defineCommand({
    name: 'if',
    tests: 'one',
    hasBlock: true,
    run: (machine, call) => branch(machine, call, () => machine.test(call.tests[0]!)),
  }),
  defineCommand({
    name: 'elsif',
    tests: 'one',
    hasBlock: true,
    run: (machine, call) => {
      if (!machine.isTaken) branch(machine, call, () => machine.test(call.tests[0]!));
    },
  }),
  defineCommand({
    name: 'else',
    hasBlock: true,
    run: (machine, call) => {
      if (!machine.isTaken) branch(machine, call, () => true);
    },
  }),
  defineCommand({
    name: 'stop',
    run(machine) {
      machine.jump = 'stop';
    },
  }),
  defineCommand({
    name: 'keep',
    tags: [flagsTag],
    run(machine, call) {
      machine.addAction({ do: 'keep', flags: flagsOf(machine, call), bytes: machine.message.bytes() });
      machine.isImplicitlyKept = false;
    },
  }),
  defineCommand({
    name: 'discard',
    run(machine) {
      machine.addAction({ do: 'discard' });
      machine.isImplicitlyKept = false;
    },
  }),
  defineCommand({
    name: 'fileinto',
    extension: 'fileinto',
    tags: [copyTag, flagsTag, ...targetTags],
    values: ['string'],
    check: requireUse,
    run(machine, call) {
      const mailbox = machine.text(call.values[0]!.texts[0]!);
      if (mailbox === '') throw machine.fail('fileinto names no mailbox.');
      machine.addAction({
        do: 'fileinto',
        ...targetOf(machine, call, mailbox),
        flags: flagsOf(machine, call),
        bytes: machine.message.bytes(),
      });
      if (!call.tags.has('copy')) machine.isImplicitlyKept = false;
    },
  }),
  defineCommand({
    name: 'redirect',
    tags: [copyTag],
    values: ['string'],
    check({ values: [address] }, facts) {
      const [text] = address!.texts;
      if (typeof text === 'string' && addressIn(text) === undefined)
        throw facts.fail(address!.line, `${JSON.stringify(text.slice(0, 100))} is no address.`);
    },
    run(machine, call) {
      const text = machine.text(call.values[0]!.texts[0]!);
      const address = addressIn(text);
      if (address === undefined) throw machine.fail(`${JSON.stringify(text.slice(0, 100))} is no address to redirect to.`);
      // RFC 5228 §2.10.3: to one address once.
      const isKnown = machine.actions.some((each) => each.do === 'redirect' && each.address.toLowerCase() === address.toLowerCase());
      if (!isKnown) machine.addAction({ do: 'redirect', address, bytes: machine.message.bytes() });
      if (!call.tags.has('copy')) machine.isImplicitlyKept = false;
    },
  }),
];
