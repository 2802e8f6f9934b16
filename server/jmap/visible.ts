/** What JMAP sees: an email is there while one of its memberships has no `\Deleted` (RFC 8621 §4.1.1). */
import { formatMailboxId } from '../../protocol/mail/ids.ts';
import type { Email } from '../../storage/account/api.ts';

export function isVisible(email: Email | undefined): email is Email {
  return email?.memberships.some(({ deleted }) => !deleted) === true;
}

/** mailboxIds of an email. */
export function mailboxIdsOf(email: Email): Record<string, true> {
  const ids: Record<string, true> = {};
  for (const { mailbox, deleted } of email.memberships) if (!deleted) ids[formatMailboxId(mailbox)] = true;
  return ids;
}

/** keywords of an email. */
export function keywordsOf(email: Email): Record<string, true> {
  return Object.fromEntries(Array.from(email.keywords, (keyword) => [keyword, true]));
}
