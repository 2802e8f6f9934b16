/**
 * Subscribed names whose mailbox is gone. RFC 3501 §6.3.6: the server takes no name off the list by itself, also when the mailbox is deleted. They are
 * objects of the account's log; a mailbox of that name that is made by IMAP is subscribed then. While there is a mailbox, its own subscription is what
 * counts.
 */
import { formatMailboxPath, parseMailboxPath } from '../../protocol/imap/mailbox-name.ts';
import { subscriptionType } from '../../protocol/mail/subscription.ts';
import type { AccountReader, AccountTransactor } from '../../storage/account/api.ts';
import { keptSubscriptionsMax } from './limits.ts';
import type { ListedName } from './mailbox-tree.ts';

/** By name. */
export function keptSubscriptions(reader: AccountReader): ListedName[] {
  const names = [...reader.objects(subscriptionType)].map(({ id }) => id).sort();
  return names
    .filter((name) => reader.mailboxByPath(parseMailboxPath(name)) === undefined)
    .map((name) => ({ name, hasChildren: false, isSubscribed: true }));
}

/** Of a mailbox that is about to be removed. */
export function keepSubscription(tx: AccountTransactor, path: readonly string[]): void {
  if ([...tx.objects(subscriptionType)].length < keptSubscriptionsMax) tx.putObject(subscriptionType, formatMailboxPath(path), {});
}

/** Whether the name was subscribed; it is no more, or its new mailbox is in its stead. */
export function takeSubscription(tx: AccountTransactor, path: readonly string[]): boolean {
  const name = formatMailboxPath(path);
  if (tx.object(subscriptionType, name) === undefined) return false;
  tx.removeObject(subscriptionType, name);
  return true;
}
