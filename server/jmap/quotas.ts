/**
 * Quotas of an account (RFC 9425): its limits of octets and of messages, where it has them. What is used changes with the mailboxes' counts, and the
 * limits with the configuration, so a state is the state of Mailbox and the limits that held.
 */
import { MethodError } from '../../protocol/jmap/errors.ts';
import type { Quota } from '../../protocol/jmap/schema/quota.ts';
import type { AccountReader } from '../../storage/account/api.ts';
import { type MethodContext, mailCapability } from './method.ts';
import { effectsAfter, stateString } from './states.ts';

type Limited = 'octets' | 'messages';

const kinds: readonly { readonly id: Limited; readonly resourceType: string; readonly name: string }[] = [
  { id: 'octets', resourceType: 'octets', name: 'Storage' },
  { id: 'messages', resourceType: 'count', name: 'Messages' },
];

/** Those that a request may see: of types whose capability it uses (§4.1). */
export function quotasOf(reader: AccountReader, using: ReadonlySet<string>): Quota[] {
  if (!using.has(mailCapability)) return [];
  const { limits, usage } = reader.quota();
  return kinds.flatMap(({ id, resourceType, name }) => {
    const hardLimit = limits[id];
    if (hardLimit === null) return [];
    const used = usage[id];
    return [
      { id, resourceType, used, hardLimit, scope: 'account', name, types: ['Email'], warnLimit: null, softLimit: null, description: null },
    ];
  });
}

export function quotaState({ cache }: MethodContext, reader: AccountReader): string {
  const { octets, messages } = reader.quota().limits;
  return [stateString(cache.states(reader), 'Mailbox'), octets ?? '', messages ?? ''].join('.');
}

export interface QuotaChanges {
  readonly created: string[];
  readonly updated: string[];
  readonly destroyed: string[];
  readonly isOnlyUsed: boolean;
}

/** What differs from a state. Throws MethodError 'cannotCalculateChanges'. */
export function quotaChanges(reader: AccountReader, sinceState: string): QuotaChanges {
  const match = /^(\d{1,16})\.(\d{0,16})\.(\d{0,16})$/.exec(sinceState);
  if (match === null) throw new MethodError('cannotCalculateChanges', 'This state is not known.');
  const [, modSeq = '', octets = '', messages = ''] = match;
  const old: Readonly<Record<Limited, string>> = { octets, messages };
  const { effects } = effectsAfter(reader, modSeq);
  let isUsageChanged = false;
  for (const { mailboxes } of effects) isUsageChanged ||= mailboxes.length > 0;
  const { limits } = reader.quota();
  const changes = { created: [] as string[], updated: [] as string[], destroyed: [] as string[], isOnlyUsed: true };
  for (const { id } of kinds) {
    const now = limits[id] === null ? '' : String(limits[id]);
    if (old[id] === '' && now !== '') changes.created.push(id);
    else if (old[id] !== '' && now === '') changes.destroyed.push(id);
    else if (now !== '' && (isUsageChanged || old[id] !== now)) changes.updated.push(id);
    if (old[id] !== now) changes.isOnlyUsed = false;
  }
  return changes;
}
