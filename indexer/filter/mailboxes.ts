/** Mailboxes as scripts name them: names joined by `/`, INBOX in any case at the first level, uses as `\junk`. */
import { MailError } from '../../protocol/mail/errors.ts';
import type { MailboxNumber } from '../../protocol/mail/ids.ts';
import type { Target } from '../../protocol/sieve/outcome.ts';
import type { AccountReader, AccountTransactor } from '../../storage/account/api.ts';
import type { MailboxRole } from '../../storage/log/record.ts';

const roles: readonly MailboxRole[] = ['archive', 'drafts', 'flagged', 'important', 'junk', 'sent', 'trash', 'all'];

const pathOf = (mailbox: string): string[] =>
  mailbox
    .normalize('NFC')
    .split('/')
    .filter((name) => name !== '');

export function mailboxExists(reader: AccountReader, mailbox: string): boolean {
  return reader.mailboxByPath(pathOf(mailbox)) !== undefined;
}

/** RFC 8579 §3. */
export function specialUseExists(reader: AccountReader, mailbox: string | undefined, uses: readonly string[]): boolean {
  const wanted = uses.map(roleOf);
  if (mailbox === undefined) return wanted.every((role) => role !== undefined && reader.mailboxByRole(role) !== undefined);
  const found = reader.mailboxByPath(pathOf(mailbox));
  return found !== undefined && wanted.every((role) => role !== undefined && found.role === role);
}

const roleOf = (use: string): MailboxRole | undefined => roles.find((role) => use.toLowerCase() === `\\${role}`);

/** Where a target leads: the special use before the name (RFC 8579 §4); undefined where there is none and none may be made. */
export function resolveTarget(tx: AccountTransactor, { mailbox, mayCreate, specialUse }: Target): MailboxNumber | undefined {
  const role = specialUse === undefined ? undefined : roleOf(specialUse);
  const byRole = role === undefined ? undefined : tx.mailboxByRole(role);
  if (byRole !== undefined) return byRole.id;
  const path = pathOf(mailbox);
  const known = tx.mailboxByPath(path);
  if (known !== undefined) return known.id;
  if (!mayCreate || path.length === 0) return undefined;
  try {
    return createPath(tx, path, role);
  } catch (error) {
    // A name that no mailbox may have: the message must not be lost for it.
    if (error instanceof MailError && error.code !== 'accountClosed') return undefined;
    throw error;
  }
}

/** The mailbox at a path, made where it is missing. */
export function createPath(tx: AccountTransactor, path: readonly string[], role?: MailboxRole): MailboxNumber {
  let parent: MailboxNumber | null = null;
  for (let depth = 1; depth <= path.length; depth++) {
    const here = path.slice(0, depth);
    const isLast = depth === path.length;
    const known = tx.mailboxByPath(here);
    parent = (known ?? tx.createMailbox({ name: here.at(-1)!, parent, role: isLast ? (role ?? null) : null, subscribed: true })).id;
  }
  return parent!;
}
