/** Mailbox/set (RFC 8621 §2.5). Each object is a mutation of its own, so that one that is refused leaves nothing behind. */
import { Type } from 'typebox';
import { invalidProperties, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { setArguments } from '../../../../protocol/jmap/schema/common.ts';
import { Mailbox as MailboxSchema, MailboxSettings } from '../../../../protocol/jmap/schema/mailbox.ts';
import { formatMailboxId, type MailboxNumber, parseMailboxId } from '../../../../protocol/mail/ids.ts';
import type { Account, AccountReader, AccountTransactor, Mailbox } from '../../../../storage/account/api.ts';
import type { MailboxRole } from '../../../../storage/log/record.ts';
import { defineMethod, type MethodContext, mailCapability } from '../../method.ts';
import { notFoundError, standardSet } from '../../standard/set.ts';
import { changedSettings, checkSettings } from '../../standard/settings.ts';
import { mailboxProperties, mailboxRow } from './get.ts';

/** Roles of RFC 8621 §2 that the store keeps. */
const roles = new Set<string>(['inbox', 'archive', 'drafts', 'flagged', 'important', 'junk', 'sent', 'trash', 'all']);

export const mailboxSet = defineMethod({
  name: 'Mailbox/set',
  capability: mailCapability,
  access: 'write',
  arguments: setArguments({ onDestroyRemoveEmails: Type.Optional(Type.Boolean()) }),
  async run(context, args) {
    const { account } = context;
    const { response } = await standardSet(context, args, {
      type: 'Mailbox',
      createOrder: creationOrder,
      destroyOrder: (ids) => deepestFirst(account, ids),
      async create(steps, settings) {
        const change = readSettings(context, settings, true);
        const mailbox = await steps.transact((tx) => {
          requireRoleIsFree(tx, change, undefined);
          const made = tx.createMailbox({ parent: null, ...change, name: change.name! });
          return { value: made, isChanged: true };
        });
        return { id: formatMailboxId(mailbox.id), shown: createdOf(mailbox, settings) };
      },
      async update(steps, id, patch) {
        const change = readSettings(context, changedSettings(patch, currentOf(context, id, patch)), false);
        await steps.transact((tx) => {
          const mailbox = existing(tx, id);
          requireInboxStays(mailbox, change);
          requireRoleIsFree(tx, change, mailbox);
          requireNoLoop(tx, change, mailbox);
          return { value: undefined, isChanged: tx.updateMailbox(mailbox.id, change).recordModSeq > tx.modSeq };
        });
        return null;
      },
      async destroy(steps, id) {
        await steps.transact((tx) => {
          destroyMailbox(tx, existing(tx, id), args.onDestroyRemoveEmails === true);
          return { value: undefined, isChanged: true };
        });
      },
    });
    return response;
  },
});

/** Those that others are created in come first. */
function creationOrder(create: Readonly<Record<string, Record<string, unknown>>>): [string, Record<string, unknown>][] {
  const ordered = new Map<string, Record<string, unknown>>();
  const visit = (key: string, depth: number): void => {
    const settings = create[key];
    if (settings === undefined || ordered.has(key) || depth > Object.keys(create).length) return;
    const { parentId } = settings;
    if (typeof parentId === 'string' && parentId.startsWith('#')) visit(parentId.slice(1), depth + 1);
    ordered.set(key, settings);
  };
  for (const key of Object.keys(create)) visit(key, 0);
  return [...ordered];
}

interface MailboxChange {
  name?: string;
  parent?: MailboxNumber | null;
  role?: MailboxRole | null;
  order?: number;
  subscribed?: boolean;
}

/** Checks settings of a new mailbox or of a change. Throws SetFailure. */
function readSettings(context: MethodContext, settings: Readonly<Record<string, unknown>>, isNew: boolean): MailboxChange {
  checkSettings(MailboxSettings, settings);
  if (isNew && typeof settings['name'] !== 'string') throw invalidProperties('A mailbox has a name.', 'name');
  const { name, parentId, role, sortOrder, isSubscribed } = settings as Partial<MailboxSettings>;
  const change: MailboxChange = {};
  if (name !== undefined) change.name = name;
  if (parentId !== undefined) change.parent = parentId === null ? null : parentOf(context, parentId);
  if (role !== undefined) {
    if (role !== null && !roles.has(role)) throw invalidProperties(`The role ${JSON.stringify(role.slice(0, 50))} is not known.`, 'role');
    change.role = role as MailboxRole | null;
  }
  if (sortOrder !== undefined) change.order = sortOrder;
  if (isSubscribed !== undefined) change.subscribed = isSubscribed;
  // RFC 8621 §2: a new mailbox is not subscribed to unless it is said.
  else if (isNew) change.subscribed = false;
  return change;
}

function parentOf(context: MethodContext, id: string): MailboxNumber {
  const parent = parseMailboxId(context.resolveId(id));
  const isThere = parent !== undefined && context.account.read((reader) => reader.mailbox(parent)) !== undefined;
  if (!isThere) throw invalidProperties('There is no such parent.', 'parentId');
  return parent;
}

function createdOf(mailbox: Mailbox, settings: Readonly<Record<string, unknown>>): object {
  const shown: Record<string, unknown> = {
    id: formatMailboxId(mailbox.id),
    parentId: mailbox.parent === null ? null : formatMailboxId(mailbox.parent),
    role: mailbox.role,
    sortOrder: mailbox.order,
    isSubscribed: mailbox.subscribed,
    totalEmails: 0,
    unreadEmails: 0,
    totalThreads: 0,
    unreadThreads: 0,
    myRights: allRights,
  };
  for (const name of Object.keys(settings)) delete shown[name];
  return shown;
}

const allRights = Object.fromEntries(Object.keys(MailboxSchema.properties.myRights.properties).map((right) => [right, true]));

/** The properties that a patch names, as they are. */
function currentOf({ account, cache }: MethodContext, id: string, patch: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return account.read((reader) => {
    const row = mailboxRow(reader, cache, id);
    if (row === undefined) throw new SetFailure(notFoundError);
    const named = Object.entries(mailboxProperties).filter(([name]) => Object.hasOwn(patch, name));
    return Object.fromEntries(named.map(([name, valueFrom]) => [name, valueFrom(row)]));
  });
}

/** RFC 8621 §2: a role is of one mailbox. */
function requireRoleIsFree(reader: AccountReader, { role }: MailboxChange, mailbox: Mailbox | undefined): void {
  const holder = role === undefined || role === null ? undefined : reader.mailboxByRole(role);
  if (holder !== undefined && holder.id !== mailbox?.id) throw invalidProperties(`Another mailbox has the role ${role}.`, 'role');
}

/** RFC 8621 §2: nothing is below itself. */
function requireNoLoop(reader: AccountReader, { parent }: MailboxChange, mailbox: Mailbox): void {
  for (let above = parent ?? null; above !== null; above = reader.mailbox(above)?.parent ?? null) {
    if (above === mailbox.id) throw invalidProperties('A mailbox is not below itself.', 'parentId');
  }
}

function requireInboxStays(mailbox: Mailbox, change: MailboxChange): void {
  if (mailbox.role !== 'inbox') return;
  const kept = (['name', 'parent', 'role'] as const).find((name) => change[name] !== undefined && change[name] !== mailbox[name]);
  if (kept !== undefined) throw new SetFailure({ type: 'forbidden', description: 'The inbox keeps its name, place and role.' });
}

function destroyMailbox(tx: AccountTransactor, mailbox: Mailbox, removesEmails: boolean): void {
  if (mailbox.role === 'inbox') throw new SetFailure({ type: 'forbidden', description: 'The inbox stays.' });
  if (tx.mailboxes().some(({ parent }) => parent === mailbox.id)) {
    throw new SetFailure({ type: 'mailboxHasChild', description: 'The mailbox has mailboxes below it.' });
  }
  if (mailbox.visible > 0 && !removesEmails) throw new SetFailure({ type: 'mailboxHasEmail', description: 'The mailbox has emails.' });
  tx.removeMailbox(mailbox.id);
}

function existing(reader: AccountReader, id: string): Mailbox {
  const number = parseMailboxId(id);
  const mailbox = number === undefined ? undefined : reader.mailbox(number);
  if (mailbox === undefined) throw new SetFailure(notFoundError);
  return mailbox;
}

/** Children before their parents, so that a whole tree can go in one call. */
function deepestFirst(account: Account, ids: readonly string[]): string[] {
  const depth = (id: string) => {
    const number = parseMailboxId(id);
    return number === undefined ? 0 : account.read((reader) => reader.pathOf(number).length);
  };
  return [...new Set(ids)].sort((a, b) => depth(b) - depth(a));
}
