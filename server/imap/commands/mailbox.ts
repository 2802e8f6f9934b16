/** CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8). */
import { decodeCreate } from '../../../protocol/imap/commands/create.ts';
import { decodeMailboxArgument } from '../../../protocol/imap/commands/mailbox-argument.ts';
import { decodeRename } from '../../../protocol/imap/commands/rename.ts';
import { parseMailboxPath } from '../../../protocol/imap/mailbox-name.ts';
import { MailError } from '../../../protocol/mail/errors.ts';
import { formatMailboxId, type MailboxNumber, type ModSeq } from '../../../protocol/mail/ids.ts';
import type { Account, AccountTransactor, Mailbox } from '../../../storage/account/api.ts';
import { copyAnnotations } from '../annotations.ts';
import { defineCommand, loggedIn } from '../command.ts';
import { keepSubscription, takeSubscription } from '../kept-subscriptions.ts';
import { locate, locateNew, mustHave, mustLocate } from '../locate.ts';
import { roleOfSpecialUse } from '../mailbox-tree.ts';
import { objectIds } from '../object-ids.ts';
import type { Reply } from '../refusal.ts';
import type { Session } from '../session.ts';
import { tellOldName } from './list.ts';

/** A mutation that changes something, of which the client need not be told (RFC 5465 §5). */
async function changeTree<T>(session: Session, account: Account, change: (tx: AccountTransactor) => T): Promise<T> {
  const { value, modSeq } = await account.transact((tx) => ({ modSeq: (tx.modSeq + 1) as ModSeq, value: change(tx) }));
  session.news?.noteOwn(account, modSeq);
  return value;
}

/** RFC 9051 §6.3.4: "a server SHOULD create superior hierarchical names". Returns the mailbox above the last level. */
function createAbove(tx: AccountTransactor, path: readonly string[]): MailboxNumber | null {
  let parent: MailboxNumber | null = null;
  for (const [level, name] of path.slice(0, -1).entries()) {
    const existing = tx.mailboxByPath(path.slice(0, level + 1));
    parent = (existing ?? tx.createMailbox({ name, parent, subscribed: takeSubscription(tx, path.slice(0, level + 1)) })).id;
  }
  return parent;
}

export const create = defineCommand({
  names: ['CREATE'],
  states: loggedIn,
  capability: ['CREATE-SPECIAL-USE'],
  sequences: 'free',
  decode: decodeCreate,
  async run({ session }, { mailbox: name, asSent, use }) {
    const { account, path } = await locateNew(session, name);
    const roles = use.map(roleOfSpecialUse);
    // RFC 6154 §3: one use a mailbox here, since roles of JMAP are one a mailbox.
    if (roles.length > 1 || roles.includes(undefined)) return useAttribute('This special use cannot be given.');
    const [role = null] = roles;
    if (role !== null && account !== session.account) return useAttribute('Only the owner gives special uses.');
    if (role !== null && session.account.read((reader) => reader.mailboxByRole(role)) !== undefined) {
      return useAttribute('Another mailbox has this special use.');
    }
    const created = await changeTree(session, account, (tx) => {
      if (tx.mailboxByPath(path) !== undefined) throw new MailError('alreadyExists', 'There is a mailbox of this name already.');
      // RFC 9051 §6.3.4 leaves subscription to the client: to the name it may be there already.
      const subscribed = takeSubscription(tx, path);
      return tx.createMailbox({ name: path.at(-1)!, parent: createAbove(tx, path), role, subscribed });
    });
    tellOldName(session, name, asSent);
    return { status: 'OK', code: `MAILBOXID (${objectIds(account).prefix}${formatMailboxId(created.id)})`, text: 'CREATE completed' };
  },
});

function useAttribute(text: string): Reply {
  return { status: 'NO', code: 'USEATTR', text };
}

/** RFC 9051 §6.3.5: we refuse to delete a mailbox that has others below it, and keep no \Noselect names. */
export const remove = defineCommand({
  names: ['DELETE'],
  states: loggedIn,
  capability: [],
  sequences: 'free',
  decode: decodeMailboxArgument,
  async run({ session }, { mailbox: name }) {
    const located = await mustLocate(session, name);
    mustHave(located, 'x');
    const { account, mailbox } = located;
    const { id, role } = mailbox;
    if (role === 'inbox') throw new MailError('invalidArguments', 'The INBOX cannot be deleted.');
    await changeTree(session, account, (tx) => {
      if (mailbox.subscribed && account === session.account) keepSubscription(tx, tx.pathOf(id));
      tx.removeMailbox(id);
    });
    // Who deletes the mailbox that is selected sees it closed, not the connection.
    if (session.isSelected(account, id)) session.unselect();
    return undefined;
  },
});

export const rename = defineCommand({
  names: ['RENAME'],
  states: loggedIn,
  capability: [],
  sequences: 'free',
  decode: decodeRename,
  async run({ session }, { from, to, toAsSent }) {
    const { account, path } = await locateNew(session, to);
    const located = await mustLocate(session, from);
    mustHave(located, 'x');
    // The messages would have to be carried over one by one: that is what COPY and MOVE are for.
    if (located.account !== account) throw new MailError('invalidArguments', 'A mailbox cannot be renamed into another account.');
    const { mailbox } = located;
    await changeTree(session, account, (tx) => {
      const existing = tx.mailboxByPath(path);
      if (existing !== undefined) throw new MailError('alreadyExists', 'There is a mailbox of the new name already.');
      if (mailbox.role === 'inbox' && account === session.account) moveInbox(tx, mailbox, path);
      else {
        const subscribed = takeSubscription(tx, path) || mailbox.subscribed;
        tx.updateMailbox(mailbox.id, { name: path.at(-1)!, parent: createAbove(tx, path), subscribed });
      }
    });
    tellOldName(session, to, toAsSent);
    return undefined;
  },
});

/** RFC 9051 §6.3.6: renaming INBOX moves its messages and leaves it empty. Mailboxes below it stay. */
function moveInbox(tx: AccountTransactor, inbox: Mailbox, path: readonly string[]): void {
  const target = tx.createMailbox({ name: path.at(-1)!, parent: createAbove(tx, path), subscribed: inbox.subscribed });
  const last = tx.uids(inbox.id).at(-1);
  if (last !== undefined) tx.move(inbox.id, [[1, last]], target.id);
  copyAnnotations(tx, inbox.id, target.id);
}

export const subscribe = defineCommand({
  names: ['SUBSCRIBE', 'UNSUBSCRIBE'],
  states: loggedIn,
  capability: [],
  sequences: 'free',
  decode: decodeMailboxArgument,
  async run({ session, name: command }, { mailbox: name }) {
    const subscribed = command === 'SUBSCRIBE';
    const located = await locate(session, name);
    // A name without a mailbox may be on the list, and taken off it; whoever deletes a mailbox does both.
    if (located === undefined && !subscribed) {
      await changeTree(session, session.account, (tx) => takeSubscription(tx, parseMailboxPath(name)));
      return undefined;
    }
    const { account, mailbox } = located ?? (await mustLocate(session, name));
    if (mailbox.subscribed !== subscribed) await changeTree(session, account, (tx) => tx.updateMailbox(mailbox.id, { subscribed }));
    return undefined;
  },
});
