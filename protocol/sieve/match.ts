/**
 * How values are compared: comparators (RFC 4790, RFC 5051), match types (RFC 5228 §2.7.1, RFC 5231, regex). All of it is linear or bounded by
 * value × pattern, and the machine is told how much was looked at.
 */
import { RE2JS, RE2JSException } from 're2js';
import { casemapKey } from '../mime/collation.ts';
import { matchVariablesMax, patternCharsMax, programMax } from './limits.ts';

export interface Comparator {
  readonly name: string;
  /** Equal keys are equal values; keys compare as JavaScript compares strings. */
  readonly key: (text: string) => string;
  /** Undefined where it knows no substrings (RFC 4790 §9.1.1). One character of a pattern, and one of a value. */
  readonly characterKey: ((character: string) => string) | undefined;
  readonly isCaseless: boolean;
}

const asciiUpper = (text: string) => text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
const same = (text: string) => text;
/** RFC 4790 §9.2: octets, compared as such. UTF-16 order is not that of UTF-8 beyond the BMP; keys of latin1 bytes are. */
const octets = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

/** RFC 4790 §9.1: the digits that begin the value; a value without any is more than every number. */
function numericKey(text: string): string {
  const digits = /^[0-9]+/.exec(text)?.[0].replace(/^0+(?=.)/, '');
  return digits === undefined ? '~' : `${String(digits.length).padStart(6, '0')}${digits}`;
}

const rows: readonly Comparator[] = [
  { name: 'i;ascii-casemap', key: (text) => octets(asciiUpper(text)), characterKey: asciiUpper, isCaseless: true },
  { name: 'i;octet', key: octets, characterKey: same, isCaseless: false },
  { name: 'i;ascii-numeric', key: numericKey, characterKey: undefined, isCaseless: false },
  { name: 'i;unicode-casemap', key: casemapKey, characterKey: casemapKey, isCaseless: true },
];

export const comparators: ReadonlyMap<string, Comparator> = new Map(rows.map((row) => [row.name, row]));
/** RFC 5228 §2.7.3: these need not be required. */
export const baseComparators: ReadonlySet<string> = new Set(['i;ascii-casemap', 'i;octet']);

export type Relation = 'gt' | 'ge' | 'lt' | 'le' | 'eq' | 'ne';
export const relations: ReadonlySet<string> = new Set(['gt', 'ge', 'lt', 'le', 'eq', 'ne']);

export type MatchType = 'is' | 'contains' | 'matches' | 'regex' | 'value' | 'count';

/** One question: how to compare. `relation` for value and count. */
export interface Matching {
  readonly type: MatchType;
  readonly comparator: Comparator;
  readonly relation: Relation;
}

function holds(relation: Relation, left: string, right: string): boolean {
  switch (relation) {
    case 'gt':
      return left > right;
    case 'ge':
      return left >= right;
    case 'lt':
      return left < right;
    case 'le':
      return left <= right;
    case 'eq':
      return left === right;
    case 'ne':
      return left !== right;
  }
}

/** What a pattern found: the whole and its pieces, for ${0} to ${9}. Undefined for no match; match types without variables give none. */
export type Match = readonly string[] | true | undefined;

export function matchOne({ type, comparator, relation }: Matching, value: string, pattern: string): Match {
  switch (type) {
    case 'is':
      return comparator.key(value) === comparator.key(pattern) ? true : undefined;
    case 'contains':
      return comparator.key(value).includes(comparator.key(pattern)) ? true : undefined;
    case 'value':
    case 'count':
      return holds(relation, comparator.key(value), comparator.key(pattern)) ? true : undefined;
    case 'matches':
      return matchGlob(value, pattern, comparator.characterKey ?? same);
    case 'regex':
      return matchRegex(value, pattern, comparator.isCaseless);
  }
}

/** What one question costs: characters looked at, as often as each is. */
export function costOf({ type, comparator }: Matching, value: string, pattern: string): number {
  if (type === 'matches' && pattern.includes('*')) return value.length * pattern.length;
  return type === 'regex' ? value.length * compilePattern(pattern, comparator.isCaseless).programSize() : value.length;
}

interface GlobToken {
  readonly kind: 'star' | 'any' | 'character';
  readonly key: string;
}

function globTokens(pattern: string, key: (character: string) => string): GlobToken[] {
  const found: GlobToken[] = [];
  let isQuoted = false;
  for (const character of pattern) {
    if (!isQuoted && character === '\\') isQuoted = true;
    else {
      const kind = isQuoted ? 'character' : character === '*' ? 'star' : character === '?' ? 'any' : 'character';
      found.push({ kind, key: kind === 'character' ? key(character) : '' });
      isQuoted = false;
    }
  }
  // RFC 5228 §2.7.1 says nothing of a backslash at the end: it stands for itself.
  if (isQuoted) found.push({ kind: 'character', key: key('\\') });
  return found;
}

/** RFC 5229 §3.2: each wildcard takes as little as it can. The last star alone is tried again, which is enough: value × pattern at worst. */
function matchGlob(value: string, pattern: string, key: (character: string) => string): Match {
  const characters = [...value];
  const keys = characters.map(key);
  const glob = globTokens(pattern, key);
  /** Where each token's share begins; the last star's can grow. */
  const begins: number[] = [];
  let at = 0;
  let token = 0;
  let starToken = -1;
  let starAt = 0;
  while (at < characters.length || token < glob.length) {
    const here = glob[token];
    if (here?.kind === 'star') {
      begins[token] = at;
      starToken = token;
      starAt = at;
      token++;
      continue;
    }
    if (at < characters.length && here !== undefined && (here.kind === 'any' || here.key === keys[at])) {
      begins[token] = at;
      token++;
      at++;
      continue;
    }
    if (starToken < 0 || starAt >= characters.length) return undefined;
    starAt++;
    at = starAt;
    token = starToken + 1;
  }
  begins[glob.length] = at;
  const found = [value];
  for (const [index, { kind }] of glob.entries()) {
    if (kind === 'character' || found.length >= matchVariablesMax) continue;
    found.push(characters.slice(begins[index], begins[index + 1]).join(''));
  }
  return found;
}

/** RE2's matching is linear; its cache holds what one script's rules use again for each header. */
const compiled = new Map<string, RE2JS>();
const compiledMax = 200;

/** Throws a sentence (as an Error) for what is no pattern. */
export function compilePattern(pattern: string, isCaseless: boolean): RE2JS {
  if (pattern.length > patternCharsMax) throw new Error(`a regular expression has at most ${patternCharsMax} characters.`);
  const name = `${isCaseless ? 'i' : 'c'}${pattern}`;
  const known = compiled.get(name);
  if (known !== undefined) return known;
  try {
    const made = RE2JS.compile(pattern, isCaseless ? RE2JS.CASE_INSENSITIVE : 0);
    if (made.programSize() > programMax) throw new RE2JSException('its repetitions make it too large');
    if (compiled.size >= compiledMax) compiled.delete(compiled.keys().next().value!);
    compiled.set(name, made);
    return made;
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new Error(`the regular expression ${JSON.stringify(pattern.slice(0, 100))} is not one: ${error.message}`, { cause: error });
  }
}

function matchRegex(value: string, pattern: string, isCaseless: boolean): Match {
  const matcher = compilePattern(pattern, isCaseless).matcher(value);
  if (!matcher.find()) return undefined;
  const groups = Math.min(matcher.groupCount(), matchVariablesMax - 1);
  return Array.from({ length: groups + 1 }, (_, index) => matcher.group(index) ?? '');
}
