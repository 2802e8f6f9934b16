/**
 * What a client hears of the account beside its selected mailbox (RFC 5465, RFC 5464 §4.4): mailboxes with changed messages as STATUS, created, deleted,
 * renamed and (un)subscribed ones as LIST, annotations as METADATA. Changes are gathered by mailbox as they come true, so that what waits for a slow
 * client is bounded by the number of mailboxes and annotations; tell() compares with what the client was told before.
 */
import type { NotifyEvent, NotifyGroup } from '../../protocol/imap/commands/notify.ts';
import type { StatusItem } from '../../protocol/imap/commands/status.ts';
import { isPersonal, matchesFilter } from '../../protocol/imap/mailbox-filter.ts';
import { hierarchyDelimiter } from '../../protocol/imap/mailbox-name.ts';
import { ByteWriter } from '../../protocol/imap/wire/byte-writer.ts';
import { annotationType } from '../../protocol/mail/annotation.ts';
import type { MailboxNumber, ModSeq } from '../../protocol/mail/ids.ts';
import type { Account, AccountReader, Effect } from '../../storage/account/api.ts';
import { writeEntry } from './annotations.ts';
import { attributesOf, writeLine } from './commands/list.ts';
import { writeStatus } from './commands/status.ts';
import { rightsOn } from './locate.ts';
import { type ListedMailbox, listedMailboxes } from './mailbox-tree.ts';
import type { Session } from './session.ts';

type ListMailboxes = (reader: AccountReader) => ListedMailbox[];

interface KnownMailbox {
  readonly name: string;
  readonly subscribed: boolean;
}

interface Touched {
  messages: boolean;
  flags: boolean;
}

export class AccountNews implements Disposable {
  readonly #session: Session;
  readonly #account: Account;
  readonly #list: ListMailboxes;
  readonly #watch: Disposable;
  #groups: readonly NotifyGroup[] = [];
  /** ENABLE METADATA: all annotations, without NOTIFY. */
  wantsMetadata = false;
  /** As the client was told last. */
  #known: Map<MailboxNumber, KnownMailbox>;
  readonly #touched = new Map<MailboxNumber, Touched>();
  readonly #annotations = new Set<string>();
  #hasNewNames = false;
  /** Changes that the client made itself. */
  readonly #own = new Set<ModSeq>();
  #effects: Effect[] = [];

  /** `account`: the session's, or one that others share with it; `list`: its mailboxes by the names that they have here. */
  constructor(session: Session, account: Account, onNews: () => void, list: ListMailboxes = listedMailboxes) {
    this.#session = session;
    this.#account = account;
    this.#list = list;
    this.#watch = this.#account.watch(
      (effects) => {
        // Looked at when the client's own are known: see noteOwn().
        this.#effects.push(...effects);
        if (this.#effects.length > 100) this.#gather();
        onNews();
      },
      () => {
        this.#effects = [];
        this.#hasNewNames = true;
        for (const { id } of this.#account.read((reader) => reader.mailboxes())) this.#touched.set(id, { messages: true, flags: true });
        onNews();
      },
    );
    this.#known = this.#account.read((reader) => this.#knownMailboxes(reader));
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  get #isOwn(): boolean {
    return this.#account === this.#session.account;
  }

  #knownMailboxes(reader: AccountReader): Map<MailboxNumber, KnownMailbox> {
    return new Map(this.#list(reader).map(({ mailbox, name }) => [mailbox.id, { name, subscribed: mailbox.subscribed }]));
  }

  /** RFC 5465 §3.1: replaces what was asked for; what has changed until now is not told. `isNews`: nothing of it is known yet. */
  set(groups: readonly NotifyGroup[], isNews = false): void {
    this.#groups = groups;
    this.#gather();
    this.#touched.clear();
    this.#annotations.clear();
    this.#hasNewNames = isNews;
    this.#known = isNews ? new Map() : this.#account.read((reader) => this.#knownMailboxes(reader));
  }

  /** RFC 5465 §5: the client need not hear of what it did. */
  noteOwn(modSeq: ModSeq): void {
    this.#own.add(modSeq);
  }

  #gather(): void {
    this.#hasNewNames ||= this.#effects.some(
      ({ modSeq, mailboxes }) => !this.#own.has(modSeq) && mailboxes.some(({ record }) => record !== undefined),
    );
    for (const { modSeq, mailboxes, objects } of this.#effects) {
      const isOwn = this.#own.has(modSeq);
      for (const { mailbox, record, added, changed, removed } of mailboxes) {
        if (isOwn) {
          if (record !== undefined) this.#learn(mailbox);
          continue;
        }
        const touched = this.#touched.get(mailbox) ?? { messages: false, flags: false };
        touched.messages ||= added.length > 0 || removed.length > 0;
        touched.flags ||= changed.length > 0;
        if (touched.messages || touched.flags) this.#touched.set(mailbox, touched);
      }
      for (const { type, id } of objects) if (type === annotationType && !isOwn) this.#annotations.add(id);
    }
    this.#effects = [];
    this.#own.clear();
  }

  /** The client knows of its own change to a mailbox. */
  #learn(mailbox: MailboxNumber): void {
    const now = this.#account.read((reader) => this.#knownMailboxes(reader));
    const known = now.get(mailbox);
    // Those below it have new names too.
    if (!this.#hasNewNames) this.#known = now;
    else if (known === undefined) this.#known.delete(mailbox);
    else this.#known.set(mailbox, known);
  }

  tell(): void {
    if (this.#effects.length > 0) this.#gather();
    else this.#own.clear();
    if (!this.#hasNewNames && this.#touched.size === 0 && this.#annotations.size === 0) return;
    this.#account.read((reader) => {
      const listed = this.#list(reader);
      if (this.#hasNewNames) this.#tellNames(reader, listed);
      for (const { mailbox, name } of listed) {
        const touched = this.#touched.get(mailbox.id);
        if (touched === undefined || !this.#mayTellStatus(mailbox.id)) continue;
        const items = statusItems(this.#eventsOf(name, mailbox.subscribed), touched, this.#session);
        if (items.length > 0) writeStatus(this.#session, this.#account, mailbox, name, items);
      }
      this.#tellAnnotations(listed);
    });
    this.#touched.clear();
    this.#annotations.clear();
    this.#hasNewNames = false;
  }

  /** RFC 5465 §3.1: what is there now, where STATUS is asked for. */
  tellStatus(): void {
    this.#account.read((reader) => {
      for (const { mailbox, name } of this.#list(reader)) {
        if (!this.#mayTellStatus(mailbox.id)) continue;
        const events = this.#eventsOf(name, mailbox.subscribed);
        const items = new Set<StatusItem>();
        if (events.has('MessageNew')) for (const item of ['MESSAGES', 'UIDNEXT', 'UIDVALIDITY'] as const) items.add(item);
        if (events.has('FlagChange')) for (const item of ['UIDVALIDITY', 'HIGHESTMODSEQ'] as const) items.add(item);
        if (items.size > 0) writeStatus(this.#session, this.#account, mailbox, name, [...items]);
      }
    });
  }

  /** The selected mailbox is told by its view; others where they may be read (RFC 4314 §4). */
  #mayTellStatus(mailbox: MailboxNumber): boolean {
    return !this.#session.isSelected(this.#account, mailbox) && rightsOn(this.#account, mailbox).has('r');
  }

  /** RFC 5465 §6: several groups may be about one mailbox; those of the selected one are not among them. */
  #eventsOf(name: string, subscribed: boolean): ReadonlySet<NotifyEvent> {
    const events = new Set<NotifyEvent>();
    for (const { filter, events: own } of this.#groups)
      if ((this.#isOwn || !isPersonal(filter)) && matchesFilter(filter, name, subscribed)) for (const event of own) events.add(event);
    return events;
  }

  /** RFC 5465 §5.4, §5.5. */
  #tellNames(reader: AccountReader, listed: readonly ListedMailbox[]): void {
    const now = this.#knownMailboxes(reader);
    const told = new Set<string>();
    const tell = (name: string, event: NotifyEvent, subscribed: boolean, extended = '', asOther?: string) => {
      const wants =
        this.#eventsOf(name, subscribed).has(event) || (asOther !== undefined && this.#eventsOf(asOther, subscribed).has(event));
      if (!wants || told.has(name)) return;
      told.add(name);
      const entry = listed.find((one) => one.name === name);
      writeLine(this.#session, 'LIST', entry === undefined ? attributesOfNone(name, listed) : attributesOf(entry, true), name, extended);
    };
    const tellParent = (name: string) => {
      const end = name.lastIndexOf(hierarchyDelimiter);
      if (end > 0) tell(name.slice(0, end), 'MailboxName', false);
    };
    for (const [id, { name, subscribed }] of now) {
      const before = this.#known.get(id);
      // RFC 5465 §5.1: who hears of flags hears of another UIDVALIDITY, and this name has one now.
      if (before?.name !== name) this.#touched.set(id, { messages: true, flags: true });
      if (before === undefined) {
        tell(name, 'MailboxName', subscribed);
        tellParent(name);
      } else if (before.name !== name && isRenamed(before.name, name, this.#known, now)) {
        const old = new ByteWriter();
        this.#session.writeMailboxNameTo(old, before.name);
        tell(name, 'MailboxName', subscribed, ` ("OLDNAME" (${old.toBuffer().toString()}))`, before.name);
      } else if (before.subscribed !== subscribed) tell(name, 'SubscriptionChange', true);
    }
    for (const [id, { name, subscribed }] of this.#known) {
      if (now.has(id)) continue;
      tell(name, 'MailboxName', subscribed);
      tellParent(name);
    }
    this.#known = now;
  }

  /** RFC 5464 §4.4.2: the names of the entries, also of removed ones. */
  #tellAnnotations(listed: readonly ListedMailbox[]): void {
    const byMailbox = new Map<string, string[]>();
    for (const id of this.#annotations) {
      const [mailbox = '', ...entry] = id.split(':');
      byMailbox.set(mailbox, [...(byMailbox.get(mailbox) ?? []), entry.join(':')]);
    }
    for (const [mailbox, entries] of byMailbox) {
      const entry = listed.find(({ mailbox: { id } }) => String(id) === mailbox);
      if (mailbox !== 'account' && entry === undefined) continue;
      const wants =
        entry === undefined
          ? this.#groups.some(({ events }) => events.includes('ServerMetadataChange'))
          : this.#eventsOf(entry.name, entry.mailbox.subscribed).has('MailboxMetadataChange');
      if (!wants && !this.wantsMetadata) continue;
      const { output } = this.#session;
      output.ascii('* METADATA ');
      this.#session.writeMailboxName(entry?.name ?? '');
      for (const one of entries) writeEntry(output.ascii(' '), one);
      output.crlf();
      output.schedule();
    }
  }
}

/** RFC 5465 §5.4: of a name without a mailbox, which may have been one, or lead to one. */
function attributesOfNone(name: string, listed: readonly ListedMailbox[]): readonly string[] {
  const isLevel = listed.some((entry) => entry.name.startsWith(`${name}${hierarchyDelimiter}`));
  return isLevel ? ['\\NonExistent', '\\HasChildren'] : ['\\NonExistent'];
}

/** RFC 5465 §5.4: those below a renamed mailbox are renamed too, and not told. */
function isRenamed(
  before: string,
  after: string,
  known: ReadonlyMap<MailboxNumber, KnownMailbox>,
  now: ReadonlyMap<MailboxNumber, KnownMailbox>,
): boolean {
  for (const [id, { name }] of known) {
    const renamed = now.get(id)?.name;
    if (renamed === undefined || renamed === name || !before.startsWith(`${name}${hierarchyDelimiter}`)) continue;
    if (after === renamed + before.slice(name.length)) return false;
  }
  return true;
}

/** RFC 5465 §5.1 to §5.3. */
function statusItems(events: ReadonlySet<NotifyEvent>, touched: Touched, { isCondstore }: Session): StatusItem[] {
  const items = new Set<StatusItem>();
  if (touched.messages && events.has('MessageNew')) for (const item of ['UIDNEXT', 'MESSAGES'] as const) items.add(item);
  if (touched.flags && events.has('FlagChange')) for (const item of ['UIDVALIDITY', 'UNSEEN'] as const) items.add(item);
  if (items.size > 0 && isCondstore) items.add('HIGHESTMODSEQ');
  return [...items];
}
