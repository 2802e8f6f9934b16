/** Mailboxes by their IMAP names, and the attributes that LIST gives them. */
import { formatMailboxPath, parseMailboxPath } from '../../protocol/imap/mailbox-name.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { MailboxNumber } from '../../protocol/mail/ids.ts';
import type { Account, AccountReader, Mailbox } from '../../storage/account/api.ts';
import type { MailboxRole } from '../../storage/log/record.ts';

/** RFC 6154 §2, RFC 8457 \Important. The INBOX has none. */
const uses: Readonly<Partial<Record<MailboxRole, string>>> = {
  all: '\\All',
  archive: '\\Archive',
  drafts: '\\Drafts',
  flagged: '\\Flagged',
  important: '\\Important',
  junk: '\\Junk',
  sent: '\\Sent',
  trash: '\\Trash',
};

export function specialUseOf(role: MailboxRole | null): string | undefined {
  return role === null ? undefined : uses[role];
}

export function roleOfSpecialUse(use: string): MailboxRole | undefined {
  return (Object.keys(uses) as MailboxRole[]).find((role) => uses[role]!.toLowerCase() === use.toLowerCase());
}

export function findMailbox(reader: AccountReader, name: string): Mailbox | undefined {
  return reader.mailboxByPath(parseMailboxPath(name));
}

/** The levels of a name that is to be made. Throws MailError 'invalidName'. */
export function newMailboxPath(name: string): string[] {
  const path = parseMailboxPath(name);
  if (path.some((level) => level === '')) throw new MailError('invalidName', 'A level of a mailbox name cannot be empty.');
  // RFC 9051 §5.1: what LIST would take for wildcards cannot be asked for by name.
  if (/[%*]/.test(name)) throw new MailError('invalidName', 'A mailbox name cannot hold % or *.');
  return path;
}

/** A name that LIST may show. */
export interface ListedName {
  readonly name: string;
  readonly hasChildren: boolean;
  /** It only leads to others, and is no mailbox that the client sees. */
  readonly isLevel?: true;
  /** Absent where it only leads to others. */
  readonly mailbox?: Mailbox;
  /** Without a mailbox: the name is subscribed all the same. */
  readonly isSubscribed?: true;
  /** Whose it is, where it is not the client's own. */
  readonly account?: Account;
}

export interface ListedMailbox extends ListedName {
  readonly mailbox: Mailbox;
}

/** All mailboxes with their full names: the INBOX first, then by name. */
export function listedMailboxes(reader: AccountReader): ListedMailbox[] {
  const mailboxes = reader.mailboxes();
  const parents = new Set<MailboxNumber | null>(mailboxes.map(({ parent }) => parent));
  const listed = mailboxes.map((mailbox) => ({
    mailbox,
    name: formatMailboxPath(reader.pathOf(mailbox.id)),
    hasChildren: parents.has(mailbox.id),
  }));
  const rank = (name: string) => (name === 'INBOX' ? 0 : 1);
  return listed.sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1));
}
