/** Mailbox/set (RFC 8621 §2.5). Each object is a mutation of its own, so that one that is refused leaves nothing behind. */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { invalidProperties, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { applyPatch } from '../../../../protocol/jmap/patch.ts';
import { setArguments } from '../../../../protocol/jmap/schema/common.ts';
import { Mailbox as MailboxSchema, MailboxSettings } from '../../../../protocol/jmap/schema/mailbox.ts';
import { formatMailboxId, type MailboxNumber, parseMailboxId } from '../../../../protocol/mail/ids.ts';
import type { Account, AccountReader, AccountTransactor, Mailbox } from '../../../../storage/account/api.ts';
import type { MailboxRole } from '../../../../storage/log/record.ts';
import { defineMethod, type MethodContext, mailCapability } from '../../method.ts';
import { notFoundError, requireSetSize, SetOutcome, willBeDestroyed } from '../../standard/set.ts';
import { requireState, stateString } from '../../states.ts';

/** Roles of RFC 8621 §2 that the store keeps. */
const roles = new Set<string>(['inbox', 'archive', 'drafts', 'flagged', 'important', 'junk', 'sent', 'trash', 'all']);

/** What follows from the mail; a client that sends it back as it was says nothing. */
const derived = ['totalEmails', 'unreadEmails', 'totalThreads', 'unreadThreads', 'myRights', 'id'];

export const mailboxSet = defineMethod({
  name: 'Mailbox/set',
  capability: mailCapability,
  access: 'write',
  arguments: setArguments({ onDestroyRemoveEmails: Type.Optional(Type.Boolean()) }),
  async run(context, args) {
    requireSetSize(args);
    const { account, cache } = context;
    const before = account.read((reader) => cache.states(reader));
    requireState(before, 'Mailbox', args.ifInState);
    const steps = new Steps(context, stateString(before, 'Mailbox'));
    const outcome = new SetOutcome();
    for (const [key, settings] of creationOrder(args.create ?? {})) {
      await outcome.attempt('notCreated', key, async () => {
        const change = readSettings(context, settings, true);
        const mailbox = await steps.transact((tx) => {
          const made = tx.createMailbox({ parent: null, ...change, name: change.name! });
          return { value: made, isChanged: true };
        });
        context.createdIds.set(key, formatMailboxId(mailbox.id));
        outcome.created[key] = createdOf(mailbox, settings);
      });
    }
    const destroy = (args.destroy ?? []).map((id) => context.resolveId(id));
    for (const [given, patch] of Object.entries(args.update ?? {})) {
      const id = context.resolveId(given);
      await outcome.attempt('notUpdated', given, async () => {
        if (destroy.includes(id)) throw new SetFailure(willBeDestroyed);
        await steps.transact((tx) => {
          const mailbox = updateMailbox(context, tx, existing(tx, id), patch);
          return { value: undefined, isChanged: mailbox.recordModSeq > tx.modSeq };
        });
        outcome.updated[given] = null;
      });
    }
    for (const id of deepestFirst(account, destroy)) {
      await outcome.attempt('notDestroyed', id, async () => {
        await steps.transact((tx) => {
          destroyMailbox(tx, existing(tx, id), args.onDestroyRemoveEmails === true);
          return { value: undefined, isChanged: true };
        });
        outcome.destroyed.push(id);
      });
    }
    return outcome.response(args.accountId, steps.oldState, steps.newState);
  },
});

/**
 * The mutations of one call, and the states around them. newState moves on only while nobody else's change came between: one that included it would hide
 * it from the client.
 */
class Steps {
  oldState: string;
  newState: string;
  readonly #context: MethodContext;
  #isFirst = true;

  constructor(context: MethodContext, state: string) {
    this.#context = context;
    this.oldState = state;
    this.newState = state;
  }

  async transact<T>(mutation: (tx: AccountTransactor) => { readonly value: T; readonly isChanged: boolean }): Promise<T> {
    const { account, cache } = this.#context;
    const { value, before, after } = await account.transact((tx) => {
      const state = stateString(cache.statesInside(tx), 'Mailbox');
      // A mutation's change gets the account's next modSeq.
      const next = tx.modSeq + 1;
      const { value: made, isChanged } = mutation(tx);
      return { value: made, before: state, after: isChanged ? String(next) : state };
    });
    if (this.#isFirst) this.oldState = before;
    if (this.#isFirst || before === this.newState) this.newState = after;
    this.#isFirst = false;
    return value;
  }
}

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
  const unknown = Object.keys(settings).filter((name) => !Object.hasOwn(MailboxSettings.properties, name));
  if (unknown.length > 0) throw invalidProperties(`${unknown[0]} cannot be set.`, ...unknown);
  for (const [name, value] of Object.entries(settings)) {
    const schema = MailboxSettings.properties[name as keyof typeof MailboxSettings.properties];
    if (!Value.Check(schema, value)) throw invalidProperties(`${name} does not have its type.`, name);
  }
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

function updateMailbox(context: MethodContext, tx: AccountTransactor, mailbox: Mailbox, patch: Readonly<Record<string, unknown>>): Mailbox {
  const changed = applyPatch(patch, () => undefined);
  for (const name of derived) {
    if (changed.has(name)) throw invalidProperties(`${name} is set by the server.`, name);
  }
  const change = readSettings(context, Object.fromEntries(changed), false);
  if (mailbox.role === 'inbox') {
    const kept = (['name', 'parent', 'role'] as const).find((name) => change[name] !== undefined && change[name] !== mailbox[name]);
    if (kept !== undefined) throw new SetFailure({ type: 'forbidden', description: 'The inbox keeps its name, place and role.' });
  }
  return tx.updateMailbox(mailbox.id, change);
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
