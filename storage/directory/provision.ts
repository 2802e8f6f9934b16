/** The mailboxes that a new account begins with. */
import type { Account, AccountTransactor } from '../account/api.ts';
import type { MailboxRole } from '../log/record.ts';

/** RFC 6154 special uses under the names that Thunderbird, Outlook and iOS Mail look for, in the order they are shown. */
const mailboxes: readonly { readonly name: string; readonly role: MailboxRole }[] = [
  { name: 'INBOX', role: 'inbox' },
  { name: 'Drafts', role: 'drafts' },
  { name: 'Sent', role: 'sent' },
  { name: 'Archive', role: 'archive' },
  { name: 'Junk', role: 'junk' },
  { name: 'Trash', role: 'trash' },
];

/**
 * Gives an account that has no INBOX its mailboxes, in one mutation. May be called again at any time and by several nodes at once: an account
 * with an INBOX is left as it is, so what its owner removed stays removed. Resolves to whether there was anything to do.
 */
export async function provisionAccount(account: Account): Promise<boolean> {
  if (account.read((reader) => reader.mailboxByRole('inbox') !== undefined)) return false;
  return account.transact(createMailboxes);
}

function createMailboxes(tx: AccountTransactor): boolean {
  if (tx.mailboxByRole('inbox') !== undefined) return false;
  for (const [index, { name, role }] of mailboxes.entries()) {
    if (tx.mailboxByRole(role) !== undefined) continue;
    const existing = tx.mailboxByPath([name]);
    if (existing) tx.updateMailbox(existing.id, { role, subscribed: true });
    else tx.createMailbox({ name, parent: null, role, subscribed: true, order: index + 1 });
  }
  return true;
}
