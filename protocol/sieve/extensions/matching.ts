/** The tags that tests of strings share: comparator, match type, address part, index, mime; and what they say in a call. */

import type { Machine } from '../machine.ts';
import {
  baseComparators,
  type Comparator,
  comparators,
  compilePattern,
  type Matching,
  type MatchType,
  type Relation,
  relations,
} from '../match.ts';
import { type AddressPart, type Entity, type Field, fieldsNamed, partsBelow } from '../message.ts';
import type { Call, ScriptFacts, TagRow } from '../row.ts';

export const matchTags: readonly TagRow[] = [
  { name: 'comparator', takes: 'string', isConstant: true },
  { name: 'is', group: 'match type' },
  { name: 'contains', group: 'match type' },
  { name: 'matches', group: 'match type' },
  { name: 'regex', group: 'match type', extension: 'regex' },
  { name: 'value', group: 'match type', extension: 'relational', takes: 'string', isConstant: true },
  { name: 'count', group: 'match type', extension: 'relational', takes: 'string', isConstant: true },
];

export const addressTags: readonly TagRow[] = [
  { name: 'all', group: 'address part' },
  { name: 'localpart', group: 'address part' },
  { name: 'domain', group: 'address part' },
  { name: 'user', group: 'address part', extension: 'subaddress' },
  { name: 'detail', group: 'address part', extension: 'subaddress' },
];

/** RFC 5260 §6. */
export const indexTags: readonly TagRow[] = [
  { name: 'index', takes: 'number', extension: 'index' },
  { name: 'last', extension: 'index' },
];

/** RFC 5703 §4. */
export const mimeTags: readonly TagRow[] = [
  { name: 'mime', extension: 'mime' },
  { name: 'anychild', extension: 'mime' },
];
export const mimePartTags: readonly TagRow[] = [
  { name: 'type', group: 'mime option', extension: 'mime' },
  { name: 'subtype', group: 'mime option', extension: 'mime' },
  { name: 'contenttype', group: 'mime option', extension: 'mime' },
  { name: 'param', group: 'mime option', extension: 'mime', takes: 'strings' },
];

const matchTypes: readonly MatchType[] = ['is', 'contains', 'matches', 'regex', 'value', 'count'];

/** Reads and checks the match tags; `patterns` are compiled now where they hold no variables. */
export function readMatching(call: Omit<Call, 'data'>, facts: ScriptFacts, patterns: number | undefined): Matching {
  const { tags, line } = call;
  const name = constant(call, 'comparator') ?? 'i;ascii-casemap';
  const comparator = comparators.get(name);
  if (comparator === undefined) throw facts.fail(line, `there is no comparator ${JSON.stringify(name.slice(0, 100))} here.`);
  if (!baseComparators.has(name) && !facts.isRequired(`comparator-${name}`)) {
    throw facts.fail(line, `the comparator needs require "comparator-${name}".`);
  }
  const type = matchTypes.find((each) => tags.has(each)) ?? 'is';
  if ((type === 'contains' || type === 'matches' || type === 'regex') && comparator.characterKey === undefined) {
    throw facts.fail(line, `${name} knows no :${type}.`);
  }
  const relation = constant(call, type)?.toLowerCase() ?? 'eq';
  if (!relations.has(relation)) throw facts.fail(line, `:${type} takes "gt", "ge", "lt", "le", "eq" or "ne".`);
  if (type === 'regex' && patterns !== undefined) requirePatterns(call, facts, patterns, comparator);
  return { type, comparator, relation: relation as Relation };
}

function requirePatterns({ values }: Omit<Call, 'data'>, facts: ScriptFacts, index: number, comparator: Comparator): void {
  for (const text of values[index]?.texts ?? []) {
    if (typeof text !== 'string') continue;
    try {
      compilePattern(text, comparator.isCaseless);
    } catch (error) {
      throw facts.fail(values[index]!.line, error instanceof Error ? error.message : String(error));
    }
  }
}

/** The string of a tag that takes a constant one. */
export function constant({ tags }: Omit<Call, 'data'>, tag: string): string | undefined {
  const text = tags.get(tag)?.texts[0];
  return typeof text === 'string' ? text : undefined;
}

export function partOf({ tags }: Omit<Call, 'data'>): AddressPart {
  const parts: readonly AddressPart[] = ['localpart', 'domain', 'user', 'detail', 'all'];
  return parts.find((part) => tags.has(part)) ?? 'all';
}

/** RFC 5260 §6: :index counts from one, :last from the end. */
export function requireIndex({ tags, line }: Omit<Call, 'data'>, facts: ScriptFacts): void {
  if (tags.has('last') && !tags.has('index')) throw facts.fail(line, ':last goes with :index.');
  if (tags.get('index')?.number === 0) throw facts.fail(line, ':index counts from 1.');
}

export function requireMime({ tags, line }: Omit<Call, 'data'>, facts: ScriptFacts): void {
  const needing = ['anychild', 'type', 'subtype', 'contenttype', 'param'].find((tag) => tags.has(tag));
  if (needing !== undefined && !tags.has('mime')) throw facts.fail(line, `:${needing} goes with :mime.`);
}

/** The one that :index means, or all. */
export function indexed<T>({ tags }: Call, all: readonly T[]): readonly T[] {
  const index = tags.get('index')?.number;
  if (index === undefined) return all;
  const found = tags.has('last') ? all.at(-index) : all[index - 1];
  return found === undefined ? [] : [found];
}

/** Whose header is meant (RFC 5703 §4): the message's; with :mime the part's at hand; with :anychild those of all parts below too. */
export function entitiesOf(machine: Machine, { tags }: Call): Entity[] {
  if (!tags.has('mime')) return [machine.message.entity];
  const { entity } = machine;
  return tags.has('anychild') ? Array.from(partsBelow(entity.part), (part) => machine.message.entityOf(part)) : [entity];
}

/** Fields of a name. Of a part only those that MIME gives it, and others that stand there. */
export const fieldsOf = (entities: readonly Entity[], name: string): Field[] => entities.flatMap(({ fields }) => fieldsNamed(fields, name));

/** Compares values, or with :count their number. */
export function matchValues(machine: Machine, matching: Matching, values: readonly string[], patterns: readonly string[]): boolean {
  return machine.match(matching, matching.type === 'count' ? [String(values.length)] : values, patterns);
}
