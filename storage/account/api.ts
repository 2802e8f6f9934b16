/**
 * What an account is to its callers: `read` hands out a reader, `transact` a transactor, `watch` tells what came true. There is no third way in.
 *
 * Readers are synchronous and see the applied state; one `read` call sees one state. A transactor sees the state of its place in the commit,
 * may run several times, and so must be pure: resolve sequence numbers before it, send nothing from inside it. transact() resolves when the
 * commit is in the object store, with the value of the run that was committed.
 */
import type { AccountId, EmailNumber, MailboxNumber, ModSeq, ThreadNumber, Uid } from '../../protocol/mail/ids.ts';
import type { Quota } from '../../protocol/mail/quota.ts';
import type { Ranges } from '../../protocol/mail/ranges.ts';
import type { MessageFacts } from '../../protocol/mime/facts.ts';
import type { KeptHeader } from '../../protocol/mime/kept-header.ts';
import type { CarriedBytes } from '../log/carried.ts';
import type { BlobRef, DeliveryFacts, MailboxRecord, MailboxRole } from '../log/record.ts';

/** A mailbox with what follows from its messages. IMAP counts every membership, JMAP those without `\Deleted`. */
export interface Mailbox extends MailboxRecord {
  /** Next UID to be given (RFC 9051 §2.3.1.1). */
  readonly uidNext: Uid;
  readonly total: number;
  /** Memberships without $seen (RFC 9051 STATUS UNSEEN), `\Deleted` ones included. */
  readonly unseen: number;
  /** Octets of all memberships (RFC 8438). */
  readonly size: number;
  /** Memberships with `\Deleted`, and their octets (RFC 9051 §6.3.11, RFC 9208 DELETED-STORAGE). */
  readonly deleted: number;
  readonly deletedSize: number;
  /** JMAP: memberships without `\Deleted`, and those of them with neither $seen nor $draft (RFC 8621 §2). */
  readonly visible: number;
  readonly unread: number;
  /** RFC 7162: the largest modSeq of a change or removal of a message in this mailbox; its creation's at first. */
  readonly highestModSeq: ModSeq;
  readonly createdModSeq: ModSeq;
  /** Last change of the record itself (name, parent, …), and of record or counts. */
  readonly recordModSeq: ModSeq;
  readonly changedModSeq: ModSeq;
  /** Last change of the \Seen of each account with which it is shared: to that account a change like any other, to everybody else none. */
  readonly seenModSeqs?: Readonly<Record<AccountId, ModSeq>>;
}

export interface Membership {
  readonly mailbox: MailboxNumber;
  readonly uid: Uid;
  readonly email: EmailNumber;
  readonly deleted: boolean;
  /** MODSEQ of RFC 7162: last change of the membership or of the email's keywords. */
  readonly modSeq: ModSeq;
  /** SAVEDATE of RFC 8514, milliseconds since the epoch, whole seconds. */
  readonly savedAt: number;
}

/** What of an email can change, and the numbers that lists and sorts want. */
export interface Email {
  readonly id: EmailNumber;
  readonly thread: ThreadNumber;
  /** Sorted, lower case. Shared: do not modify. */
  readonly keywords: readonly string[];
  /** Equal numbers mean equal keywords: a key for caches of encoded flag lists. */
  readonly keywordSet: number;
  readonly memberships: readonly Membership[];
  /** RFC822.SIZE: octets of the raw message. */
  readonly size: number;
  readonly receivedAt: number;
  /** The Date field, or receivedAt when it has none that can be read. */
  readonly sentAt: number;
  readonly hasAttachment: boolean;
  readonly createdModSeq: ModSeq;
  /** Last change of keywords or mailboxes: what JMAP's Email/changes goes by. */
  readonly modSeq: ModSeq;
}

/** What a mutation changed; what `/changes`, QRESYNC and watchers are told, and nothing else. UIDs and numbers in normal form. */
export interface Effect {
  readonly modSeq: ModSeq;
  /** Time of the commit, milliseconds since the epoch. */
  readonly at: number;
  readonly mailboxes: readonly MailboxEffect[];
  readonly emails: { readonly added: Ranges; readonly changed: Ranges; readonly removed: Ranges };
  readonly threads: { readonly added: Ranges; readonly changed: Ranges; readonly removed: Ranges };
  /** `was`: the value before, of types that say who sees what (`mailboxAcl`), so that what a sharee saw then can be told. */
  readonly objects: readonly {
    readonly type: string;
    readonly id: string;
    readonly how: 'added' | 'changed' | 'removed';
    readonly was?: unknown;
  }[];
  /** Changes of the \Seen of accounts with which mailboxes are shared: news to them only. */
  readonly seen?: readonly SeenEffect[];
}

export interface SeenEffect {
  readonly viewer: AccountId;
  readonly emails: Ranges;
  /** Where these emails are. */
  readonly mailboxes: readonly { readonly mailbox: MailboxNumber; readonly uids: Ranges }[];
}

export interface MailboxEffect {
  readonly mailbox: MailboxNumber;
  /** How the record itself changed, if it did. */
  readonly record?: 'added' | 'changed' | 'removed';
  /** UIDs new in the mailbox, with changed flags (and not new), and gone from it. */
  readonly added: Ranges;
  readonly changed: Ranges;
  readonly removed: Ranges;
  /** Of mailboxes that are or were shared: which emails the removed UIDs were, ascending. */
  readonly left?: readonly LeftRun[];
  /** Of the same: changed UIDs that differ in the owner's `$seen` only, which is nobody else's. */
  readonly ownSeen?: Ranges;
}

/** `count` UIDs, emails and threads on from the first of each. */
export type LeftRun = readonly [uid: number, email: number, thread: number, count: number];

/** One row of a mailbox, as `forEachMembership` visits it. The object is reused from row to row: copy what you keep. */
export interface MembershipRow {
  uid: Uid;
  email: EmailNumber;
  keywordSet: number;
  deleted: boolean;
  modSeq: ModSeq;
  savedAt: number;
  size: number;
  receivedAt: number;
  sentAt: number;
  thread: ThreadNumber;
}

/** What a substring search looks in: the extracted text, or the decoded values of the kept header fields. */
export type SearchField = 'text' | 'header';

/** What one of those with whom mailboxes are shared has seen. For one pass: it is not to be kept beyond the read. */
export interface SeenMarks {
  isSeen(email: EmailNumber): boolean;
  /** Of the last change of it; 0 when there was none. */
  modSeq(email: EmailNumber): ModSeq;
}

/** Lists of objects that the index keeps (object-lists.ts): of submissions that copies are left to hand over of, and of the others. */
export type ObjectList = 'unfinished' | 'finished';

export interface CandidateSet {
  has(email: EmailNumber): boolean;
}

/** Values of FETCH in IMAP's wire form, at their places in `bytes`: the body structure follows the envelope. */
export interface WireForms {
  readonly bytes: Uint8Array;
  readonly envelopeStart: number;
  readonly envelopeEnd: number;
  readonly end: number;
}

export interface AccountReader {
  /** Seq of the applied commit and the account's last modSeq. */
  readonly seq: number;
  readonly modSeq: ModSeq;

  /** All mailboxes, by number. */
  mailboxes(): readonly Mailbox[];
  mailbox(id: MailboxNumber): Mailbox | undefined;
  mailboxByRole(role: MailboxRole): Mailbox | undefined;
  /** By path of names from the root. INBOX (RFC 9051 §5.1) in any case at the first level. */
  mailboxByPath(path: readonly string[]): Mailbox | undefined;
  pathOf(id: MailboxNumber): readonly string[];

  /** The mailbox's UIDs, ascending. A shared snapshot that never changes: keep it, do not modify it. */
  uids(mailbox: MailboxNumber): Uint32Array;
  membership(mailbox: MailboxNumber, uid: Uid): Membership | undefined;
  /** Visits the memberships with first ≤ uid ≤ last in order. Fast: no allocation a row. */
  forEachMembership(mailbox: MailboxNumber, first: number, last: number, visit: (row: MembershipRow) => void): void;
  /** The keywords of a `keywordSet` number: sorted, lower case. */
  keywordsOf(keywordSet: number): readonly string[];
  /** Every keyword that some email of the mailbox has or had. For FLAGS and PERMANENTFLAGS. */
  keywordsIn(mailbox: MailboxNumber): readonly string[];

  email(id: EmailNumber): Email | undefined;
  /** \Seen of an account with which mailboxes are shared. */
  seenMarks(viewer: AccountId): SeenMarks;
  /** All emails' numbers, ascending. */
  emails(): Iterable<EmailNumber>;
  facts(id: EmailNumber): MessageFacts | undefined;
  /** The bytes of `facts.header`, without the cost of the other facts. */
  headerBytes(id: EmailNumber): Uint8Array | undefined;
  /** The kept header and the names of what it leaves out, without the cost of the other facts. The next call overwrites it. */
  keptHeader(id: EmailNumber): KeptHeader | undefined;
  /** ENVELOPE and BODYSTRUCTURE, ready to send. The next call overwrites them. */
  wireForms(id: EmailNumber): WireForms | undefined;
  /** BODY, ready to send. */
  bodyWire(id: EmailNumber): Uint8Array | undefined;
  blob(id: EmailNumber): BlobRef | undefined;
  preview(id: EmailNumber): string | undefined;
  delivery(id: EmailNumber): DeliveryFacts | undefined;
  /** The extracted text, at most 64 KiB; '' when there is none. */
  text(id: EmailNumber): string;
  /** The same in UTF-8; undefined when there is none. The next call overwrites it. */
  textBytes(id: EmailNumber): Buffer | undefined;
  /** Emails of a thread, ascending. */
  thread(id: ThreadNumber): readonly EmailNumber[];
  /** The thread a message belongs to by its Message-ID, References, In-Reply-To and base subject, or undefined for a new one. */
  findThread(facts: MessageFacts): ThreadNumber | undefined;
  /**
   * Emails that may hold `needle` as a substring of the extracted text or of the kept header fields (`facts.header`, decoded), case-folded: a
   * superset, from the trigram index, to be verified. Emails whose facts leave out a field that is no trace field (`isTraceName`) are in it
   * always; trace fields are not looked at. undefined: the index does not narrow it (needle shorter than 3).
   */
  candidates(needle: string, field: SearchField): CandidateSet | undefined;

  /** The email that was taken in under this key within the last 30 days; null when it was taken in and kept nowhere. */
  ingested(key: string): { readonly email: EmailNumber | null } | undefined;

  /** What the account may hold and holds. */
  quota(): Quota;

  object<T>(type: string, id: string): T | undefined;
  /** False where there is no object of the type, which takes no look at the map to say. */
  mayHaveObjects(type: string): boolean;
  objects<T>(type: string): Iterable<{ readonly id: string; readonly value: T; readonly modSeq: ModSeq }>;
  /** Ids of the objects on a list, the oldest first; those from before `until`. The others are not looked at. */
  listed(type: string, list: ObjectList, until?: number): Iterable<string>;

  /** Effects with modSeq > since, ascending; undefined when `since` is older than what is kept (30 days at least) or newer than the account. */
  effectsSince(since: ModSeq): Iterable<Effect> | undefined;
  readonly isClosed: boolean;
}

export interface NewEmail {
  /** Carried bytes get their place in the commit; `blob(id)` of the reader says which. */
  readonly blob: BlobRef | CarriedBytes;
  readonly receivedAt: number;
  readonly keywords: readonly string[];
  readonly mailboxes: readonly MailboxNumber[];
  readonly deleted?: boolean;
  readonly facts: MessageFacts;
  readonly text: string;
  readonly preview: string;
  readonly delivery?: DeliveryFacts;
}

/** Reads what a mutation has done so far and records changes. Every method throws MailError for what cannot be; the mutation then leaves nothing. */
export interface AccountTransactor extends AccountReader {
  /** Told of emails that are there, before they get a place in another mailbox: what is to be learned from a move goes into its commit. */
  onJoin?: ((tx: AccountTransactor, emails: Ranges, mailbox: MailboxNumber) => void) | undefined;
  /** Time of the commit. */
  readonly at: number;
  createMailbox(mailbox: {
    name: string;
    parent: MailboxNumber | null;
    role?: MailboxRole | null;
    subscribed?: boolean;
    order?: number;
  }): Mailbox;
  /** Renames, moves, subscribes …: only what is given changes. */
  updateMailbox(id: MailboxNumber, change: Partial<Pick<MailboxRecord, 'name' | 'parent' | 'role' | 'order' | 'subscribed'>>): Mailbox;
  /** Removes mailbox and memberships. 'mailboxHasChild' when it has children. */
  removeMailbox(id: MailboxNumber): void;
  /** Adds a message; the thread is found or begun, UIDs are given in the order of `mailboxes`. 'overQuota' when it does not fit. */
  addEmail(email: NewEmail): { readonly id: EmailNumber; readonly thread: ThreadNumber; readonly uids: readonly Uid[] };
  /** IMAP COPY of UIDs that exist (others are passed over), 'overQuota' when they do not fit; a second email on the same blob where the target holds it already. */
  copy(from: MailboxNumber, uids: Ranges, to: MailboxNumber): readonly { readonly from: Uid; readonly to: Uid }[];
  /** A second email on the same blob, with these keywords; 'overQuota' when it does not fit. */
  copyAsNew(
    email: EmailNumber,
    to: MailboxNumber,
    flags: { readonly keywords: readonly string[]; readonly deleted: boolean },
  ): { readonly id: EmailNumber; readonly uid: Uid };
  /** IMAP MOVE: copy and removal in one mutation. */
  move(from: MailboxNumber, uids: Ranges, to: MailboxNumber): readonly { readonly from: Uid; readonly to: Uid }[];
  /** Takes UIDs out of a mailbox. Returns those that were there. */
  expunge(mailbox: MailboxNumber, uids: Ranges): Ranges;
  /** JMAP: the mailboxes an email is to be in. At least one; 'overQuota' when it would be in more and that does not fit. */
  setMailboxes(email: EmailNumber, mailboxes: readonly MailboxNumber[]): void;
  destroyEmails(emails: Ranges): void;
  /** Changes keywords of emails that exist. `set` replaces. */
  changeKeywords(emails: Ranges, change: { set?: readonly string[]; add?: readonly string[]; remove?: readonly string[] }): void;
  /** The same by UIDs of a mailbox, and `\Deleted`. */
  changeFlags(
    mailbox: MailboxNumber,
    uids: Ranges,
    change: { set?: readonly string[]; add?: readonly string[]; remove?: readonly string[]; deleted?: boolean },
  ): void;
  /** Sets or clears \Seen of an account with which mailboxes are shared, on emails that exist. */
  changeSeen(viewer: AccountId, emails: Ranges, seen: boolean): void;
  rememberIngest(key: string, email: EmailNumber | null): void;
  putObject(type: string, id: string, value: unknown): void;
  removeObject(type: string, id: string): void;
  close(): void;
}

export type OnJoin = (tx: AccountTransactor, emails: Ranges, mailbox: MailboxNumber, account: AccountId) => void;

/** Bytes uploaded for a mutation, with the store's date of the upload: a commit names only blobs that live or were uploaded within the day. */
export interface Upload {
  readonly ref: BlobRef;
  readonly date: number;
}

/** A message's bytes as `addEmail` takes them: uploaded, or to ride in the commit. Given to `transact` in `uploads` either way. */
export type PreparedBlob = Upload | { readonly ref: CarriedBytes };

/** Watches an account for as long as others use it. */
export interface LooseWatcher {
  /** Asked before the account is put away: whether it is to stay for now. */
  isBusy(): boolean;
  /** It is put away, and the watch has ended. Nothing happens in it before it is opened again. */
  onPutAway(): void;
}

/** Good for as long as anybody holds it, whether its state is in memory or not. */
export interface Account {
  readonly id: AccountId;
  /** Throws StorageError 'unavailable' while the index is made anew. */
  read<T>(fn: (reader: AccountReader) => T): T;
  /**
   * Runs `mutation` and resolves when its commit is in the store. Rejects with the mutation's own error, or with StorageError 'unavailable'
   * when the store cannot be reached (the outcome may then be unknown).
   */
  transact<T>(mutation: (tx: AccountTransactor) => T, options?: { uploads?: readonly PreparedBlob[] }): Promise<T>;
  /**
   * `onEffects` is told after each applied commit, in order; it must not throw and must not wait. `onReset` when the state was made anew from the
   * bucket: it may have moved by more than the effects tell, so that what was known of it is read again. Who watches keeps the account in memory,
   * unless it says by `loose` when it may go.
   */
  watch(onEffects: (effects: readonly Effect[]) => void, onReset?: () => void, loose?: LooseWatcher): Disposable;

  /**
   * For a message to be added: small ones ride in the commit, which saves a request; larger ones are uploaded. `inMutation`: how many messages the
   * mutation adds (default: one), since what rides has to fit into one commit.
   */
  prepareBlob(bytes: Buffer, inMutation?: number): Promise<PreparedBlob>;
  /** Stores bytes as a new object of the account. */
  upload(bytes: Uint8Array): Promise<Upload>;
  /** The same by a copy inside the store: `key` holds exactly the bytes with this hash and length. */
  uploadCopy(key: string, sha256: string, length: number): Promise<Upload>;
  /** The blob's bytes, verified. Served from memory where they were read or written a moment ago. */
  blobBytes(ref: BlobRef): Promise<Buffer>;
}

/** The accounts of this node. The state of an account stays in memory while it is used and for a while after. */
export interface Accounts {
  /** Opens (and, where the index is behind or gone, catches up or rebuilds). The log of an account that was never written is empty. */
  open(id: AccountId): Promise<Account>;
}
