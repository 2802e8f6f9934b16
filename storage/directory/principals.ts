/**
 * Whom an account may know (RFC 9670 §2): the accounts and groups in the domains of its own addresses, and those who share something with it, or it with
 * them. Several organisations may share one directory; a domain is where one ends. An account's principal has the account's id, a group's one that follows from its address.
 */
import { hash } from 'node:crypto';
import { type AclIdentifier, anyone } from '../../protocol/mail/acl.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { DirectoryState } from './state.ts';

export interface Principal {
  readonly id: string;
  readonly type: 'individual' | 'group';
  readonly name: string;
  readonly email: string;
}

const groupId = (address: string): string => `g${hash('sha256', address, 'hex').slice(0, 20)}`;

const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);

/** Domains that the account has an address in, catch-alls included. */
function domainsOf(state: DirectoryState, viewer: AccountId): ReadonlySet<string> {
  const own = state.accounts.get(viewer);
  return new Set(own?.state === 'active' ? [own.address, ...state.aliasesOf(viewer)].map(domainOf) : []);
}

/** Whether an account has its address in a domain of the viewer's. */
export function areNeighbours(state: DirectoryState, viewer: AccountId, account: AccountId): boolean {
  const address = state.accounts.get(account)?.address;
  return address !== undefined && domainsOf(state, viewer).has(domainOf(address));
}

/** Between whom something is shared they know each other, wherever their addresses are: who shares by an address knew that already. */
function knows(state: DirectoryState, viewer: AccountId, domains: ReadonlySet<string>, account: AccountId, address: string): boolean {
  const isSharer = (sharee: AclIdentifier, owner: AccountId) => state.sharers.get(sharee)?.has(owner) === true;
  return domains.has(domainOf(address)) || isSharer(viewer, account) || isSharer(anyone, account) || isSharer(account, viewer);
}

export function* principalsFor(state: DirectoryState, viewer: AccountId): Generator<Principal> {
  const domains = domainsOf(state, viewer);
  for (const [address, { account }] of state.addresses) {
    if (knows(state, viewer, domains, account, address)) yield individual(account, address, state.accounts.get(account)!.name);
  }
  for (const address of state.groups.keys()) if (domains.has(domainOf(address))) yield group(address);
}

/** One by its id. */
export function principalFor(state: DirectoryState, viewer: AccountId, id: string): Principal | undefined {
  const domains = domainsOf(state, viewer);
  const account = state.accounts.get(id as AccountId);
  if (account !== undefined) {
    const isKnown = account.state === 'active' && knows(state, viewer, domains, id as AccountId, account.address);
    return isKnown ? individual(id, account.address, account.name) : undefined;
  }
  for (const address of state.groups.keys()) if (domains.has(domainOf(address)) && groupId(address) === id) return group(address);
  return undefined;
}

/** The principal that a record of the directory is of, also where it is gone; undefined where it is of none, or of one that is not the viewer's to know. */
export function principalIdOf(state: DirectoryState, viewer: AccountId, { type, id }: { type: string; id: string }): string | undefined {
  const domains = domainsOf(state, viewer);
  if (type === 'group') return domains.has(domainOf(id)) ? groupId(id) : undefined;
  const account = type === 'account' ? state.accounts.get(id as AccountId) : undefined;
  return account !== undefined && knows(state, viewer, domains, id as AccountId, account.address) ? id : undefined;
}

const individual = (id: string, email: string, name: string): Principal => ({
  id,
  type: 'individual',
  name: name === '' ? email : name,
  email,
});
const group = (address: string): Principal => ({ id: groupId(address), type: 'group', name: address, email: address });
