/** Changes of the organisation's rules and of the keys that their functions sign with, as mutations of the directory's account. */
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountTransactor } from '../account/api.ts';
import { flowKeysMax, nameCharactersMax, rulesMax } from './limits.ts';
import type { FlowKeyRecord } from './records.ts';
import type { Rule, RuleRecord } from './rule-records.ts';

/** In the order in which they are asked. */
export function sortedRules(records: Iterable<readonly [id: string, record: RuleRecord]>): Rule[] {
  return Array.from(records, ([id, record]) => ({ id, ...record })).sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

/** Puts the rule behind all others. */
export function addRule(tx: AccountTransactor, id: string, rule: Omit<RuleRecord, 'order' | 'createdAt'>): Rule {
  const rules = allRules(tx);
  requireName(rule.name);
  if (rules.some(({ name }) => name === rule.name)) throw new MailError('alreadyExists', `There is a rule ${rule.name} already.`);
  if (rules.length >= rulesMax) throw new MailError('limit', `There may be ${rulesMax} rules: remove one first.`);
  const record: RuleRecord = { ...rule, order: (rules.at(-1)?.order ?? 0) + 1, createdAt: tx.at };
  tx.putObject('rule', id, record);
  return { id, ...record };
}

export function removeRule(tx: AccountTransactor, nameOrId: string): Rule {
  const rule = requireRule(allRules(tx), nameOrId);
  tx.removeObject('rule', rule.id);
  return rule;
}

/** `position` counts from 1 among all rules. */
export function moveRule(tx: AccountTransactor, nameOrId: string, position: number): void {
  const rules = allRules(tx);
  const rule = requireRule(rules, nameOrId);
  const others = rules.filter(({ id }) => id !== rule.id);
  others.splice(Math.min(Math.max(0, position - 1), others.length), 0, rule);
  for (const [index, { id, ...record }] of others.entries()) {
    if (record.order !== index + 1) tx.putObject('rule', id, { ...record, order: index + 1 } satisfies RuleRecord);
  }
}

function requireRule(rules: readonly Rule[], nameOrId: string): Rule {
  const found = rules.find(({ name }) => name === nameOrId) ?? rules.find(({ id }) => id === nameOrId);
  if (found === undefined)
    throw new MailError('notFound', `There is no rule ${nameOrId}. \`satchel rule list\` shows those that there are.`);
  return found;
}

function allRules(tx: AccountTransactor): Rule[] {
  return sortedRules(Array.from(tx.objects<RuleRecord>('rule'), ({ id, value }) => [id, value] as const));
}

/** A key by which functions reach the message flow. Throws MailError 'alreadyExists' or 'limit'. */
export function addFlowKey(tx: AccountTransactor, id: string, secret: string, name: string): void {
  requireName(name);
  const keys = [...tx.objects<FlowKeyRecord>('flowKey')];
  const same = keys.find(({ value }) => value.name === name);
  if (same !== undefined)
    throw new MailError('alreadyExists', `There is a key ${name} already, ${same.id}: remove it first, or choose another name.`);
  if (keys.length >= flowKeysMax) throw new MailError('limit', `There may be ${flowKeysMax} keys: remove one first.`);
  tx.putObject('flowKey', id, { name, secret, createdAt: tx.at } satisfies FlowKeyRecord);
}

export function removeFlowKey(tx: AccountTransactor, id: string): void {
  if (tx.object('flowKey', id) === undefined) throw new MailError('notFound', `There is no key ${id}.`);
  tx.removeObject('flowKey', id);
}

function requireName(name: string): void {
  if (name === '' || name.length > nameCharactersMax || /[\x00-\x1f\x7f]/.test(name)) {
    throw new MailError('invalidArguments', `A name has 1 to ${nameCharactersMax} characters, none of them a control character.`);
  }
}
