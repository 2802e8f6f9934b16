/**
 * Puts one message into accounts: bytes first, then the commit that names them, the ingest key in the same commit. What was taken in before
 * is not taken in again, wherever its owner has put it since.
 */
import { MailError, StorageError } from '../protocol/mail/errors.ts';
import type { AccountId, MailboxNumber } from '../protocol/mail/ids.ts';
import type { Account, Accounts, AccountTransactor, PreparedBlob } from '../storage/account/api.ts';
import { provisionAccount } from '../storage/directory/provision.ts';
import type { DeliveryFacts, MailboxRole } from '../storage/log/record.ts';
import type { ParsedMessage } from './parse-message.ts';

export interface OutgoingMessage {
  readonly parse: () => Promise<ParsedMessage>;
  /** Stores the bytes for the account. */
  readonly upload: (account: Account) => Promise<PreparedBlob>;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly placement: 'inbox' | 'junk';
  readonly facts: DeliveryFacts;
  /** The message is taken in once under this key; undefined where each arrival is a message of its own. */
  readonly ingestKey: string | undefined;
}

export type DeliveryResult =
  | { readonly kind: 'delivered'; readonly mailbox: MailboxRole }
  | { readonly kind: 'duplicate' }
  /** Policy dropped it, or holds it. */
  | { readonly kind: 'disposed' }
  /** The account was removed. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Nothing was acknowledged: try again. */
  | { readonly kind: 'unavailable'; readonly error: StorageError };

/** Never rejects for what one account does: the others' results stand. */
export async function deliver(accounts: Accounts, id: AccountId, address: string, message: OutgoingMessage): Promise<DeliveryResult> {
  try {
    const account = await accounts.open(id);
    const { ingestKey } = message;
    if (ingestKey !== undefined && account.read((reader) => reader.ingested(ingestKey)) !== undefined) return { kind: 'duplicate' };
    await provisionAccount(account);
    const [parsed, upload] = await Promise.all([message.parse(), message.upload(account)]);
    return await account.transact((tx) => add(tx, message, parsed, upload, address), { uploads: [upload] });
  } catch (error) {
    if (error instanceof MailError && error.code === 'accountClosed') return { kind: 'refused', reason: error.message };
    if (error instanceof StorageError) return { kind: 'unavailable', error };
    // A full account is asked again later: its owner may make room, and whoever sent the message hears of it when it has waited for too long.
    if (error instanceof MailError && (error.code === 'limit' || error.code === 'overQuota')) {
      return { kind: 'unavailable', error: new StorageError('unavailable', error.message, { cause: error }) };
    }
    throw error;
  }
}

function add(
  tx: AccountTransactor,
  message: OutgoingMessage,
  parsed: ParsedMessage,
  upload: PreparedBlob,
  address: string,
): DeliveryResult {
  const { ingestKey } = message;
  // Looked at again: another node may have been first.
  if (ingestKey !== undefined && tx.ingested(ingestKey) !== undefined) return { kind: 'duplicate' };
  const { id } = tx.addEmail({
    blob: upload.ref,
    receivedAt: message.receivedAt,
    keywords: message.placement === 'junk' ? ['$junk'] : [],
    mailboxes: [mailboxFor(tx, message.placement)],
    ...parsed,
    delivery: { ...message.facts, envelopeTo: address },
  });
  if (ingestKey !== undefined) tx.rememberIngest(ingestKey, id);
  return { kind: 'delivered', mailbox: message.placement };
}

/** Every account has an INBOX; an owner may have removed Junk. */
function mailboxFor(tx: AccountTransactor, role: 'inbox' | 'junk'): MailboxNumber {
  const existing = tx.mailboxByRole(role);
  if (existing !== undefined) return existing.id;
  const namesake = tx.mailboxByPath(['Junk']);
  if (namesake?.role === null) return tx.updateMailbox(namesake.id, { role }).id;
  return tx.createMailbox({ name: namesake === undefined ? 'Junk' : 'Junk mail', parent: null, role, subscribed: true }).id;
}
