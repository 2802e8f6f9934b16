/** RFC 5293 (editheader). Received, Auto-Submitted and our own mark of forwarded mail are the trail of loops, and stay as they are (§6). */
import { addedHeaderBytesMax } from '../limits.ts';
import type { Matching } from '../match.ts';
import { fieldsNamed, textOf } from '../message.ts';
import { defineCommand, type ScriptFacts, type Value } from '../row.ts';
import { indexed, indexTags, matchTags, matchValues, readMatching } from './matching.ts';

const protectedFields = new Set(['received', 'auto-submitted', 'x-satchel-forwarded-by']);
const isFieldName = (name: string) => /^[\x21-\x39\x3b-\x7e]{1,77}$/.test(name);

function requireName(name: Value, facts: ScriptFacts): void {
  const [text] = name.texts;
  if (typeof text === 'string' && !isFieldName(text))
    throw facts.fail(name.line, `${JSON.stringify(text.slice(0, 100))} is no name of a field.`);
}

export const headerCommands = [
  defineCommand({
    name: 'addheader',
    extension: 'editheader',
    tags: [{ name: 'last' }],
    values: ['string', 'string'],
    check: ({ values: [name] }, facts) => requireName(name!, facts),
    run(machine, { tags, values }) {
      const [name, value] = values.map(({ texts }) => machine.text(texts[0]!)) as [string, string];
      if (!isFieldName(name)) throw machine.fail(`${JSON.stringify(name.slice(0, 100))} is no name of a field.`);
      // §4: what would end the field or the header does not get in.
      const clean = value.replace(/[\r\n\0]+[ \t]*/g, ' ').trim();
      machine.addedHeaderBytes += machine.message.addField(name, clean, tags.has('last'));
      if (machine.addedHeaderBytes > addedHeaderBytesMax)
        throw machine.fail(`more than ${addedHeaderBytesMax} bytes of fields were added.`);
    },
  }),
  defineCommand({
    name: 'deleteheader',
    extension: 'editheader',
    tags: [...matchTags, ...indexTags.map(({ name, takes }) => ({ name, ...(takes === undefined ? {} : { takes }) }))],
    values: ['string', 'strings'],
    // The patterns may be left out: all fields of the name go.
    isLastOptional: true,
    check(call, facts) {
      requireName(call.values[0]!, facts);
      if (call.tags.has('last') && !call.tags.has('index')) throw facts.fail(call.line, ':last goes with :index.');
      if (call.tags.get('index')?.number === 0) throw facts.fail(call.line, ':index counts from 1.');
      return readMatching(call, facts, 1);
    },
    run(machine, call) {
      const name = machine.text(call.values[0]!.texts[0]!).toLowerCase();
      if (protectedFields.has(name)) return;
      const matching = call.data as Matching;
      const patterns = call.values[1] === undefined ? undefined : machine.texts(call.values[1].texts);
      const meant = indexed(call, fieldsNamed(machine.message.fields, name));
      if (matching.type === 'count') {
        if (patterns !== undefined && !matchValues(machine, matching, meant.map(textOf), patterns)) return;
        machine.message.removeFields((field) => meant.includes(field));
        return;
      }
      const gone = new Set(meant.filter((field) => patterns === undefined || machine.match(matching, [textOf(field)], patterns)));
      machine.message.removeFields((field) => gone.has(field));
    },
  }),
];
