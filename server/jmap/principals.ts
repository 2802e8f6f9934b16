/**
 * Principals (RFC 9670 §2) from the directory: those that the account of the login may know. The state is the directory's modSeq; what changed after one
 * is in the directory's effects. A principal's accounts change with the account's own shares, which are records of the directory too.
 */
import type { Principal } from '../../protocol/jmap/schema/principal.ts';
import { anyone } from '../../protocol/mail/acl.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Effect } from '../../storage/account/api.ts';
import type { Principal as Known } from '../../storage/directory/principals.ts';
import { parseHintId } from '../../storage/directory/share-hints.ts';
import type { Identity } from '../auth/authenticator.ts';
import type { JmapServices } from './services.ts';
import { accountObjectsOf } from './session.ts';
import type { How, Touched } from './standard/changes.ts';

export function principalsState({ directory }: JmapServices): string {
  return directory.history((reader) => String(reader.modSeq));
}

/** The principals as they are now. */
export interface Principals {
  readonly all: () => readonly Principal[];
  readonly of: (id: string) => Principal | undefined;
}

export async function principalsNow(services: JmapServices, identity: Identity): Promise<Principals> {
  const accounts = accountObjectsOf(services, identity, await services.reachableAccounts(identity));
  const { directory } = services;
  return {
    all: () => directory.principals(identity.accountId).map((known) => shown(known, accounts)),
    of(id) {
      const known = directory.principal(identity.accountId, id);
      return known === undefined ? undefined : shown(known, accounts);
    },
  };
}

function shown({ id, type, name, email }: Known, accounts: Readonly<Record<string, object>>): Principal {
  const account = accounts[id];
  return {
    ...{ id, type, name, description: null, email, timeZone: null, capabilities: {} },
    accounts: account === undefined ? null : { [id]: account },
  };
}

/** Principals that an effect of the directory touched, of those that the login may know. */
export function touchedPrincipals({ directory }: JmapServices, { accountId }: Identity, { objects }: Effect): Touched<string>[] {
  const touched = new Map<string, How>();
  for (const { type, id, how } of objects) {
    if (type === 'share') {
      const { sharee, owner } = parseHintId(id);
      const other = sharee === accountId || sharee === anyone ? owner : owner === accountId ? sharee : undefined;
      if (other === undefined || touched.has(other)) continue;
      // Who has no address in a domain of ours is known by what is shared, and for as long.
      const isNew = how === 'added' && !directory.areNeighbours(accountId, other);
      touched.set(other, isNew ? 'added' : 'changed');
      continue;
    }
    const principal = directory.principalIdOf(accountId, { type, id });
    if (principal !== undefined) touched.set(principal, how);
  }
  return Array.from(touched, ([number, how]) => ({ number, how }));
}

/** Whether a principal that was known is still there. */
export const isPrincipal = ({ directory }: JmapServices, accountId: AccountId, id: string): boolean =>
  directory.principal(accountId, id) !== undefined;
