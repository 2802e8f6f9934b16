/**
 * Rules as administrators type and read them: one clause a word.
 *
 *   sender=PATTERN,…   recipient=PATTERN,…   header:NAME   header:NAME=PIECE   header:NAME==WHOLE   size>BYTES   size<BYTES (also 10K, 10M)
 *   verdict:spam=FAIL,GRAY   attachment=.exe,application/zip     each with `!` in front: the opposite
 *   drop   bounce=TEXT   junk   never-junk   move=Path/Name   redirect=ADDRESS   add-recipient=ADDRESS   add-header=NAME: VALUE   banner=TEXT
 *   journal=ADDRESS   hook=NAME   stop
 */
import { MailError } from '../../protocol/mail/errors.ts';
import { canonicalAddress, canonicalDomain } from '../../storage/directory/address.ts';
import type { RuleAction, RuleCondition, VerdictName } from '../../storage/directory/rule-records.ts';
import { clauseCharactersMax, clausesMax, patternsMax } from './limits.ts';

export interface RuleClauses {
  readonly conditions: readonly RuleCondition[];
  readonly actions: readonly RuleAction[];
}

const verdictNames: readonly string[] = ['spam', 'virus', 'spf', 'dkim', 'dmarc'] satisfies VerdictName[];

/** Throws MailError with a sentence about the clause that cannot be read. */
export function parseClauses(clauses: readonly string[]): RuleClauses {
  if (clauses.length > clausesMax) refuse(`A rule may have ${clausesMax} clauses.`);
  const conditions: RuleCondition[] = [];
  const actions: RuleAction[] = [];
  for (const clause of clauses) {
    if (clause.length > clauseCharactersMax) refuse(`A clause may have ${clauseCharactersMax} characters.`);
    const action = parseAction(clause);
    if (action !== undefined) actions.push(action);
    else conditions.push(parseCondition(clause));
  }
  if (actions.length === 0) refuse('The rule does nothing: give it an action, such as junk or bounce=TEXT.');
  return { conditions, actions };
}

function parseCondition(clause: string): RuleCondition {
  const isNegated = clause.startsWith('!');
  const condition = parsePlainCondition(isNegated ? clause.slice(1) : clause, clause);
  return isNegated ? { ...condition, not: true } : condition;
}

function parsePlainCondition(text: string, clause: string): RuleCondition {
  const [, test, list] = /^(sender|recipient|attachment)=(.+)$/s.exec(text) ?? [];
  if (test === 'sender' || test === 'recipient') return { test, patterns: listOf(list!, clause).map((item) => parsePattern(item, clause)) };
  if (test === 'attachment') return { test, types: listOf(list!, clause).map((item) => parseType(item, clause)) };
  const size = /^size([<>])(\d{1,12})([km]?)$/i.exec(text);
  if (size !== null) {
    const bytes = Number(size[2]) * { '': 1, k: 1024, m: 1024 * 1024 }[size[3]!.toLowerCase() as '' | 'k' | 'm'];
    return size[1] === '>' ? { test: 'size', above: bytes } : { test: 'size', below: bytes };
  }
  const verdict = /^verdict:([a-z]+)=(.+)$/.exec(text);
  if (verdict !== null) {
    const [, name = '', values = ''] = verdict;
    if (!verdictNames.includes(name)) refuse(`"${clause}": the verdicts are ${verdictNames.join(', ')}.`);
    return { test: 'verdict', verdict: name as VerdictName, values: listOf(values.toUpperCase(), clause) };
  }
  const header = /^header:([!-9;-~]{1,100}?)(?:(==?)(.+))?$/s.exec(text);
  if (header !== null) {
    const [, name = '', operator, value = ''] = header;
    const comparison = operator === undefined ? {} : operator === '=' ? { contains: value } : { equals: value };
    return { test: 'header', name: name.toLowerCase(), ...comparison };
  }
  return refuse(`"${clause}" is neither a condition nor an action. \`satchel rule add --help\` names them.`);
}

const plainActions = {
  drop: { do: 'drop' },
  junk: { do: 'junk' },
  'never-junk': { do: 'neverJunk' },
  stop: { do: 'stop' },
} as const satisfies Readonly<Record<string, RuleAction>>;

/** Undefined: not an action. */
function parseAction(clause: string): RuleAction | undefined {
  if (Object.hasOwn(plainActions, clause)) return plainActions[clause as keyof typeof plainActions];
  const [, name, value = ''] = /^([a-z-]+)=(.*)$/s.exec(clause) ?? [];
  switch (name) {
    case 'bounce':
      return { do: 'bounce', message: requireText(value, clause) };
    case 'banner':
      return { do: 'banner', text: requireText(value, clause) };
    case 'move': {
      const mailbox = value.split('/');
      if (mailbox.some((level) => level.trim() === '')) refuse(`"${clause}": write the mailbox as Name or Name/Below.`);
      return { do: 'move', mailbox };
    }
    case 'redirect':
      return { do: 'redirect', to: requireAddress(value, clause) };
    case 'add-recipient':
      return { do: 'addRecipient', to: requireAddress(value, clause) };
    case 'journal':
      return { do: 'journal', to: requireAddress(value, clause) };
    case 'hook':
      return { do: 'hook', hook: requireText(value, clause) };
    case 'add-header': {
      // RFC 5322 §2.2: a name of printable ASCII without the colon.
      const [, field, content] = /^([!-9;-~]{1,100}):\s*([^\r\n]*)$/.exec(value) ?? [];
      if (field === undefined || content === undefined) return refuse(`"${clause}": write add-header="Name: value".`);
      if (structural.test(field)) refuse(`"${clause}": that field describes the message and cannot be added.`);
      return { do: 'addHeader', name: field, value: content };
    }
    default:
      return undefined;
  }
}

/** A second one of these would make the message mean something else, or break it. */
const structural =
  /^(content-.*|mime-version|from|sender|to|cc|bcc|date|message-id|subject|received|return-path|dkim-signature|x-ses-.*)$/i;

export function formatClauses({ conditions, actions }: RuleClauses): string[] {
  return [...conditions.map(formatCondition), ...actions.map(formatAction)];
}

function formatCondition(condition: RuleCondition): string {
  return `${condition.not ? '!' : ''}${formatPlainCondition(condition)}`;
}

function formatPlainCondition(condition: RuleCondition): string {
  switch (condition.test) {
    case 'sender':
    case 'recipient':
      return `${condition.test}=${condition.patterns.join(',')}`;
    case 'header':
      if (condition.equals !== undefined) return `header:${condition.name}==${condition.equals}`;
      return `header:${condition.name}${condition.contains === undefined ? '' : `=${condition.contains}`}`;
    case 'size':
      return condition.above === undefined ? `size<${condition.below}` : `size>${condition.above}`;
    case 'verdict':
      return `verdict:${condition.verdict}=${condition.values.join(',')}`;
    case 'attachment':
      return `attachment=${condition.types.join(',')}`;
  }
}

function formatAction(action: RuleAction): string {
  switch (action.do) {
    case 'drop':
    case 'junk':
    case 'stop':
      return action.do;
    case 'neverJunk':
      return 'never-junk';
    case 'bounce':
      return `bounce=${action.message}`;
    case 'banner':
      return `banner=${action.text}`;
    case 'move':
      return `move=${action.mailbox.join('/')}`;
    case 'redirect':
    case 'journal':
      return `${action.do}=${action.to}`;
    case 'addRecipient':
      return `add-recipient=${action.to}`;
    case 'addHeader':
      return `add-header=${action.name}: ${action.value}`;
    case 'hook':
      return `hook=${action.hook}`;
  }
}

/** Addresses and domains, separated by commas. */
export function parsePatterns(list: string): string[] {
  return listOf(list, list).map((item) => parsePattern(item, list));
}

function parsePattern(pattern: string, clause: string): string {
  if (pattern === '*') return pattern;
  if (pattern.startsWith('*.')) {
    const domain = canonicalDomain(pattern.slice(2));
    if (domain !== undefined) return `*.${domain}`;
  } else {
    const canonical = pattern.includes('@') ? canonicalAddress(pattern) : canonicalDomain(pattern);
    if (canonical !== undefined) return canonical;
  }
  return refuse(`"${clause}": ${pattern} is neither an address nor a domain, nor *.domain, nor *.`);
}

function parseType(type: string, clause: string): string {
  const lower = type.toLowerCase();
  if (/^\.[^\s/\\]+$/.test(lower) || /^[a-z0-9!#$&^_.+-]+\/([a-z0-9!#$&^_.+-]+|\*)$/.test(lower)) return lower;
  return refuse(`"${clause}": ${type} is neither an ending such as .exe nor a type such as application/zip or image/*.`);
}

function listOf(list: string, clause: string): string[] {
  const items = list.split(',').map((item) => item.trim());
  if (items.includes('')) refuse(`"${clause}": there is nothing between two commas.`);
  if (items.length > patternsMax) refuse(`A clause may have ${patternsMax} patterns.`);
  return items;
}

function requireAddress(value: string, clause: string): string {
  return canonicalAddress(value) ?? refuse(`"${clause}": ${value} is not a mail address.`);
}

function requireText(value: string, clause: string): string {
  return value.trim() === '' ? refuse(`"${clause}" lacks what stands behind the equals sign.`) : value;
}

function refuse(sentence: string): never {
  throw new MailError('invalidArguments', sentence);
}
