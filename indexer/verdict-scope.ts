/** Verdict rules that are for some recipients only: a message is split into parts whose recipients have the same rules, and each part is judged alone. */
import type { AccountId } from '../protocol/mail/ids.ts';
import type { Entry, HandedMessage, IntakeOutcome } from './pipeline-types.ts';
import { type RecipientDirectory, route } from './routing.ts';
import type { VerdictRule } from './verdict.ts';

interface Scope {
  readonly rules: readonly VerdictRule[];
  readonly addresses: readonly string[];
}

/** In the order of their first addresses; one, of all, where no rule tells them apart. */
function scopesOf(rules: readonly VerdictRule[], addresses: readonly string[]): readonly Scope[] {
  if (rules.every(({ recipients }) => recipients === undefined)) return [{ rules, addresses }];
  const scopes = new Map<string, { rules: readonly VerdictRule[]; addresses: string[] }>();
  for (const address of addresses) {
    const applicable = rules.filter((rule) => isFor(rule, address));
    const signature = rules.map((rule) => (applicable.includes(rule) ? '1' : '0')).join('');
    const scope = scopes.get(signature);
    if (scope === undefined) scopes.set(signature, { rules: applicable, addresses: [address] });
    else scope.addresses.push(address);
  }
  return scopes.size === 0 ? [{ rules: rules.filter(({ recipients }) => recipients === undefined), addresses }] : [...scopes.values()];
}

/** A rule names addresses (their `+detail` aside) and domains. */
function isFor({ recipients }: VerdictRule, address: string): boolean {
  if (recipients === undefined) return true;
  const at = address.lastIndexOf('@');
  const domain = address.slice(at + 1).toLowerCase();
  const plain = `${address.slice(0, at).toLowerCase().replace(/\+.*$/s, '')}@${domain}`;
  return recipients.some((wanted) => [domain, plain, address.toLowerCase()].includes(wanted.toLowerCase()));
}

/** Admits each scope's part of the message, one after the other; a busy account puts off what is left, and what was done is known by its ingest key. */
export async function admitByScope(
  directory: RecipientDirectory,
  entry: Entry,
  admit: (part: Entry) => Promise<IntakeOutcome>,
): Promise<IntakeOutcome> {
  const { rules, arrival, name } = entry;
  if (rules.every(({ recipients }) => recipients === undefined)) return admit(entry);
  const { source } = await route(directory, arrival.candidates);
  const chosen = arrival.candidates.find((candidates) => candidates.source === source);
  const outcomes: IntakeOutcome[] = [];
  const scopes = scopesOf(rules, chosen?.addresses ?? []);
  // Each part that is held has a name of its own; what was held as a whole keeps its own until all parts are settled.
  const nameOf = (index: number) => (scopes.length === 1 || (index === 0 && entry.key !== undefined) ? name : `${name}~${index}`);
  for (const [index, scope] of scopes.entries()) {
    const candidates = chosen === undefined ? [] : [{ ...chosen, addresses: scope.addresses }];
    const part = { ...entry, rules: scope.rules, name: nameOf(index), arrival: { ...arrival, candidates } };
    const outcome = await admit(part);
    if (outcome.kind === 'busy') return outcome;
    outcomes.push(outcome);
  }
  return unite(outcomes);
}

/** The same for a message whose recipients are resolved. */
export async function deliverByScope<T>(
  rules: readonly VerdictRule[],
  message: HandedMessage,
  deliver: (part: HandedMessage, rules: readonly VerdictRule[]) => Promise<ReadonlyMap<AccountId, T>>,
): Promise<ReadonlyMap<AccountId, T>> {
  if (rules.every(({ recipients }) => recipients === undefined)) return deliver(message, rules);
  const results: [AccountId, T][] = [];
  for (const [index, scope] of scopesOf(rules, [...new Set(message.targets.values())]).entries()) {
    const targets = new Map([...message.targets].filter(([, address]) => scope.addresses.includes(address)));
    const name = index === 0 ? message.name : `${message.name}~${index}`;
    results.push(...(await deliver({ ...message, targets, name }, scope.rules)));
  }
  return new Map(results);
}

/** What became of the whole: delivered where any part was, else what became of the first. */
function unite(outcomes: readonly IntakeOutcome[]): IntakeOutcome {
  const delivered = outcomes.flatMap((outcome) => (outcome.kind === 'delivered' ? [...outcome.results] : []));
  return outcomes.some(({ kind }) => kind === 'delivered') ? { kind: 'delivered', results: new Map(delivered) } : outcomes[0]!;
}
