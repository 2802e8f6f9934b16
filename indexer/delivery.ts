/**
 * Puts one message into accounts: its bytes ride in the commit, or are stored before the commit that names them; the ingest key is in the same commit. What was taken in before
 * is not taken in again, wherever its owner has put it since.
 */
import { MailError, StorageError } from '../protocol/mail/errors.ts';
import type { AccountId, MailboxNumber } from '../protocol/mail/ids.ts';
import type { Account, Accounts, AccountTransactor, PreparedBlob } from '../storage/account/api.ts';
import { provisionAccount } from '../storage/directory/provision.ts';
import type { DeliveryFacts } from '../storage/log/record.ts';
import { withOriginalIds } from '../storage/outbox/sent-as.ts';
import type { Filed, FiledMessage, Filing, Filter } from './filter/filing.ts';
import { createPath } from './filter/mailboxes.ts';
import type { ParsedMessage } from './parse-message.ts';
import { placementBySender } from './senders.ts';

export interface OutgoingMessage {
  readonly bytes: Buffer;
  readonly parse: () => Promise<ParsedMessage>;
  /** Stores the bytes for the account. */
  readonly upload: (account: Account) => Promise<PreparedBlob>;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly placement: 'inbox' | 'junk';
  /** A rule of the organisation chose the placement: the account's lists of senders have no say. */
  readonly isPlacedByRule?: boolean;
  /** Path of the mailbox that a rule of the organisation chose; made where it is missing. */
  readonly mailbox?: readonly string[];
  readonly facts: DeliveryFacts;
  /** The message is taken in once under this key; undefined where each arrival is a message of its own. */
  readonly ingestKey: string | undefined;
}

export type DeliveryResult =
  /** `mailbox`: its role, or its path where it has none. */
  | { readonly kind: 'delivered'; readonly mailbox: string }
  | { readonly kind: 'duplicate' }
  /** Policy dropped it, or holds it. */
  | { readonly kind: 'disposed' }
  /** The account was removed; or a rule of the organisation, or the owner's script, bounces it, and the reason is for its sender. */
  | { readonly kind: 'refused'; readonly reason: string; readonly isByRule?: true }
  /** The account holds as much as it may: whoever has the message keeps it. */
  | { readonly kind: 'full'; readonly reason: string }
  /** Nothing was acknowledged: try again. */
  | { readonly kind: 'unavailable'; readonly error: StorageError };

/** Never rejects for what one account does: the others' results stand. */
export async function deliver(
  accounts: Accounts,
  id: AccountId,
  address: string,
  message: OutgoingMessage,
  filter?: Pick<Filter, 'decide'>,
): Promise<DeliveryResult> {
  try {
    const account = await accounts.open(id);
    const { ingestKey } = message;
    if (ingestKey !== undefined && account.read((reader) => reader.ingested(ingestKey)) !== undefined) return { kind: 'duplicate' };
    await provisionAccount(account);
    const [read, upload] = await Promise.all([message.parse(), message.upload(account)]);
    // A reply to what SES had given another Message-ID.
    const parsed = { ...read, facts: account.read((reader) => withOriginalIds(reader, read.facts)) };
    const { bytes, facts, receivedAt } = message;
    const isPlaced = message.isPlacedByRule || message.mailbox !== undefined;
    const placement = isPlaced
      ? message.placement
      : account.read((reader) => placementBySender(reader, parsed.facts, facts, message.placement));
    const filed = { bytes, blob: upload, parsed, facts, address, placement, receivedAt };
    const filing = (await filter?.decide(account, filed)) ?? unfiltered(filed);
    return await account.transact((tx) => add(tx, { ...message, placement }, filing), { uploads: [upload, ...filing.uploads] });
  } catch (error) {
    if (error instanceof MailError && error.code === 'accountClosed') return { kind: 'refused', reason: error.message };
    if (error instanceof StorageError) return { kind: 'unavailable', error };
    if (error instanceof MailError && (error.code === 'limit' || error.code === 'overQuota'))
      return { kind: 'full', reason: error.message };
    throw error;
  }
}

/** Filing without a script. */
const unfiltered = (message: FiledMessage): Filing => ({ uploads: [], apply: (tx, usual) => keep(tx, message, usual(tx)) });

function keep(tx: AccountTransactor, { blob, parsed, facts, address, placement, receivedAt }: FiledMessage, mailbox: MailboxNumber): Filed {
  const { id } = tx.addEmail({
    blob: blob.ref,
    receivedAt,
    keywords: placement === 'junk' ? ['$junk'] : [],
    mailboxes: [mailbox],
    ...parsed,
    delivery: { ...facts, envelopeTo: address },
  });
  return { kind: 'kept', email: id, mailbox };
}

function add(tx: AccountTransactor, { ingestKey, placement, mailbox }: OutgoingMessage, filing: Filing): DeliveryResult {
  // Looked at again: another node may have been first.
  if (ingestKey !== undefined && tx.ingested(ingestKey) !== undefined) return { kind: 'duplicate' };
  const filed = filing.apply(tx, () => (mailbox === undefined ? mailboxFor(tx, placement) : createPath(tx, mailbox)));
  if (ingestKey !== undefined) tx.rememberIngest(ingestKey, filed.kind === 'kept' ? filed.email : null);
  switch (filed.kind) {
    case 'kept':
      return { kind: 'delivered', mailbox: tx.mailbox(filed.mailbox)?.role ?? tx.pathOf(filed.mailbox).join('/') };
    case 'gone':
      return { kind: 'disposed' };
    case 'rejected':
      return { kind: 'refused', reason: filed.reason, isByRule: true };
  }
}

/** Every account has an INBOX; an owner may have removed Junk. */
function mailboxFor(tx: AccountTransactor, role: 'inbox' | 'junk'): MailboxNumber {
  const existing = tx.mailboxByRole(role);
  if (existing !== undefined) return existing.id;
  const namesake = tx.mailboxByPath(['Junk']);
  if (namesake?.role === null) return tx.updateMailbox(namesake.id, { role }).id;
  return tx.createMailbox({ name: namesake === undefined ? 'Junk' : 'Junk mail', parent: null, role, subscribed: true }).id;
}
