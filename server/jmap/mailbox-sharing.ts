/**
 * Who a mailbox is shared with, as JMAP has it: `shareWith` of draft-ietf-jmap-mail-sharing, under a name of our own until that is an RFC. Principals that are
 * accounts are in it; what everybody may (`anyone` of RFC 4314) is not, since nobody's principal stands for it.
 */
import { isDeepStrictEqual } from 'node:util';
import { invalidProperties, SetFailure } from '../../protocol/jmap/errors.ts';
import { isRecord } from '../../protocol/jmap/request.ts';
import { type AclIdentifier, anyone, RightSet } from '../../protocol/mail/acl.ts';
import type { AccountId, MailboxNumber } from '../../protocol/mail/ids.ts';
import type { AccountReader } from '../../storage/account/api.ts';
import { aclIdentifiersMax } from '../../storage/sharing/limits.ts';
import { aclOf } from '../../storage/sharing/rights.ts';
import { SharedReader } from '../../storage/sharing/shared-reader.ts';
import { jmapRightsOf, type MailboxRights, mailboxRights, rightsFromJmap } from './mailbox-rights.ts';
import type { MethodContext } from './method.ts';

/** What whoever reads may do with a mailbox. */
export function rightsOn(reader: AccountReader, mailbox: MailboxNumber): RightSet {
  return reader instanceof SharedReader ? reader.rightsOn(mailbox) : RightSet.all;
}

/** null: nobody, or it is not for the reader to know. Accounts that are gone have no principal. */
export function shareWithOf(
  { services: { directory } }: Pick<MethodContext, 'services'>,
  reader: AccountReader,
  mailbox: MailboxNumber,
): Record<string, MailboxRights> | null {
  const shared = [...aclOf(reader, mailbox)].filter(([id]) => id !== anyone && directory.accountById(id) !== undefined);
  return shared.length === 0 ? null : Object.fromEntries(shared.map(([identifier, rights]) => [identifier, jmapRightsOf(rights)]));
}

/**
 * Rights that a new `shareWith` leads to, of those whose rights it changes. `mailbox`: whose list it changes; of a new one that above it, whose list it gets;
 * null where there is none. Throws SetFailure.
 */
export function readShareWith(
  { services, identity, account }: MethodContext,
  reader: AccountReader,
  mailbox: MailboxNumber | null,
  value: unknown,
): ReadonlyMap<AclIdentifier, RightSet> {
  if (mailbox !== null && !rightsOn(reader, mailbox).has('a'))
    throw new SetFailure({ type: 'forbidden', description: 'Whom the mailbox is shared with is not yours to say.' });
  if (value !== null && !isRecord(value)) throw invalidProperties('shareWith is an object of rights by principal, or null.', 'shareWith');
  const before = mailbox === null ? new Map<AclIdentifier, RightSet>() : aclOf(reader, mailbox);
  const wanted = new Map(Object.entries(value ?? {}));
  const changes = new Map<AclIdentifier, RightSet>();
  for (const [id, rights] of wanted) {
    const identifier = id as AccountId;
    const isKnown = before.has(identifier) || services.directory.principal(identity.accountId, id)?.type === 'individual';
    if (!isKnown || id === account.id || id === anyone)
      throw invalidProperties(`Mailboxes are not shared with ${JSON.stringify(id.slice(0, 50))}.`, 'shareWith');
    if (!areRights(rights)) throw invalidProperties('Rights are those of myRights, each true or false.', 'shareWith');
    const was = before.get(identifier) ?? RightSet.none;
    const is = rightsFromJmap(rights, was);
    if (is.letters !== was.letters) changes.set(identifier, is);
  }
  if (wanted.size + Number(before.has(anyone)) > aclIdentifiersMax)
    throw new SetFailure({ type: 'overQuota', description: `A mailbox is shared with at most ${aclIdentifiersMax} accounts.` });
  for (const identifier of before.keys()) if (identifier !== anyone && !wanted.has(identifier)) changes.set(identifier, RightSet.none);
  return changes;
}

const areRights = (value: unknown): value is Record<string, boolean> =>
  isRecord(value) &&
  Object.entries(value).every(([name, is]) => (mailboxRights as readonly string[]).includes(name) && typeof is === 'boolean');

/** Whether what is kept is what the client asked for; what is false need not be said. */
export function isAsAsked(kept: Record<string, MailboxRights> | null, asked: unknown): boolean {
  const whole = Object.entries(isRecord(asked) ? asked : {}).map(([id, rights]) => [
    id,
    { ...jmapRightsOf(RightSet.none), ...(isRecord(rights) ? rights : {}) },
  ]);
  return isDeepStrictEqual(kept ?? {}, Object.fromEntries(whole));
}

/** Principals that settings of a Mailbox/set share with: whole, or by a path of a patch. */
export function namedInShareWith(settings: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(settings).flatMap(([path, value]) => {
    if (path === 'shareWith') return isRecord(value) ? Object.keys(value) : [];
    return path.startsWith('shareWith/') ? [path.split('/')[1]!] : [];
  });
}
