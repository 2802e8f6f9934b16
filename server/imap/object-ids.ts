/**
 * Ids of OBJECTID (RFC 8474) to a client that sees several accounts: numbers run in each of them, so those of what others share have the owner's id before
 * them, lest two things have one id. Of its own they are the ids that JMAP has too (RFC 9698).
 */
import type { Account } from '../../storage/account/api.ts';
import { SharedAccount } from '../../storage/sharing/shared-account.ts';

export interface ObjectIds {
  readonly prefix: string;
  /** The id in the account of one that the client gave; of another account's none that there is. */
  given(id: string): string;
}

const own: ObjectIds = { prefix: '', given: (id) => id };

export function objectIds(account: Account): ObjectIds {
  if (!(account instanceof SharedAccount)) return own;
  const prefix = `${account.id}-`;
  return { prefix, given: (id) => (id.startsWith(prefix) ? id.slice(prefix.length) : '') };
}
