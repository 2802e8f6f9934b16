/** RFC 5229 (variables), with the modifiers of regex (:quoteregex) and enotify (:encodeurl). */
import { stringBytesMax } from '../limits.ts';
import type { Matching } from '../match.ts';
import { defineCommand, defineTest } from '../row.ts';
import { cutToBytes, isVariableName } from '../text.ts';
import { matchTags, matchValues, readMatching } from './matching.ts';

interface Modifier {
  readonly name: string;
  readonly precedence: number;
  readonly extension?: string;
  readonly apply: (text: string) => string;
}

const first = (text: string, change: (character: string) => string) => {
  const [head = ''] = text;
  return change(head) + text.slice(head.length);
};

/** §4.1: larger precedence first; one of each. */
const modifiers: readonly Modifier[] = [
  { name: 'lower', precedence: 40, apply: (text) => text.toLowerCase() },
  { name: 'upper', precedence: 40, apply: (text) => text.toUpperCase() },
  { name: 'lowerfirst', precedence: 30, apply: (text) => first(text, (head) => head.toLowerCase()) },
  { name: 'upperfirst', precedence: 30, apply: (text) => first(text, (head) => head.toUpperCase()) },
  { name: 'quotewildcard', precedence: 20, apply: (text) => text.replace(/[*?\\]/g, '\\$&') },
  { name: 'quoteregex', precedence: 20, extension: 'regex', apply: (text) => text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&') },
  {
    name: 'encodeurl',
    precedence: 15,
    extension: 'enotify',
    // RFC 5435 §6: all but the unreserved characters of RFC 3986 §2.3.
    apply: (text) =>
      encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`),
  },
  { name: 'length', precedence: 10, apply: (text) => String([...text].length) },
];

export const variableCommands = [
  defineCommand({
    name: 'set',
    extension: 'variables',
    tags: modifiers.map(({ name, precedence, extension }) => ({
      name,
      group: String(precedence),
      ...(extension === undefined ? {} : { extension }),
    })),
    values: ['string', 'string'],
    check({ values: [name] }, facts) {
      const [text] = name!.texts;
      if (typeof text !== 'string' || !isVariableName(text)) throw facts.fail(name!.line, 'set takes the name of a variable.');
      if (text.toLowerCase().startsWith('global.') && !facts.isRequired('include'))
        throw facts.fail(name!.line, 'global variables need require "include".');
    },
    run(machine, { tags, values: [name, value] }) {
      let text = machine.text(value!.texts[0]!);
      for (const modifier of modifiers) {
        if (tags.has(modifier.name)) text = cutToBytes(modifier.apply(text), stringBytesMax);
      }
      machine.setVariable(name!.texts[0] as string, text);
    },
  }),
];

export const variableTests = [
  defineTest({
    name: 'string',
    extension: 'variables',
    tags: matchTags,
    values: ['strings', 'strings'],
    check: (call, facts) => readMatching(call, facts, 1),
    run(machine, call) {
      const [sources, patterns] = call.values.map(({ texts }) => machine.texts(texts)) as [string[], string[]];
      // §5: for :count, empty strings are none.
      const matching = call.data as Matching;
      return matchValues(machine, matching, matching.type === 'count' ? sources.filter((text) => text !== '') : sources, patterns);
    },
  }),
];
