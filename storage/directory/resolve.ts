/**
 * From a recipient's address to accounts, over any view of the directory: its maps in memory, or a mutation's own state. Order: the exact address
 * (account, alias, group), the address without its detail (RFC 5233 §1: `user+detail`), the domain's catch-all.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import { type AddressParts, formatAddress, parseAddress } from './address.ts';
import { groupDepthMax, recipientAccountsMax } from './limits.ts';
import type { AliasRecord, GroupRecord, GroupSenders } from './records.ts';

/** What of the directory resolving needs. Addresses in canonical form. */
export interface AddressBook {
  hasDomain(domain: string): boolean;
  /** The active account whose primary address this is. */
  accountOf(address: string): AccountId | undefined;
  alias(address: string): AliasRecord | undefined;
  group(address: string): Pick<GroupRecord, 'members' | 'senders'> | undefined;
}

export type Resolution =
  | {
      readonly kind: 'account';
      /** At least one, each once. */
      readonly accounts: readonly AccountId[];
      /** What the recipient stands for: canonical, without detail; `*@domain` for the catch-all. */
      readonly address: string;
      /** What stood behind the first `+`, in its sender's spelling; null without one or when the whole address is known. */
      readonly detail: string | null;
      readonly via: 'account' | 'alias' | 'group' | 'catchAll';
    }
  | {
      readonly kind: 'unknown';
      /** `invalid`: not an address. `domain`: not a domain of this directory. `address`: nobody there, or a group without accounts. */
      readonly reason: 'invalid' | 'domain' | 'address';
    };

/** Where mail for an address goes: as it is, without its detail, by the catch-all of its domain, in this order. */
export function resolve(book: AddressBook, recipient: string): Resolution {
  const parts = parseAddress(recipient);
  if (parts === undefined) return { kind: 'unknown', reason: 'invalid' };
  if (!book.hasDomain(parts.domain)) return { kind: 'unknown', reason: 'domain' };
  for (const { address, detail, isCatchAll } of candidates(parts, recipient)) {
    const found = lookUp(book, address);
    if (found === undefined) continue;
    // An address that is there, but leads nowhere (an empty group), must not fall through to the catch-all.
    if (found.accounts.length === 0) break;
    return { kind: 'account', accounts: found.accounts, address, detail, via: isCatchAll ? 'catchAll' : found.via };
  }
  return { kind: 'unknown', reason: 'address' };
}

interface Candidate {
  readonly address: string;
  readonly detail: string | null;
  readonly isCatchAll?: true;
}

function* candidates(parts: AddressParts, recipient: string): Generator<Candidate> {
  yield { address: formatAddress(parts), detail: null };
  const plus = parts.local.indexOf('+');
  if (plus > 0) {
    const spelt = recipient.slice(recipient.indexOf('+') + 1, recipient.lastIndexOf('@'));
    const detail = recipient.startsWith('"') ? parts.local.slice(plus + 1) : spelt;
    yield { address: formatAddress({ local: parts.local.slice(0, plus), domain: parts.domain }), detail };
  }
  yield { address: `*@${parts.domain}`, detail: null, isCatchAll: true };
}

type Target = { readonly accounts: readonly AccountId[]; readonly via: 'account' | 'alias' | 'group' };

/** What stands at exactly this address; undefined when nothing does. */
function lookUp(book: AddressBook, address: string): Target | undefined {
  const account = book.accountOf(address);
  if (account !== undefined) return { accounts: [account], via: 'account' };
  const alias = book.alias(address);
  if (alias !== undefined)
    return { accounts: 'account' in alias.to ? [alias.to.account] : expandGroup(book, alias.to.group), via: 'alias' };
  return book.group(address) && { accounts: expandGroup(book, address), via: 'group' };
}

/** A group as mail to it is handled. */
export interface GroupMail {
  /** The group's own address. */
  readonly address: string;
  readonly senders: GroupSenders | undefined;
  /** Its members, those of groups in it left out. */
  readonly members: readonly string[];
  /** Members in domains that are not ours, those of groups in it included. */
  readonly outside: readonly string[];
}

/** The group that an address, an alias or an address with a detail leads to. */
export function groupMail(book: AddressBook, recipient: string): GroupMail | undefined {
  const parts = parseAddress(recipient);
  if (parts === undefined || !book.hasDomain(parts.domain)) return undefined;
  for (const { address } of candidates(parts, recipient)) {
    if (book.accountOf(address) !== undefined) return undefined;
    const alias = book.alias(address);
    if (alias !== undefined && 'account' in alias.to) return undefined;
    const name = alias !== undefined && 'group' in alias.to ? alias.to.group : address;
    const group = book.group(name);
    if (group !== undefined) return { address: name, senders: group.senders, members: group.members, outside: outsideOf(book, name) };
  }
  return undefined;
}

function outsideOf(book: AddressBook, root: string): string[] {
  const outside = new Set<string>();
  const seen = new Set([root]);
  let level = [root];
  for (let depth = 0; depth < groupDepthMax && level.length > 0 && outside.size < recipientAccountsMax; depth++) {
    const members = level.flatMap((address) => book.group(address)?.members ?? []);
    level = [];
    for (const member of members) {
      if (!book.hasDomain(member.slice(member.lastIndexOf('@') + 1))) outside.add(member);
      const alias = book.alias(member);
      const group = alias !== undefined && 'group' in alias.to ? alias.to.group : member;
      if (seen.has(group)) continue;
      seen.add(group);
      level.push(group);
    }
  }
  return [...outside];
}

/** The accounts of a group, each once. A group met again is passed over, so loops end; nesting and result are bounded. */
function expandGroup(book: AddressBook, root: string): AccountId[] {
  const accounts = new Set<AccountId>();
  const seen = new Set([root]);
  let level = [root];
  for (let depth = 0; depth < groupDepthMax && level.length > 0; depth++) {
    const next: string[] = [];
    for (const address of level) {
      for (const member of book.group(address)?.members ?? []) {
        const alias = book.alias(member);
        const account = book.accountOf(member) ?? (alias && 'account' in alias.to ? alias.to.account : undefined);
        const group = alias && 'group' in alias.to ? alias.to.group : member;
        if (account !== undefined) accounts.add(account);
        else if (!seen.has(group)) next.push(group);
        seen.add(group);
        if (accounts.size >= recipientAccountsMax) return [...accounts];
      }
    }
    level = next;
  }
  return [...accounts];
}
