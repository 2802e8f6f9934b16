/**
 * Mailboxes by the names that a client gives them: its own at once, those that others share (RFC 2342) when their account is open. A shared one on which
 * the right `l` is missing does not exist here (RFC 4314 §6). Own mailboxes need no rights and wait for nothing.
 */
import {
  formatMailboxPath,
  formatSharedName,
  hierarchyDelimiter,
  otherUsersPrefix,
  parseMailboxPath,
  parseSharedName,
} from '../../protocol/imap/mailbox-name.ts';
import { type Right, RightSet } from '../../protocol/mail/acl.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { MailboxNumber } from '../../protocol/mail/ids.ts';
import type { Account, AccountReader, Mailbox } from '../../storage/account/api.ts';
import { SharedAccount } from '../../storage/sharing/shared-account.ts';
import { type ListedMailbox, type ListedName, listedMailboxes, newMailboxPath } from './mailbox-tree.ts';
import type { Reply } from './refusal.ts';
import type { Session } from './session.ts';

export interface Located {
  /** The session's own, or somebody else's as the client may see it. */
  readonly account: Account;
  readonly mailbox: Mailbox;
}

/** undefined: there is no mailbox of this name, or none that the client may know of. */
export function locate(session: Session, name: string): Located | undefined | Promise<Located | undefined> {
  const { account } = session;
  const mailbox = account.read((reader) => reader.mailboxByPath(parseMailboxPath(name)));
  if (mailbox !== undefined) return { account, mailbox };
  return name.startsWith(`${otherUsersPrefix}${hierarchyDelimiter}`) ? locateShared(session, name) : undefined;
}

async function locateShared(session: Session, name: string): Promise<Located | undefined> {
  const { account, path } = (await sharedPath(session, name)) ?? {};
  const mailbox = path === undefined ? undefined : account?.read((reader) => reader.mailboxByPath(path));
  return account === undefined || mailbox === undefined ? undefined : { account, mailbox };
}

/** The account that a name in the namespace of others is about, where something of it is shared with the client. */
async function sharedPath(session: Session, name: string): Promise<{ account: SharedAccount; path: readonly string[] } | undefined> {
  const { shares } = session.services;
  const shared = parseSharedName(name);
  const owner = shared === undefined ? undefined : shares.identifier(shared.owner);
  if (shared === undefined || owner === undefined || owner === 'anyone') return undefined;
  const account = await shares.open(session.account.id, owner);
  return account === undefined ? undefined : { account, path: shared.path };
}

/** Throws MailError 'mailboxNotFound'. */
export function mustLocate(session: Session, name: string): Located | Promise<Located> {
  const located = locate(session, name);
  return located instanceof Promise ? located.then(existing) : existing(located);
}

function existing(located: Located | undefined): Located {
  if (located === undefined) throw new MailError('mailboxNotFound', 'There is no mailbox of this name.');
  return located;
}

/** `use` of the mailbox: in this turn where it is the client's own. */
export function withMailbox<T>(session: Session, name: string, use: (located: Located) => T): T | Promise<T> {
  const located = mustLocate(session, name);
  return located instanceof Promise ? located.then(use) : use(located);
}

export interface NewName {
  readonly account: Account;
  /** In that account. */
  readonly path: readonly string[];
}

/** Where a mailbox of this name would be made. Throws MailError. */
export async function locateNew(session: Session, name: string): Promise<NewName> {
  const path = newMailboxPath(name);
  if (path[0] !== otherUsersPrefix) return { account: session.account, path };
  const shared = await sharedPath(session, name);
  // Whether there is such an account is nobody's business.
  if (shared === undefined || shared.path.length === 0)
    throw new MailError('forbidden', `Below ${otherUsersPrefix} mailboxes are made in those that others share.`);
  return shared;
}

/** Rights on a mailbox as they are now. The owner has all. */
export function rightsOn(account: Account, mailbox: MailboxNumber): RightSet {
  return account instanceof SharedAccount ? account.rightsOn(mailbox) : RightSet.all;
}

/** Throws MailError 'forbidden' where a right is missing. */
export function mustHave({ account, mailbox }: Located, ...rights: readonly Right[]): void {
  if (!(account instanceof SharedAccount)) return;
  const has = account.rightsOn(mailbox.id);
  const missing = rights.find((right) => !has.has(right));
  if (missing !== undefined) throw new MailError('forbidden', `The right ${missing} on this mailbox is missing.`);
}

/** The name by which the client knows the mailbox. */
export function nameOf(session: Session, { account, mailbox }: Located): string {
  const path = account.read((reader) => reader.pathOf(mailbox.id));
  if (account === session.account) return formatMailboxPath(path);
  return formatSharedName(session.services.shares.nameOf(account.id) ?? '', path);
}

/** All that LIST may show: the client's own mailboxes, then the others'. At once where nobody shares anything with the client. */
export function allNames(session: Session): readonly ListedName[] | Promise<readonly ListedName[]> {
  const own = session.account.read(listedMailboxes);
  return session.services.shares.owners(session.account.id).length === 0 ? own : withOthers(session, own);
}

async function withOthers(session: Session, own: readonly ListedName[]): Promise<readonly ListedName[]> {
  const shared: ListedName[] = [];
  for (const { owner, account } of await session.services.shares.openAll(session.account.id))
    shared.push(...account.read((reader) => sharedNames(owner.address, account, reader)));
  const taken = new Set(own.map(({ name }) => name));
  return [...own, ...withLevels(shared).filter(({ name }) => !taken.has(name))];
}

/** Roles are the owner's: a client would take his Sent for its own. */
export function sharedNames(owner: string, account: Account, reader: AccountReader): ListedMailbox[] {
  const named = reader.mailboxes().map((mailbox) => ({
    account,
    mailbox: { ...mailbox, role: null },
    name: formatSharedName(owner, reader.pathOf(mailbox.id)),
  }));
  const parents = new Set(named.flatMap(({ name }) => namesAbove(name)));
  return named.map((entry) => ({ ...entry, hasChildren: parents.has(entry.name) })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function namesAbove(name: string): string[] {
  const above: string[] = [];
  for (let end = name.lastIndexOf(hierarchyDelimiter); end > 0; end = name.lastIndexOf(hierarchyDelimiter, end - 1))
    above.push(name.slice(0, end));
  return above;
}

/** The names above them, which lead to no mailbox that the client sees. */
function withLevels(shared: readonly ListedName[]): ListedName[] {
  const byName = new Map(shared.map((entry) => [entry.name, entry]));
  for (const name of new Set(shared.flatMap((entry) => namesAbove(entry.name))))
    if (!byName.has(name)) byName.set(name, { name, hasChildren: true, isLevel: true });
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * RFC 9051 §7.1: TRYCREATE where the mailbox may be made. Of what others share that is so where the client has `k` on the nearest mailbox above
 * (RFC 4314 §4); elsewhere there is nothing.
 */
export async function missingTarget(session: Session, name: string): Promise<Reply> {
  const text = 'There is no mailbox of this name.';
  if (parseSharedName(name) === undefined) return { status: 'NO', code: 'TRYCREATE', text };
  const { account, path = [] } = (await sharedPath(session, name)) ?? {};
  const mayCreate = account?.read((reader) => {
    for (let levels = path.length - 1; levels > 0; levels -= 1) {
      const above = reader.mailboxByPath(path.slice(0, levels));
      if (above !== undefined) return reader.rightsOn(above.id).has('k');
    }
    return false;
  });
  return { status: 'NO', code: mayCreate === true ? 'TRYCREATE' : 'NONEXISTENT', text };
}
