/**
 * The safe and the blocked senders of an account: objects of type `Sender` in its log, named by the address. The owner teaches them by moving a
 * message into Junk or out of it, in the commit of the move; the same message moved back takes its lesson back. An administrator lists and changes
 * them (`satchel sender`). They decide between INBOX and Junk only: what policy drops, holds or refuses they do not bring back.
 */
import { MailError } from '../protocol/mail/errors.ts';
import type { AccountId, EmailNumber, MailboxNumber } from '../protocol/mail/ids.ts';
import { eachOf, type Ranges } from '../protocol/mail/ranges.ts';
import { isGroup } from '../protocol/mime/address.ts';
import type { MessageFacts } from '../protocol/mime/facts.ts';
import type { AccountReader, AccountTransactor, OnJoin } from '../storage/account/api.ts';
import { canonicalAddress } from '../storage/directory/address.ts';
import type { DeliveryFacts } from '../storage/log/record.ts';
import { sendersMax, taughtAtOnceMax } from './limits.ts';

export type SenderKind = 'safe' | 'blocked';

export interface SenderRecord {
  readonly kind: SenderKind;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly by: 'move' | 'administrator';
  /** The message that taught it, and what the list said before; null: nothing. */
  readonly email?: EmailNumber;
  readonly before?: SenderKind | null;
}

const senderType = 'Sender';

/** The list's word on the author of a message. A safe sender is believed to be the author unless DMARC says that he is not. */
export function placementBySender(
  reader: AccountReader,
  facts: Pick<MessageFacts, 'envelope'>,
  { dmarc }: Pick<DeliveryFacts, 'dmarc'>,
  placement: 'inbox' | 'junk',
): 'inbox' | 'junk' {
  // Most accounts have no such list.
  if (!reader.mayHaveObjects(senderType)) return placement;
  const author = authorOf(facts);
  const record = author === undefined ? undefined : reader.object<SenderRecord>(senderType, author);
  if (record?.kind === 'blocked') return 'junk';
  return record?.kind === 'safe' && dmarc !== 'FAIL' ? 'inbox' : placement;
}

/** For the accounts: what their owners' moves teach. `isOwn` says whether an address, canonical, is one of the account's. */
export function lessonsOfMoves(isOwn: (account: AccountId, address: string) => boolean): OnJoin {
  return (tx, emails, to, account) => learnFromMove(tx, emails, to, (address) => isOwn(account, address));
}

/** Before the emails get a place in `to`, their old places still theirs. */
function learnFromMove(tx: AccountTransactor, emails: Ranges, to: MailboxNumber, isOwn: (address: string) => boolean): void {
  const junk = tx.mailboxByRole('junk')?.id;
  if (junk === undefined) return;
  const isIntoJunk = to === junk;
  // Most moves have nothing to do with Junk, and need no look at their messages.
  if (!isIntoJunk && tx.mailbox(junk)!.total === 0) return;
  if (!isIntoJunk && tx.mailbox(to)?.role === 'trash') return;
  let lessons = 0;
  for (const number of eachOf(emails)) {
    const id = number as EmailNumber;
    const wasJunk = tx.email(id)?.memberships.some(({ mailbox }) => mailbox === junk);
    if (wasJunk === undefined || wasJunk === isIntoJunk) continue;
    // A folder that is moved as a whole is a tidying-up: the first authors of it are lesson enough.
    if (++lessons > taughtAtOnceMax) return;
    learn(tx, id, isIntoJunk ? 'blocked' : 'safe', isOwn);
  }
}

function learn(tx: AccountTransactor, email: EmailNumber, kind: SenderKind, isOwn: (address: string) => boolean): void {
  const facts = tx.facts(email);
  const author = facts && authorOf(facts);
  // Spam that pretends to come from its own recipient says nothing about him.
  if (author === undefined || isOwn(author) || author === addressedTo(tx, email)) return;
  const known = tx.object<SenderRecord>(senderType, author);
  if (known?.kind === kind) return;
  if (known?.by === 'move' && known.email === email && known.before !== undefined) {
    if (known.before === null) tx.removeObject(senderType, author);
    else tx.putObject(senderType, author, { kind: known.before, at: tx.at, by: 'move' } satisfies SenderRecord);
    return;
  }
  if (known === undefined) makeRoom(tx);
  tx.putObject(senderType, author, { kind, at: tx.at, by: 'move', email, before: known?.kind ?? null } satisfies SenderRecord);
}

/** Of mail that came in; also where the account has lost that address since. */
const addressedTo = (tx: AccountReader, email: EmailNumber) => {
  const envelopeTo = tx.delivery(email)?.envelopeTo;
  return envelopeTo === undefined ? undefined : canonicalAddress(envelopeTo);
};

/** What was taught longest ago goes; what an administrator has set stays. */
function makeRoom(tx: AccountTransactor): void {
  let count = 0;
  let oldest: { readonly id: string; readonly at: number } | undefined;
  for (const { id, value } of tx.objects<SenderRecord>(senderType)) {
    count++;
    if (value.by === 'move' && (oldest === undefined || value.at < oldest.at)) oldest = { id, at: value.at };
  }
  if (count < sendersMax) return;
  if (oldest === undefined) throw new MailError('limit', `an account has at most ${sendersMax} safe and blocked senders`);
  tx.removeObject(senderType, oldest.id);
}

export interface ListedSender extends SenderRecord {
  readonly address: string;
}

/** Newest first. */
export function listSenders(reader: AccountReader): readonly ListedSender[] {
  return [...reader.objects<SenderRecord>(senderType)].map(({ id, value }) => ({ address: id, ...value })).sort((a, b) => b.at - a.at);
}

export function setSender(tx: AccountTransactor, address: string, kind: SenderKind): void {
  if (tx.object(senderType, address) === undefined) makeRoom(tx);
  tx.putObject(senderType, address, { kind, at: tx.at, by: 'administrator' } satisfies SenderRecord);
}

/** False when the list has no such address. */
export function removeSender(tx: AccountTransactor, address: string): boolean {
  if (tx.object(senderType, address) === undefined) return false;
  tx.removeObject(senderType, address);
  return true;
}

/** The one address of the From field, canonical; undefined where there is none, or several: then nobody is the author. */
function authorOf({ envelope }: Pick<MessageFacts, 'envelope'>): string | undefined {
  const [author, ...others] = (envelope.from ?? []).flatMap((entry) => (isGroup(entry) ? entry.members : [entry]));
  if (author === undefined || others.length > 0) return undefined;
  return canonicalAddress(Buffer.from(`${author.mailbox}@${author.host}`, 'latin1').toString('utf8'));
}
