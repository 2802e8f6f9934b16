/** RFC 5229 (variables), with the modifiers of regex (:quoteregex) and enotify (:encodeurl). */
import { stringBytesMax } from '../limits.ts';
import type { Matching } from '../match.ts';
import { type Call, defineCommand, defineTest, type TagRow } from '../row.ts';
import { cutToBytes, isVariableName } from '../text.ts';
import { matchTags, matchValues, readMatching } from './matching.ts';

interface Modifier {
  readonly name: string;
  readonly precedence: number;
  readonly extension?: string;
  readonly apply: (text: string) => string;
}

/** §4.1.1: letters of US-ASCII, and no others. */
const lower = (text: string) => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
const upper = (text: string) => text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
const first = (text: string, change: (character: string) => string) => {
  const [head = ''] = text;
  return change(head) + text.slice(head.length);
};

/** §4.1: larger precedence first; one of each. */
const modifiers: readonly Modifier[] = [
  { name: 'lower', precedence: 40, apply: lower },
  { name: 'upper', precedence: 40, apply: upper },
  { name: 'lowerfirst', precedence: 30, apply: (text) => first(text, lower) },
  { name: 'upperfirst', precedence: 30, apply: (text) => first(text, upper) },
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

export const modifierTags: readonly TagRow[] = modifiers.map(({ name, precedence, extension }) => ({
  name,
  group: String(precedence),
  ...(extension === undefined ? {} : { extension }),
}));

export function modified(text: string, { tags }: Call): string {
  let result = text;
  for (const modifier of modifiers) {
    if (tags.has(modifier.name)) result = cutToBytes(modifier.apply(result), stringBytesMax);
  }
  return result;
}

export const variableCommands = [
  defineCommand({
    name: 'set',
    extension: 'variables',
    tags: modifierTags,
    values: ['string', 'string'],
    check({ values: [name] }, facts) {
      const [text] = name!.texts;
      if (typeof text !== 'string' || !isVariableName(text)) throw facts.fail(name!.line, 'set takes the name of a variable.');
      if (text.toLowerCase().startsWith('global.') && !facts.isRequired('include'))
        throw facts.fail(name!.line, 'global variables need require "include".');
    },
    run(machine, call) {
      const [name, value] = call.values;
      machine.setVariable(name!.texts[0] as string, modified(machine.text(value!.texts[0]!), call));
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
