/** Who has which rights on a mailbox (RFC 4314 §2): read from the owner's log, and changed in it. The owner has all, always, and is in no list. */
import {
  type AclIdentifier,
  anyone,
  type MailboxAcl,
  mailboxAclId,
  mailboxAclType,
  RightSet,
  sharedSubscriptionId,
  sharedSubscriptionType,
} from '../../protocol/mail/acl.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountId, MailboxNumber } from '../../protocol/mail/ids.ts';
import type { AccountReader, AccountTransactor } from '../account/api.ts';
import { aclIdentifiersMax } from './limits.ts';
import { rightsIn } from './shared-effects.ts';

/** What the list says, by account or `anyone`; without those who were given nothing. */
export function aclOf(reader: AccountReader, mailbox: MailboxNumber): ReadonlyMap<AclIdentifier, RightSet> {
  const acl = reader.object<MailboxAcl>(mailboxAclType, mailboxAclId(mailbox));
  const entries = Object.entries(acl?.rights ?? {}).map(([id, letters]) => [id as AclIdentifier, RightSet.of(letters)] as const);
  return new Map(entries);
}

/** Of somebody who is not the owner: their own rights and those of anyone. `reader` is the owner's. */
export function rightsOf(reader: AccountReader, mailbox: MailboxNumber, viewer: AccountId): RightSet {
  if (reader.isClosed || reader.mailbox(mailbox) === undefined) return RightSet.none;
  return rightsIn(reader.object<MailboxAcl>(mailboxAclType, mailboxAclId(mailbox)), viewer);
}

/**
 * What is given to somebody by name is meant to be seen: he is subscribed to it, and no longer when all is taken. What is shared with anyone is for
 * those who look for it.
 */
function follow(
  tx: AccountTransactor,
  mailbox: MailboxNumber,
  identifier: AclIdentifier,
  before: string | undefined,
  given: RightSet,
): void {
  if (identifier === anyone) return;
  const id = sharedSubscriptionId(mailbox, identifier);
  if (given.has('l') && before?.includes('l') !== true) tx.putObject(sharedSubscriptionType, id, {});
  else if (given.letters === '') tx.removeObject(sharedSubscriptionType, id);
}

/** Replaces the rights of some; those who get none leave the list. The list stays, empty if need be, for as long as its mailbox does. */
export function setRights(tx: AccountTransactor, mailbox: MailboxNumber, changes: ReadonlyMap<AclIdentifier, RightSet>): void {
  if (tx.mailbox(mailbox) === undefined) throw new MailError('mailboxNotFound', 'there is no such mailbox');
  const before = tx.object<MailboxAcl>(mailboxAclType, mailboxAclId(mailbox));
  const rights = new Map<string, string>(Object.entries(before?.rights ?? {}));
  for (const [identifier, given] of changes) {
    follow(tx, mailbox, identifier, rights.get(identifier), given);
    if (given.letters === '') rights.delete(identifier);
    else rights.set(identifier, given.letters);
  }
  if (rights.size > aclIdentifiersMax) throw new MailError('limit', `a mailbox may be shared with ${aclIdentifiersMax} accounts`);
  if (before === undefined && rights.size === 0) return;
  const sorted = [...rights].sort(([a], [b]) => (a < b ? -1 : 1));
  tx.putObject(mailboxAclType, mailboxAclId(mailbox), { rights: Object.fromEntries(sorted) } satisfies MailboxAcl);
}
