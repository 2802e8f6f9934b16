/** Mailbox/set (RFC 8621 §2.5): one mutation, in which each object that is refused leaves nothing behind; settle.ts has their order. */
import { Type } from 'typebox';
import { invalidProperties, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { setArguments } from '../../../../protocol/jmap/schema/common.ts';
import { MailboxSettings } from '../../../../protocol/jmap/schema/mailbox.ts';
import type { AclIdentifier, RightSet } from '../../../../protocol/mail/acl.ts';
import { type AccountId, formatMailboxId, type MailboxNumber, parseMailboxId } from '../../../../protocol/mail/ids.ts';
import type { AccountReader, AccountTransactor, Mailbox } from '../../../../storage/account/api.ts';
import type { MailboxRole } from '../../../../storage/log/record.ts';
import { aclOf, setRights } from '../../../../storage/sharing/rights.ts';
import { dismissNotifications } from '../../../../storage/sharing/share-notifier.ts';
import { SharedReader } from '../../../../storage/sharing/shared-reader.ts';
import type { RightsChanged } from '../../../../storage/sharing/shares.ts';
import { isAsAsked, namedInShareWith, readShareWith, shareWithOf } from '../../mailbox-sharing.ts';
import { defineMethod, type MethodContext, mailCapability, mailSharingCapability } from '../../method.ts';
import { notFoundError, requireSetSize, type SetArguments, SetOutcome, willBeDestroyed } from '../../standard/set.ts';
import { changedSettings, checkSettings } from '../../standard/settings.ts';
import { Steps } from '../../standard/steps.ts';
import { requireState } from '../../states.ts';
import { threadCounts } from '../../thread-counts.ts';
import { isMailboxProperty, mailboxProperties, mailboxProperty, mailboxRow, shareWithProperty } from './get.ts';
import { NotSettled, type Operation, settle } from './settle.ts';

/** Roles of RFC 8621 §2 that the store keeps. */
const roles = new Set<string>(['inbox', 'archive', 'drafts', 'flagged', 'important', 'junk', 'sent', 'trash', 'all']);

export const mailboxSet = defineMethod({
  name: 'Mailbox/set',
  capability: mailCapability,
  access: 'write',
  arguments: setArguments({ onDestroyRemoveEmails: Type.Optional(Type.Boolean()) }),
  async run(context, args) {
    requireSetSize(args);
    const { account, cache } = context;
    account.read((reader) => requireState(reader, cache.states(reader), 'Mailbox', args.ifInState));
    const steps = new Steps(context, 'Mailbox');
    const attempt = (maySetAside: boolean) =>
      steps.transact((tx) => {
        const call = new MailboxSetCall(context, tx, args.onDestroyRemoveEmails === true);
        return { value: call, isChanged: call.settle(args, maySetAside) };
      });
    if (context.using.has(mailSharingCapability)) await noteSharees(context, args);
    const { outcome, created, shared, subscribed } = await attempt(true).catch((error: unknown) => {
      if (error instanceof NotSettled) return attempt(false);
      throw error;
    });
    for (const [key, id] of created) context.createdIds.set(key, id);
    if (subscribed.length > 0) {
      const own = await context.services.accounts.open(context.identity.accountId);
      await dismissNotifications(own, account.id, subscribed);
    }
    for (const change of shared) await context.services.shares.tell({ owner: account.id, by: context.identity.accountId, ...change });
    return outcome.response(args.accountId, steps.oldState, steps.newState);
  },
});

/** RFC 8621 §2: those that are not null. */
const defaults = { sortOrder: 0 };

/** The directory knows of them before the log says that something is shared with them. */
async function noteSharees({ account, identity, services: { directory } }: MethodContext, { create, update }: SetArguments): Promise<void> {
  const named = [...Object.values(create ?? {}), ...Object.values(update ?? {})].flatMap(namedInShareWith);
  const known = [...new Set(named)].filter((id) => id !== account.id && directory.principal(identity.accountId, id)?.type === 'individual');
  if (known.length > 0) await directory.noteShares(known as AccountId[], account.id);
}

type Settings = Readonly<Record<string, unknown>>;

/** One run of the call's mutation, which the log may run again. */
class MailboxSetCall {
  readonly outcome = new SetOutcome();
  /** Ids by creation id. */
  readonly created = new Map<string, string>();
  /** Mailboxes of another account that it subscribed to. */
  readonly subscribed: MailboxNumber[] = [];
  /** Mailboxes whose rights it changed. */
  readonly shared: Pick<RightsChanged, 'mailbox' | 'before' | 'after'>[] = [];
  readonly #context: MethodContext;
  readonly #tx: AccountTransactor;
  readonly #removesEmails: boolean;
  #isChanged = false;

  constructor(context: MethodContext, tx: AccountTransactor, removesEmails: boolean) {
    this.#context = context;
    this.#tx = tx;
    this.#removesEmails = removesEmails;
  }

  /** Whether anything was changed. Throws NotSettled. */
  settle(args: SetArguments, maySetAside: boolean): boolean {
    const doomed = new Set((args.destroy ?? []).map((id) => this.#context.resolveId(id)));
    const operations = [
      ...creationOrder(args.create ?? {}).map(([key, settings]) => this.#creation(key, settings)),
      ...Object.entries(args.update ?? {}).map(([id, patch]) => this.#update(id, patch, doomed)),
      ...deepestFirst(this.#tx, doomed).map((id) => this.#destruction(id)),
    ];
    for (const [{ where, key }, error] of settle(operations, maySetAside)) this.outcome[where][key] = error;
    return this.#isChanged;
  }

  #creation(key: string, settings: Settings): SetOperation {
    return {
      where: 'notCreated',
      key,
      run: () => {
        const { shareWith, others } = this.#partedFrom(settings);
        const change = this.#readSettings(others, true);
        requireRoleIsFree(this.#tx, change, undefined);
        const changes = shareWith === undefined ? undefined : readShareWith(this.#context, this.#tx, change.parent ?? null, shareWith);
        const mailbox = this.#tx.createMailbox({ parent: null, ...change, name: change.name! });
        const isSaid = changes === undefined || this.#share(mailbox.id, changes, shareWith);
        this.created.set(key, formatMailboxId(mailbox.id));
        this.outcome.created[key] = this.#createdOf(mailbox, isSaid ? settings : others);
        this.#isChanged = true;
      },
    };
  }

  #update(given: string, patch: Settings, doomed: ReadonlySet<string>): SetOperation {
    const tx = this.#tx;
    let aside: Mailbox | undefined;
    return {
      where: 'notUpdated',
      key: this.#context.resolveId(given),
      run: () => {
        if (doomed.has(this.#context.resolveId(given))) throw new SetFailure(willBeDestroyed);
        const id = this.#resolve(given);
        const mailbox = aside ?? existing(tx, id);
        const { shareWith, others } = this.#partedFrom(changedSettings(patch, this.#currentOf(mailbox, patch), defaults));
        const change = this.#readSettings(others, false);
        requireInboxStays(mailbox, change);
        requireRoleIsFree(tx, change, mailbox);
        requireNoLoop(tx, change, mailbox);
        const restored = aside === undefined ? {} : { name: aside.name, role: aside.role };
        const changes = shareWith === undefined ? undefined : readShareWith(this.#context, tx, mailbox.id, shareWith);
        const after = tx.updateMailbox(mailbox.id, { ...restored, ...change });
        // What a sharee subscribes to is no part of the owner's record.
        if (after.recordModSeq > tx.modSeq || after.subscribed !== mailbox.subscribed) this.#isChanged = true;
        if (tx instanceof SharedReader && after.subscribed && !mailbox.subscribed) this.subscribed.push(mailbox.id);
        const isSaid = changes === undefined || this.#share(mailbox.id, changes, shareWith);
        // RFC 8620 §5.3: what is not as the client has it.
        const shown = {
          ...(change.name === undefined || after.name === change.name ? {} : { name: after.name }),
          ...(isSaid ? {} : { shareWith: shareWithOf(this.#context, tx, mailbox.id) }),
        };
        this.outcome.updated[id] = Object.keys(shown).length === 0 ? null : shown;
      },
      setAside: () => {
        aside = this.#setAside(given);
        return aside !== undefined;
      },
    };
  }

  #destruction(given: string): SetOperation {
    const tx = this.#tx;
    const key = this.#context.resolveId(given);
    return {
      where: 'notDestroyed',
      key,
      run: () => {
        destroyMailbox(tx, existing(tx, this.#resolve(given)), this.#removesEmails);
        this.outcome.destroyed.push(key);
        this.#isChanged = true;
      },
      setAside: () => this.#setAside(given) !== undefined,
    };
  }

  /** `shareWith` is there for requests that use its capability; for others it is a property that there is not. */
  #partedFrom(settings: Settings): { readonly shareWith: unknown; readonly others: Settings } {
    if (!this.#context.using.has(mailSharingCapability)) return { shareWith: undefined, others: settings };
    const { shareWith, ...others } = settings;
    return { shareWith, others };
  }

  /** Whether it is shared as was asked for, to the letter. */
  #share(mailbox: MailboxNumber, changes: ReadonlyMap<AclIdentifier, RightSet>, shareWith: unknown): boolean {
    const before = aclOf(this.#tx, mailbox);
    if (changes.size > 0) {
      setRights(this.#tx, mailbox, changes);
      this.shared.push({ mailbox, before, after: aclOf(this.#tx, mailbox) });
      this.#isChanged = true;
    }
    return isAsAsked(shareWithOf(this.#context, this.#tx, mailbox), shareWith);
  }

  /** The mailbox as it was; undefined where it is not to be moved. */
  #setAside(given: string): Mailbox | undefined {
    const number = parseMailboxId(this.#resolve(given));
    const mailbox = number === undefined ? undefined : this.#tx.mailbox(number);
    if (mailbox === undefined || mailbox.role === 'inbox') return undefined;
    // A sharee leaves what has a role, and what he may not rename, where it is.
    if (this.#tx instanceof SharedReader && (mailbox.role !== null || !this.#tx.rightsOn(mailbox.id).has('x'))) return undefined;
    this.#tx.updateMailbox(mailbox.id, { name: this.#context.services.random.hex(16), role: null });
    return mailbox;
  }

  #resolve(id: string): string {
    return (id.startsWith('#') ? this.created.get(id.slice(1)) : undefined) ?? this.#context.resolveId(id);
  }

  /** Checks settings of a new mailbox or of a change. Throws SetFailure. */
  #readSettings(settings: Settings, isNew: boolean): MailboxChange {
    checkSettings(MailboxSettings, settings);
    if (isNew && typeof settings['name'] !== 'string') throw invalidProperties('A mailbox has a name.', 'name');
    const { name, parentId, role, sortOrder, isSubscribed } = settings as Partial<MailboxSettings>;
    const change: MailboxChange = {};
    if (name !== undefined) change.name = name;
    if (parentId !== undefined) change.parent = parentId === null ? null : this.#parentOf(parentId);
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

  #parentOf(id: string): MailboxNumber {
    const parent = parseMailboxId(this.#resolve(id));
    if (parent === undefined || this.#tx.mailbox(parent) === undefined) throw invalidProperties('There is no such parent.', 'parentId');
    return parent;
  }

  /** The properties that a patch names, as they are. Counts are those before the call. */
  #currentOf(mailbox: Mailbox, patch: Settings): Record<string, unknown> {
    const { account, cache, using } = this.#context;
    const threads = () => account.read((reader) => threadCounts(reader, cache).get(mailbox.id)) ?? { total: 0, unread: 0 };
    const row = { ...mailboxRow(this.#tx, this.#context, mailbox), threads };
    const named = new Set(Object.keys(patch).map((path) => path.split('/')[0]!));
    const current = Array.from(named).flatMap((name) => (isMailboxProperty(name, using) ? [[name, mailboxProperty(row, name)]] : []));
    // A member may be set where there is none yet: of nobody, one becomes the first.
    return Object.fromEntries(current.map(([name, value]) => [name, name === shareWithProperty ? (value ?? {}) : value]));
  }

  #createdOf(mailbox: Mailbox, settings: Settings): object {
    const row = { ...mailboxRow(this.#tx, this.#context, mailbox), threads: () => ({ total: 0, unread: 0 }) };
    const names = [...Object.keys(mailboxProperties), ...(row.hasSharing ? [shareWithProperty] : [])];
    const shown = names.filter((name) => !Object.hasOwn(settings, name) && name !== 'name');
    return Object.fromEntries(shown.map((name) => [name, mailboxProperty(row, name)]));
  }
}

interface SetOperation extends Operation {
  readonly where: 'notCreated' | 'notUpdated' | 'notDestroyed';
  /** Under which the outcome is told. */
  readonly key: string;
}

interface MailboxChange {
  name?: string;
  parent?: MailboxNumber | null;
  role?: MailboxRole | null;
  order?: number;
  subscribed?: boolean;
}

/** Those that others are created in come first. */
function creationOrder(create: Readonly<Record<string, Record<string, unknown>>>): [string, Record<string, unknown>][] {
  const ordered = new Map<string, Record<string, unknown>>();
  const visit = (key: string, depth: number): void => {
    const settings = Object.hasOwn(create, key) ? create[key] : undefined;
    if (settings === undefined || ordered.has(key) || depth > Object.keys(create).length) return;
    const { parentId } = settings;
    if (typeof parentId === 'string' && parentId.startsWith('#')) visit(parentId.slice(1), depth + 1);
    ordered.set(key, settings);
  };
  for (const key of Object.keys(create)) visit(key, 0);
  return [...ordered];
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
function deepestFirst(reader: AccountReader, ids: ReadonlySet<string>): string[] {
  const depth = (id: string) => {
    const number = parseMailboxId(id);
    return number === undefined ? 0 : reader.pathOf(number).length;
  };
  return [...ids].sort((a, b) => depth(b) - depth(a));
}
