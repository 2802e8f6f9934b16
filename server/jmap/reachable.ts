/**
 * The accounts that a login reaches (RFC 8620 §1.6.2): its own, and those of which mailboxes are shared with it. The latter are seen through the eyes of the
 * one who reads them (storage/sharing/shared-account.ts), so that no method needs to look after it.
 */
import { sharedSubscriptionId, sharedSubscriptionType } from '../../protocol/mail/acl.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Account, Accounts } from '../../storage/account/api.ts';
import { rightsOf } from '../../storage/sharing/rights.ts';
import type { SharedAccount } from '../../storage/sharing/shared-account.ts';
import type { Shares } from '../../storage/sharing/shares.ts';
import type { Identity } from '../auth/authenticator.ts';

export interface ReachableAccount {
  readonly id: AccountId;
  readonly name: string;
  readonly isPersonal: boolean;
  readonly isReadOnly: boolean;
  /** Another's, of which only mailboxes are seen that the owner shares, and with the rights that he gave. */
  readonly isShared: boolean;
  /** RFC 9670 §1.4: in the session are those in which something is subscribed to; the others are found by their principals. */
  readonly isInSession: boolean;
  readonly open: () => Promise<Account>;
}

/** Its own first. */
export async function ownAndShared(
  { accounts, shares }: { readonly accounts: Accounts; readonly shares: Shares },
  { accountId, address }: Identity,
): Promise<readonly ReachableAccount[]> {
  const own: ReachableAccount = {
    ...{ id: accountId, name: address, isPersonal: true, isReadOnly: false, isShared: false, isInSession: true },
    open: () => accounts.open(accountId),
  };
  if (shares.owners(accountId).length === 0) return [own];
  const shared = await shares.openAll(accountId);
  return [
    own,
    ...shared.map(({ owner, account }) => ({
      ...{ id: owner.id, name: owner.address, isPersonal: false, isShared: true },
      ...glanceOf(account),
      open: async () => account,
    })),
  ];
}

interface Glance {
  readonly isReadOnly: boolean;
  readonly isInSession: boolean;
}

const glances = new WeakMap<SharedAccount, { readonly modSeq: number; readonly glance: Glance }>();

/** Looked up again when the owner's account has changed. */
function glanceOf(account: SharedAccount): Glance {
  return account.owner.read((reader) => {
    const known = glances.get(account);
    if (known?.modSeq === reader.modSeq) return known.glance;
    const glance = { isReadOnly: true, isInSession: false };
    for (const { id } of reader.mailboxes()) {
      const rights = rightsOf(reader, id, account.viewer);
      if (!rights.has('l')) continue;
      if (rights.hasAny('swipkxtea')) glance.isReadOnly = false;
      if (reader.object(sharedSubscriptionType, sharedSubscriptionId(id, account.viewer)) !== undefined) glance.isInSession = true;
    }
    glances.set(account, { modSeq: reader.modSeq, glance });
    return glance;
  });
}
