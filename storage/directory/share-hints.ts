/**
 * Hints about who has shared something with whom: records `share` with the id `<account or anyone>/<owner>`. The owner's log says what is shared; a hint
 * says whose log to look into. It is written before the owner's commit, so that there may be one too many and never one too few, and it is dropped
 * when nothing is behind it and it is old enough for no grant to be under way.
 */
import { type AclIdentifier, anyone, type MailboxAcl, mailboxAclType, sharedSubscriptionType } from '../../protocol/mail/acl.ts';
import { annotationIdOfShared, sharedAnnotationType } from '../../protocol/mail/annotation.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { AccountTransactor } from '../account/api.ts';
import { hintRenewedMs, ownersPerShareeMax, staleHintMs } from './limits.ts';
import type { ShareRecord } from './records.ts';

type Tx = AccountTransactor;

const hintId = (sharee: AclIdentifier, owner: AccountId): string => `${sharee}/${owner}`;

export function parseHintId(id: string): { readonly sharee: AclIdentifier; readonly owner: AccountId } {
  const [sharee = '', owner = ''] = id.split('/');
  return { sharee: sharee as AclIdentifier, owner: owner as AccountId };
}

/** Whether a hint would have to be written: it is not there, or might be dropped while the owner's commit is under way. */
export const isHintDue = (hint: ShareRecord | undefined, now: number): boolean => hint === undefined || now - hint.at > hintRenewedMs;

/** Each of `sharees` may find something with `owner` from now on. */
export function putHints(tx: Tx, sharees: readonly AclIdentifier[], owner: AccountId): void {
  for (const sharee of sharees) {
    if (!isHintDue(tx.object<ShareRecord>('share', hintId(sharee, owner)), tx.at)) continue;
    const others = [...tx.objects('share')].filter(({ id }) => id.startsWith(`${sharee}/`) && id !== hintId(sharee, owner));
    if (others.length >= ownersPerShareeMax)
      throw new MailError('limit', `${ownersPerShareeMax} accounts may share mailboxes with ${sharee === anyone ? anyone : 'one account'}`);
    tx.putObject('share', hintId(sharee, owner), { at: tx.at } satisfies ShareRecord);
  }
}

export const isStale = (hint: ShareRecord, now: number): boolean => now - hint.at > staleHintMs;

/** Nothing was found behind the hint. */
export function dropStaleHint(tx: Tx, sharee: AclIdentifier, owner: AccountId): void {
  const hint = tx.object<ShareRecord>('share', hintId(sharee, owner));
  if (hint !== undefined && isStale(hint, tx.at)) tx.removeObject('share', hintId(sharee, owner));
}

/** Of the owner's log: an account that is removed has no rights any more, and what it kept about shared mailboxes goes. */
export function dropRightsOf(tx: Tx, account: AccountId): void {
  for (const { id, value } of [...tx.objects<MailboxAcl>(mailboxAclType)]) {
    const { [account]: gone, ...rights } = value.rights;
    if (gone !== undefined) tx.putObject(mailboxAclType, id, { rights } satisfies MailboxAcl);
  }
  for (const { id } of [...tx.objects(sharedSubscriptionType)]) if (id.endsWith(`/${account}`)) tx.removeObject(sharedSubscriptionType, id);
  for (const { id } of [...tx.objects(sharedAnnotationType)])
    if (annotationIdOfShared(id, account) !== undefined) tx.removeObject(sharedAnnotationType, id);
}

/** The account is removed. */
export function dropHintsOf(tx: Tx, account: AccountId): void {
  for (const { id } of [...tx.objects('share')]) {
    const { sharee, owner } = parseHintId(id);
    if (sharee === account || owner === account) tx.removeObject('share', id);
  }
}
