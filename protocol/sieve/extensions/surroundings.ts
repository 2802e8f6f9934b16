/**
 * Tests of what is around the message: mailboxes (RFC 5490, RFC 8579), what was seen before (RFC 7352), scanners (RFC 5235), the server (RFC 5183), and
 * whether an extension is here (RFC 5463).
 */
import { duplicateSecondsDefault, duplicateSecondsMax } from '../limits.ts';
import type { Matching } from '../match.ts';
import { fieldsNamed, textOf } from '../message.ts';
import { defineCommand, defineTest } from '../row.ts';
import { matchTags, readMatching } from './matching.ts';

export const surroundingTests = [
  defineTest({
    name: 'mailboxexists',
    extension: 'mailbox',
    values: ['strings'],
    run: (machine, { values: [names] }) => machine.texts(names!.texts).every((name) => machine.input.mailboxExists(name)),
  }),
  defineTest({
    name: 'specialuse_exists',
    extension: 'special-use',
    values: ['string', 'strings'],
    isFirstOptional: true,
    run(machine, { values }) {
      const mailbox = values.length === 2 ? machine.text(values[0]!.texts[0]!) : undefined;
      const uses = machine.texts(values.at(-1)!.texts).map((use) => use.toLowerCase());
      return machine.input.specialUseExists(mailbox, uses);
    },
  }),
  defineTest({
    name: 'duplicate',
    extension: 'duplicate',
    tags: [
      { name: 'handle', takes: 'string' },
      { name: 'header', takes: 'string', group: 'id' },
      { name: 'uniqueid', takes: 'string', group: 'id' },
      { name: 'seconds', takes: 'number' },
      { name: 'last' },
    ],
    run(machine, { tags }) {
      const text = (tag: string) => {
        const value = tags.get(tag)?.texts[0];
        return value === undefined ? undefined : machine.text(value);
      };
      const field = text('header') ?? 'message-id';
      const header = fieldsNamed(machine.message.fields, field)[0];
      const id = text('uniqueid') ?? (header === undefined ? undefined : textOf(header));
      // §3.1: what has no id is no duplicate.
      if (id === undefined || id === '') return false;
      const seconds = Math.min(tags.get('seconds')?.number ?? duplicateSecondsDefault, duplicateSecondsMax);
      const kind = tags.has('uniqueid') ? 'uniqueid' : `header ${field.toLowerCase()}`;
      const name = JSON.stringify([text('handle') ?? '', kind, id]);
      const isDuplicate = machine.input.isTracked(name);
      if (!isDuplicate || tags.has('last')) machine.tracked.push({ name, seconds, isRenewed: tags.has('last') });
      return isDuplicate;
    },
  }),
  defineTest({
    name: 'spamtest',
    extension: 'spamtest',
    tags: [...matchTags, { name: 'percent', extension: 'spamtestplus' }],
    values: ['string'],
    check: (call, facts) => readMatching(call, facts, 0),
    run(machine, { tags, values: [value], data }) {
      const score = machine.input.spamScore;
      const matching = data as Matching;
      // RFC 5235 §3.2: 1 is clear; as percents that is 0. :count asks whether it was tested at all.
      const shown = tags.has('percent') ? Math.round(((Math.max(score, 1) - 1) / 9) * 100) : score;
      const text = matching.type === 'count' ? (score > 0 ? '1' : '0') : String(shown);
      return machine.match(matching, [text], machine.texts(value!.texts));
    },
  }),
  defineTest({
    name: 'virustest',
    extension: 'virustest',
    tags: matchTags,
    values: ['string'],
    check: (call, facts) => readMatching(call, facts, 0),
    run(machine, { values: [value], data }) {
      const score = machine.input.virusScore;
      const matching = data as Matching;
      return machine.match(matching, [matching.type === 'count' ? (score > 0 ? '1' : '0') : String(score)], machine.texts(value!.texts));
    },
  }),
  defineTest({
    name: 'environment',
    extension: 'environment',
    tags: matchTags,
    values: ['string', 'strings'],
    check: (call, facts) => readMatching(call, facts, 1),
    run(machine, { values: [item, patterns], data }) {
      const name = machine.text(item!.texts[0]!).toLowerCase();
      const { environment } = machine.input;
      const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
      const matching = data as Matching;
      // RFC 5183 §4: false for an item that is not known; an empty one counts 0.
      if (value === undefined) return false;
      return machine.match(matching, [matching.type === 'count' ? (value === '' ? '0' : '1') : value], machine.texts(patterns!.texts));
    },
  }),
  defineTest({
    name: 'ihave',
    extension: 'ihave',
    values: ['strings'],
    check({ values: [names], line }, facts) {
      const isVariable = names!.texts.some((text) => typeof text !== 'string');
      if (isVariable) throw facts.fail(line, 'ihave takes names without variables.');
      return names!.texts.every((name) => typeof name === 'string' && facts.isRequired(name));
    },
    run: (_, { data }) => data === true,
  }),
];

export const surroundingCommands = [
  defineCommand({
    name: 'error',
    extension: 'ihave',
    values: ['string'],
    run(machine, { values: [message] }) {
      throw machine.fail(`the script says: ${machine.text(message!.texts[0]!).slice(0, 500)}`);
    },
  }),
];
