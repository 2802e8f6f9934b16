/** Access control lists of mailboxes (RFC 4314) as the owner's log keeps them: an object a mailbox, which goes with it. The log's format: docs/FORMAT.md. */
import type { MailboxNumber } from './ids.ts';

export const mailboxAclType = 'mailboxAcl';

/** Letters of RFC 4314 §2.1 by account id, or by `anyone`. Stays, empty if need be, once a mailbox was shared: sharees are told what went. */
export interface MailboxAclRecord {
  readonly rights: Readonly<Record<string, string>>;
}

export const mailboxAclId = (mailbox: MailboxNumber): string => String(mailbox);
