/**
 * Changes of the directory as mutations of its account: pure functions of the transactor, refusing with MailError and a sentence that can be shown
 * to the administrator. Arguments come as they were typed; what is stored is canonical.
 */
import { MailError, type MailErrorCode } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { OwnLimits } from '../../protocol/mail/quota.ts';
import type { AccountTransactor } from '../account/api.ts';
import { canonicalAddress, formatAddress, requireAddress, requireDomain } from './address.ts';
import { appPasswordsMax, groupMembersMax, nameCharactersMax } from './limits.ts';
import type {
  AccountRecord,
  AddressRecord,
  AliasRecord,
  AppPassword,
  CredentialRecord,
  DecoyRecord,
  DomainRecord,
  GroupRecord,
  GroupSenders,
  PasswordKeys,
  RecordType,
} from './records.ts';
import { dropGrants, putGrant, removeGrant } from './send-as.ts';
import { dropHintsOf } from './share-hints.ts';

type Tx = AccountTransactor;

function refuse(code: MailErrorCode, sentence: string): never {
  throw new MailError(code, sentence);
}

const get = <T>(tx: Tx, type: RecordType, id: string): T | undefined => tx.object<T>(type, id);

export function addDomain(tx: Tx, name: string, decoyKey: string): string {
  const domain = requireDomain(name);
  if (get(tx, 'domain', domain)) refuse('alreadyExists', `The domain ${domain} is there already.`);
  tx.putObject('domain', domain, { createdAt: tx.at } satisfies DomainRecord);
  if (!get(tx, 'setting', 'decoy')) tx.putObject('setting', 'decoy', { key: decoyKey } satisfies DecoyRecord);
  return domain;
}

/** Aliases and groups of the domain go with it; accounts must be removed first. */
export function removeDomain(tx: Tx, name: string): void {
  const domain = requireDomain(name);
  if (!get(tx, 'domain', domain)) refuse('notFound', `There is no domain ${domain}.`);
  const inDomain = (address: string) => address.endsWith(`@${domain}`);
  const accounts = [...tx.objects<AddressRecord>('address')].filter(({ id }) => inDomain(id)).length;
  if (accounts > 0) {
    refuse('forbidden', `The domain ${domain} still has ${accounts} ${accounts === 1 ? 'account' : 'accounts'}: remove them first.`);
  }
  for (const { id } of [...tx.objects('group')]) if (inDomain(id)) dropGroup(tx, id);
  for (const { id } of [...tx.objects('alias')]) if (inDomain(id)) dropAlias(tx, id);
  tx.removeObject('domain', domain);
}

export function addAccount(tx: Tx, id: AccountId, address: string, name: string): AccountId {
  if (name.length > nameCharactersMax) refuse('tooLarge', `A name may have ${nameCharactersMax} characters.`);
  if (/[\x00-\x1f\x7f]/.test(name)) refuse('invalidArguments', 'A name cannot hold control characters.');
  const canonical = requireFree(tx, address);
  if (get(tx, 'account', id)) refuse('alreadyExists', `The account id ${id} has been given before.`);
  tx.putObject('account', id, { address: canonical, name, createdAt: tx.at, state: 'active' } satisfies AccountRecord);
  tx.putObject('address', canonical, { account: id } satisfies AddressRecord);
  return id;
}

/** First half of a removal: the account is out of the directory, with its credentials, its aliases and its places in groups. */
export function beginRemoval(tx: Tx, address: string): AccountId {
  const id = requireAccount(tx, address);
  const record = get<AccountRecord>(tx, 'account', id)!;
  for (const alias of [...tx.objects<AliasRecord>('alias')]) {
    if ('account' in alias.value.to && alias.value.to.account === id) dropAlias(tx, alias.id);
  }
  leaveGroups(tx, record.address);
  dropGrants(tx, { account: id, address: record.address });
  if (get(tx, 'credential', id)) tx.removeObject('credential', id);
  tx.removeObject('address', record.address);
  tx.putObject('account', id, { ...record, state: 'closing', removedAt: tx.at } satisfies AccountRecord);
  return id;
}

/** Second half, after `closed` stands in the account's log. */
export function endRemoval(tx: Tx, id: AccountId): void {
  const record = get<AccountRecord>(tx, 'account', id);
  if (record?.state !== 'closing') return;
  dropHintsOf(tx, id);
  tx.putObject('account', id, { ...record, state: 'closed' } satisfies AccountRecord);
}

/** What is not named stays; 'default': as of every account. */
export interface QuotaChange {
  readonly octets?: number | null | 'default';
  readonly messages?: number | null | 'default';
}

export function setQuota(tx: Tx, address: string, { octets, messages }: QuotaChange): void {
  const id = requireAccount(tx, address);
  const { quota = {}, ...record } = get<AccountRecord>(tx, 'account', id)!;
  const after = {
    ...ownLimit('octets', octets === undefined ? quota.octets : octets),
    ...ownLimit('messages', messages === undefined ? quota.messages : messages),
  };
  tx.putObject('account', id, { ...record, ...(Object.keys(after).length === 0 ? {} : { quota: after }) } satisfies AccountRecord);
}

function ownLimit<K extends keyof OwnLimits>(name: K, limit: number | null | 'default' | undefined): OwnLimits {
  return limit === undefined || limit === 'default' ? {} : { [name]: limit };
}

/** Replaces the password; app passwords stay. */
export function setPassword(tx: Tx, address: string, password: PasswordKeys | null): void {
  changeCredential(tx, requireAccount(tx, address), (old) => ({ ...old, password }));
}

export function addAppPassword(tx: Tx, address: string, added: AppPassword): void {
  changeCredential(tx, requireAccount(tx, address), (old) => {
    if (old.appPasswords.length >= appPasswordsMax)
      refuse('limit', `An account may have ${appPasswordsMax} app passwords: remove one first.`);
    return { ...old, appPasswords: [...old.appPasswords, { ...added, createdAt: tx.at }] };
  });
}

export function removeAppPassword(tx: Tx, address: string, id: string): void {
  changeCredential(tx, requireAccount(tx, address), (old) => {
    const left = old.appPasswords.filter((password) => password.id !== id);
    if (left.length === old.appPasswords.length) refuse('notFound', `${address} has no app password ${id}.`);
    return { ...old, appPasswords: left };
  });
}

function changeCredential(tx: Tx, id: AccountId, change: (old: CredentialRecord) => CredentialRecord): void {
  const old = get<CredentialRecord>(tx, 'credential', id) ?? { password: null, appPasswords: [], changedAt: tx.at };
  tx.putObject('credential', id, { ...change(old), changedAt: tx.at } satisfies CredentialRecord);
}

/** `alias` may be `*@domain`. `target` is the address of an account, an alias or a group; an alias stands for what it names. */
export function addAlias(tx: Tx, alias: string, target: string): string {
  const canonical = requireFree(tx, alias);
  const to = requireAliasTarget(tx, target);
  tx.putObject('alias', canonical, { to, createdAt: tx.at } satisfies AliasRecord);
  return canonical;
}

/** With `target` only if the alias leads there. */
export function removeAlias(tx: Tx, alias: string, target?: string): void {
  const canonical = canonicalAddress(alias);
  const record = canonical === undefined ? undefined : get<AliasRecord>(tx, 'alias', canonical);
  if (canonical === undefined || record === undefined) refuse('notFound', `There is no alias ${alias}.`);
  if (target !== undefined && JSON.stringify(requireAliasTarget(tx, target)) !== JSON.stringify(record.to)) {
    refuse('notFound', `The alias ${canonical} does not lead to ${target}.`);
  }
  dropAlias(tx, canonical);
}

/** Makes the group, or adds members to it. */
export function addGroup(tx: Tx, address: string, members: readonly string[], senders?: GroupSenders | 'anyone'): string {
  const given = requireAddress(address);
  const canonical = formatAddress(given);
  const old = get<GroupRecord>(tx, 'group', canonical);
  if (old === undefined) requireFree(tx, address);
  const all = new Set(old?.members);
  for (const member of members) {
    const entry = formatAddress(requireAddress(member));
    if (entry === canonical) refuse('invalidArguments', `The group ${canonical} cannot be a member of itself.`);
    const isOutside = get(tx, 'domain', entry.slice(entry.lastIndexOf('@') + 1)) === undefined;
    if (!isOutside && !isTaken(tx, entry)) refuse('notFound', `There is no account, alias or group ${entry}.`);
    all.add(entry);
  }
  if (all.size > 0 && ![...all].some((member) => isTaken(tx, member))) {
    refuse('invalidArguments', `The group ${canonical} needs a member here: an account, an alias or a group of this directory.`);
  }
  if (all.size > groupMembersMax) refuse('limit', `A group may have ${groupMembersMax} members: put groups into the group.`);
  const allowed = senders === undefined ? old?.senders : senders === 'anyone' ? undefined : senders;
  tx.putObject('group', canonical, {
    members: [...all].sort(),
    ...(allowed === undefined ? {} : { senders: allowed }),
    createdAt: old?.createdAt ?? tx.at,
  } satisfies GroupRecord);
  return canonical;
}

/** Takes members out of the group; without members removes the group, its aliases and its places in other groups. */
export function removeGroup(tx: Tx, address: string, members: readonly string[] = []): void {
  const canonical = canonicalAddress(address);
  const record = canonical === undefined ? undefined : get<GroupRecord>(tx, 'group', canonical);
  if (canonical === undefined || record === undefined) refuse('notFound', `There is no group ${address}.`);
  if (members.length === 0) {
    dropGroup(tx, canonical);
    return;
  }
  const leaving = new Set(members.map((member) => canonicalAddress(member) ?? member));
  for (const member of leaving) {
    if (!record.members.includes(member)) refuse('notFound', `${member} is not a member of ${canonical}.`);
  }
  const left = record.members.filter((member) => !leaving.has(member));
  tx.putObject('group', canonical, { ...record, members: left } satisfies GroupRecord);
}

function dropGroup(tx: Tx, address: string): void {
  for (const alias of [...tx.objects<AliasRecord>('alias')]) {
    if ('group' in alias.value.to && alias.value.to.group === address) dropAlias(tx, alias.id);
  }
  leaveGroups(tx, address);
  dropGrants(tx, { address });
  tx.removeObject('group', address);
}

function dropAlias(tx: Tx, address: string): void {
  leaveGroups(tx, address);
  dropGrants(tx, { address });
  tx.removeObject('alias', address);
}

/** Whoever is given the address later must not find themselves in groups that were meant for someone else. */
function leaveGroups(tx: Tx, address: string): void {
  for (const { id, value } of [...tx.objects<GroupRecord>('group')]) {
    if (!value.members.includes(address)) continue;
    tx.putObject('group', id, { ...value, members: value.members.filter((member) => member !== address) } satisfies GroupRecord);
  }
}

/** Lets an account send as another account, an alias or a group. Returns the canonical address. */
export function grantSendAs(tx: Tx, account: string, as: string): string {
  const id = requireAccount(tx, account);
  const canonical = canonicalAddress(as);
  if (canonical === undefined || !isTaken(tx, canonical)) return refuse('notFound', `There is no account, alias or group ${as}.`);
  putGrant(tx, id, canonical);
  return canonical;
}

export function revokeSendAs(tx: Tx, account: string, as: string): void {
  const id = requireAccount(tx, account);
  if (!removeGrant(tx, id, canonicalAddress(as) ?? as)) refuse('notFound', `${account} has no grant to send as ${as}.`);
}

/** The canonical address, if its domain is ours and nobody has it. */
function requireFree(tx: Tx, address: string): string {
  const parts = requireAddress(address);
  const canonical = formatAddress(parts);
  if (!get(tx, 'domain', parts.domain)) {
    refuse('notFound', `${parts.domain} is not a domain of this directory: add it first (satchel domain add ${parts.domain}).`);
  }
  const kind = isTaken(tx, canonical);
  if (kind) refuse('alreadyExists', `${canonical} exists already as ${kind}.`);
  return canonical;
}

function isTaken(tx: Tx, address: string): 'an account' | 'an alias' | 'a group' | undefined {
  if (get(tx, 'address', address)) return 'an account';
  if (get(tx, 'alias', address)) return 'an alias';
  return get(tx, 'group', address) ? 'a group' : undefined;
}

function requireAccount(tx: Tx, address: string): AccountId {
  const canonical = canonicalAddress(address);
  const record = canonical === undefined ? undefined : get<AddressRecord>(tx, 'address', canonical);
  if (record) return record.account;
  const kind = canonical === undefined ? undefined : isTaken(tx, canonical);
  return refuse('notFound', kind ? `${canonical} is ${kind}, not an account.` : `There is no account ${address}.`);
}

function requireAliasTarget(tx: Tx, target: string): AliasRecord['to'] {
  const canonical = canonicalAddress(target);
  if (canonical !== undefined) {
    const account = get<AddressRecord>(tx, 'address', canonical)?.account;
    if (account !== undefined) return { account };
    const alias = get<AliasRecord>(tx, 'alias', canonical);
    if (alias) return alias.to;
    if (get(tx, 'group', canonical)) return { group: canonical };
  }
  return refuse('notFound', `There is no account, alias or group ${target} for the alias to lead to.`);
}
