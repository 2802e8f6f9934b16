/**
 * Reads of one account's index: on the applied state for everybody, on the layers of a commit in the making for a mutation (transactor.ts).
 * Lists are read by page; what is asked for again and again (UIDs and keywords of a mailbox) is remembered until the mailbox changes.
 */
import type { AccountId, EmailNumber, MailboxNumber, ModSeq, ThreadNumber, Uid } from '../../protocol/mail/ids.ts';
import { type Quota, usageOf } from '../../protocol/mail/quota.ts';
import type { Range } from '../../protocol/mail/ranges.ts';
import { encodeBody, type MessageFacts } from '../../protocol/mime/facts.ts';
import { KeptHeader } from '../../protocol/mime/kept-header.ts';
import type {
  AccountReader,
  CandidateSet,
  Effect,
  Email,
  Mailbox,
  MailboxEffect,
  Membership,
  MembershipRow,
  ObjectList,
  SearchField,
  SeenMarks,
  WireForms,
} from '../account/api.ts';
import type { BlobRef, DeliveryFacts, MailboxRole } from '../log/record.ts';
import { type EmailPage, emailPageOf, emailSlotOf, emailsPerPage, hasAttachmentBit } from './email-page.ts';
import { threadKeysOf } from './email-rows.ts';
import {
  emailPageKey,
  factsKey,
  headerKey,
  ingestKey,
  journalKey,
  objectKey,
  objectPrefix,
  readU32,
  textKey,
  textOfKey,
  threadKey,
  uidPageKey,
  wireKey,
} from './keyspace.ts';
import { endOf } from './kv.ts';
import { threadRowsMax } from './limits.ts';
import { idOfListed, listEnd, listPrefix } from './object-lists.ts';
import { placesOf } from './places.ts';
import { ViewerMarks } from './seen-marks.ts';
import { type FactsRow, type JournalRow, tables, wireEnvelopeStart } from './tables.ts';
import { searchCandidates } from './trigrams.ts';
import { deletedBit, uidPageOf, uidSlotOf, uidsPerPage } from './uid-page.ts';
import { insertionPoint, type View } from './view.ts';

/** What is remembered of a mailbox, by the modSeq it was read at. */
interface Remembered<T> {
  readonly modSeq: number;
  readonly value: T;
}

/** Mutations that are gone through to carry on what is remembered of a mailbox. */
const newsMax = 64;
const empty = Buffer.alloc(0);
const everyUid: Range = [1, 0xffffffff];

export class ReaderCache {
  readonly uids = new Map<number, Remembered<Uint32Array>>();
  readonly keywords = new Map<number, Remembered<readonly string[]>>();
}

export class IndexReader implements AccountReader {
  protected readonly view: View;
  /** Absent on a mutation's reader: its state is nobody else's. */
  private readonly cache: ReaderCache | undefined;
  private readonly kept = new KeptHeader();
  private readonly textRow = { bytes: empty };
  private lastFacts: { readonly id: EmailNumber; readonly seq: number; readonly row: FactsRow } | undefined;
  private readonly lastWire = {
    id: undefined as EmailNumber | undefined,
    seq: 0,
    bytes: empty,
    envelopeStart: wireEnvelopeStart,
    envelopeEnd: 0,
    end: 0,
  };

  constructor(view: View, cache?: ReaderCache) {
    this.view = view;
    this.cache = cache;
  }

  get seq(): number {
    return this.view.meta().seq;
  }

  get modSeq(): ModSeq {
    return this.view.meta().modSeq as ModSeq;
  }

  get isClosed(): boolean {
    return this.view.meta().isClosed;
  }

  mailboxes(): readonly Mailbox[] {
    return this.view.mailboxNumbers().map((number) => this.view.mailbox(number)!);
  }

  mailbox(id: MailboxNumber): Mailbox | undefined {
    return this.view.mailbox(id);
  }

  mailboxByRole(role: MailboxRole): Mailbox | undefined {
    for (const number of this.view.mailboxNumbers()) {
      const mailbox = this.view.mailbox(number)!;
      if (mailbox.role === role) return mailbox;
    }
    return undefined;
  }

  mailboxByPath(path: readonly string[]): Mailbox | undefined {
    let parent: Mailbox | undefined;
    for (const [level, name] of path.entries()) {
      const isInbox = level === 0 && name.toUpperCase() === 'INBOX';
      const parentId = parent?.id ?? null;
      parent = this.mailboxes().find(
        (mailbox) =>
          mailbox.parent === parentId && (isInbox ? mailbox.role === 'inbox' : mailbox.name === name && mailbox.role !== 'inbox'),
      );
      if (parent === undefined) return undefined;
    }
    return parent;
  }

  pathOf(id: MailboxNumber): readonly string[] {
    const path: string[] = [];
    for (
      let mailbox = this.mailbox(id);
      mailbox !== undefined;
      mailbox = mailbox.parent === null ? undefined : this.mailbox(mailbox.parent)
    ) {
      path.unshift(mailbox.role === 'inbox' && mailbox.parent === null ? 'INBOX' : mailbox.name);
    }
    return path;
  }

  uids(mailbox: MailboxNumber): Uint32Array {
    const modSeq = this.view.mailbox(mailbox)?.highestModSeq ?? 0;
    const known = this.cache?.uids.get(mailbox);
    if (known?.modSeq === modSeq) return known.value;
    // Flag changes raise the modSeq too; the same list stays shared then.
    const news = known && this.newsSince(mailbox, known.modSeq);
    const isSame = known !== undefined && news?.every(({ added, removed }) => added.length === 0 && removed.length === 0) === true;
    const uids = isSame ? known.value : this.readUids(mailbox);
    const value = known !== undefined && !isSame && sameNumbers(known.value, uids) ? known.value : uids;
    this.cache?.uids.set(mailbox, { modSeq, value });
    return value;
  }

  /** What came to a mailbox after that; undefined where that is not known, or so much that the mailbox itself is read as fast. */
  private newsSince(mailbox: MailboxNumber, since: number): readonly MailboxEffect[] | undefined {
    const effects = this.modSeq - since > newsMax ? undefined : this.effectsSince(since as ModSeq);
    if (effects === undefined) return undefined;
    const news = Array.from(effects).flatMap(({ mailboxes }) => mailboxes.filter((effect) => effect.mailbox === mailbox));
    return news.some(({ record }) => record === 'added' || record === 'removed') ? undefined : news;
  }

  private readUids(mailbox: MailboxNumber): Uint32Array {
    const uids = new Uint32Array(this.view.mailbox(mailbox)?.total ?? 0);
    let count = 0;
    for (const number of this.view.uidPageNumbers(mailbox)) {
      const { email } = this.view.get(tables.uidPages, uidPageKey(mailbox, number))!;
      const first = number * uidsPerPage;
      for (let slot = 0; slot < uidsPerPage; slot += 1) if (email[slot] !== 0) uids[count++] = first + slot;
    }
    return uids;
  }

  membership(mailbox: MailboxNumber, uid: Uid): Membership | undefined {
    const page = this.view.get(tables.uidPages, uidPageKey(mailbox, uidPageOf(uid)));
    const slot = uidSlotOf(uid);
    const email = page?.email[slot] ?? 0;
    if (page === undefined || email === 0) return undefined;
    const emailPage = this.emailPage(email);
    return {
      mailbox,
      uid,
      email: email as EmailNumber,
      deleted: (page.bits[slot]! & deletedBit) !== 0,
      modSeq: Math.max(page.modSeq[slot]!, emailPage?.keywordModSeq[emailSlotOf(email)] ?? 0) as ModSeq,
      savedAt: page.savedAt[slot]! * 1000,
    };
  }

  forEachMembership(mailbox: MailboxNumber, first: number, last: number, visit: (row: MembershipRow) => void): void {
    const row = {} as MembershipRow;
    let emailPage: EmailPage | undefined;
    let emailPageNumber = -1;
    const pages = this.view.uidPageNumbers(mailbox);
    for (let at = insertionPoint(pages, uidPageOf(Math.max(first, 1))); at < pages.length; at += 1) {
      const number = pages[at]!;
      const firstUid = number * uidsPerPage;
      if (firstUid > last) return;
      const page = this.view.get(tables.uidPages, uidPageKey(mailbox, number))!;
      const lastSlot = Math.min(uidsPerPage - 1, last - firstUid);
      for (let slot = Math.max(0, first - firstUid); slot <= lastSlot; slot += 1) {
        const email = page.email[slot]!;
        if (email === 0) continue;
        if (emailPageOf(email) !== emailPageNumber) {
          emailPageNumber = emailPageOf(email);
          emailPage = this.emailPage(email)!;
        }
        const at = emailSlotOf(email);
        row.uid = (firstUid + slot) as Uid;
        row.email = email as EmailNumber;
        row.keywordSet = emailPage!.keywordSet[at]!;
        row.deleted = (page.bits[slot]! & deletedBit) !== 0;
        row.modSeq = Math.max(page.modSeq[slot]!, emailPage!.keywordModSeq[at]!) as ModSeq;
        row.savedAt = page.savedAt[slot]! * 1000;
        row.size = emailPage!.size[at]!;
        row.receivedAt = emailPage!.receivedAt[at]!;
        row.sentAt = emailPage!.sentAt[at]!;
        row.thread = emailPage!.thread[at]! as ThreadNumber;
        visit(row);
      }
    }
  }

  keywordsOf(keywordSet: number): readonly string[] {
    return this.view.state.keywordSets.of(keywordSet).keywords;
  }

  keywordsIn(mailbox: MailboxNumber): readonly string[] {
    const modSeq = this.view.mailbox(mailbox)?.highestModSeq ?? 0;
    const known = this.cache?.keywords.get(mailbox);
    if (known?.modSeq === modSeq) return known.value;
    const sets = new Set<number>();
    const news = known && this.newsSince(mailbox, known.modSeq);
    for (const [first, last] of news?.flatMap(({ added, changed }) => [...added, ...changed]) ?? [everyUid])
      this.forEachMembership(mailbox, first, last, (row) => sets.add(row.keywordSet));
    const keywords = new Set(known?.value);
    for (const set of sets) for (const keyword of this.keywordsOf(set)) keywords.add(keyword);
    const value = [...keywords].sort();
    this.cache?.keywords.set(mailbox, { modSeq, value });
    return value;
  }

  email(id: EmailNumber): Email | undefined {
    const page = this.emailPage(id);
    const slot = emailSlotOf(id);
    if (page === undefined || page.mailbox[slot] === 0) return undefined;
    const keywordSet = page.keywordSet[slot]!;
    return {
      id,
      thread: page.thread[slot]! as ThreadNumber,
      keywords: this.keywordsOf(keywordSet),
      keywordSet,
      memberships: placesOf(this.view, page, id).map(({ mailbox, uid }) => this.membership(mailbox as MailboxNumber, uid as Uid)!),
      size: page.size[slot]!,
      receivedAt: page.receivedAt[slot]!,
      sentAt: page.sentAt[slot]!,
      hasAttachment: (page.bits[slot]! & hasAttachmentBit) !== 0,
      createdModSeq: page.createdModSeq[slot]! as ModSeq,
      modSeq: page.modSeq[slot]! as ModSeq,
    };
  }

  seenMarks(viewer: AccountId): SeenMarks {
    return new ViewerMarks(this.view, viewer);
  }

  *emails(): Iterable<EmailNumber> {
    for (const number of this.view.emailPageNumbers()) {
      const { mailbox } = this.view.get(tables.emailPages, emailPageKey(number))!;
      for (let slot = 0; slot < emailsPerPage; slot += 1) if (mailbox[slot] !== 0) yield (number * emailsPerPage + slot) as EmailNumber;
    }
  }

  /** Whoever asks for one part of it mostly asks for others next. It never changes, but a mutation may have removed it a moment ago. */
  private factsRow(id: EmailNumber): FactsRow | undefined {
    if (this.view.layers.length > 0) return this.view.get(tables.facts, factsKey(id));
    const { seq } = this.view.meta();
    if (this.lastFacts?.id !== id || this.lastFacts.seq !== seq) {
      const row = this.view.get(tables.facts, factsKey(id));
      this.lastFacts = row === undefined ? undefined : { id, seq, row };
    }
    return this.lastFacts?.row;
  }

  facts(id: EmailNumber): MessageFacts | undefined {
    const row = this.factsRow(id);
    if (row === undefined) return undefined;
    return { ...row.facts, header: this.keptHeader(id)?.text ?? '' };
  }

  wireForms(id: EmailNumber): WireForms | undefined {
    const { seq } = this.view.meta();
    const last = this.lastWire;
    // Both forms are asked for one after the other.
    if (last.id === id && last.seq === seq) return last;
    const end = this.view.readInto(tables.wire, wireKey(id), last);
    last.id = end < 0 ? undefined : id;
    if (end < 0) return undefined;
    last.seq = seq;
    last.envelopeEnd = wireEnvelopeStart + last.bytes.readUInt32LE(0);
    last.end = end;
    return last;
  }

  bodyWire(id: EmailNumber): Uint8Array | undefined {
    const row = this.factsRow(id);
    return row === undefined ? undefined : encodeBody(row.facts);
  }

  headerBytes(id: EmailNumber): Uint8Array | undefined {
    const kept = this.keptHeader(id);
    return kept === undefined ? undefined : Buffer.from(kept.bytes.subarray(kept.start, kept.end));
  }

  keptHeader(id: EmailNumber): KeptHeader | undefined {
    const length = this.view.readInto(tables.headers, headerKey(id), this.kept);
    return length < 0 ? undefined : this.kept.open(length);
  }

  blob(id: EmailNumber): BlobRef | undefined {
    return this.factsRow(id)?.blob;
  }

  preview(id: EmailNumber): string | undefined {
    return this.factsRow(id)?.preview;
  }

  delivery(id: EmailNumber): DeliveryFacts | undefined {
    return this.factsRow(id)?.delivery;
  }

  text(id: EmailNumber): string {
    return this.view.get(tables.texts, textKey(id))?.toString('utf8') ?? '';
  }

  textBytes(id: EmailNumber): Buffer | undefined {
    const length = this.view.readInto(tables.texts, textKey(id), this.textRow);
    return length < 0 ? undefined : this.textRow.bytes.subarray(0, length);
  }

  thread(id: ThreadNumber): readonly EmailNumber[] {
    return (this.view.get(tables.threads, threadKey(id)) ?? []) as EmailNumber[];
  }

  findThread(facts: MessageFacts): ThreadNumber | undefined {
    const { hashes, subjectHash } = threadKeysOf(facts);
    let newest = -1;
    let thread: number | undefined;
    for (const hash of hashes) {
      const [start, end] = [`I${hash}`, endOf(`I${hash}`)];
      // A message's own id is new, but for mail that came here twice or after its answer.
      if (this.view.isEmpty(tables.messageIds, start, end)) continue;
      let left = threadRowsMax;
      for (const { key, value } of this.view.range(tables.messageIds, start, end)) {
        if (left === 0) break;
        left -= 1;
        if (value.subjectHash !== subjectHash) continue;
        // What shares an id and the subject shares the thread: the first row answers for this id, however long the thread is.
        const email = readU32(key, 9);
        if (email > newest) {
          newest = email;
          thread = value.thread;
        }
        break;
      }
    }
    return thread as ThreadNumber | undefined;
  }

  candidates(needle: string, field: SearchField): CandidateSet | undefined {
    return searchCandidates(this.view.state.kv, needle, field);
  }

  ingested(key: string): { readonly email: EmailNumber | null } | undefined {
    const row = this.view.get(tables.ingest, ingestKey(key));
    return row === undefined ? undefined : { email: row.email as EmailNumber | null };
  }

  quota(): Quota {
    return { limits: this.view.state.quotaLimits, usage: usageOf(this.mailboxes()) };
  }

  object<T>(type: string, id: string): T | undefined {
    return this.view.object(objectPrefix(type), objectKey(type, id))?.value as T | undefined;
  }

  mayHaveObjects(type: string): boolean {
    return this.view.mayHaveObjects(objectPrefix(type));
  }

  *objects<T>(type: string): Iterable<{ id: string; value: T; modSeq: ModSeq }> {
    const prefix = objectPrefix(type);
    for (const { key, value } of this.view.objects(prefix)) {
      yield { id: textOfKey(key.slice(prefix.length)), value: value.value as T, modSeq: value.modSeq };
    }
  }

  *listed(type: string, list: ObjectList, until?: number): Iterable<string> {
    const end = until === undefined ? endOf(listPrefix(type, list)) : listEnd(type, list, until);
    for (const { key } of this.view.range(tables.listed, listPrefix(type, list), end)) yield idOfListed(key, type, list);
  }

  effectsSince(since: ModSeq): Iterable<Effect> | undefined {
    const { journalFloor, modSeq } = this.view.meta();
    if (since < journalFloor || since > modSeq) return undefined;
    return effectsOf(this.view.range(tables.journal, journalKey(since + 1), endOf('J')));
  }

  private emailPage(email: number): EmailPage | undefined {
    return this.view.get(tables.emailPages, emailPageKey(emailPageOf(email)));
  }
}

function* effectsOf(rows: Iterable<{ value: JournalRow }>): Generator<Effect> {
  for (const { value } of rows) yield value;
}

function sameNumbers(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((number, at) => number === b[at]);
}
