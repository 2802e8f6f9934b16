/**
 * The index as snapshot records and back (docs/FORMAT.md). A snapshot holds what the log would rebuild: counters, mailboxes, emails, texts, state,
 * journal with tombstones and ingest keys, objects. What follows from those (counts, wire forms, threads, UID pages, search) is derived on the
 * way back, by the same functions that apply uses.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { MessageFacts } from '../../protocol/mime/facts.ts';
import type { PartSource, Position, RestoredPart, StateView } from '../log/machine.ts';
import type { BlobRef, DeliveryFacts, MailboxRecord } from '../log/record.ts';
import { EmailPage, emailPageOf, emailSlotOf, emailsPerPage, hasAttachmentBit, moreBit } from './email-page.ts';
import { headerOf, putDerivedRows } from './email-rows.ts';
import {
  dirtyKey,
  emailPageKey,
  factsKey,
  ingestKey,
  journalKey,
  layoutVersion,
  mailboxKey,
  moreKey,
  objectKey,
  readU32,
  seenPageKey,
  textKey,
  textOfKey,
  threadKey,
  tombstoneKey,
  uidPageKey,
} from './keyspace.ts';
import { endOf, type Kv, type KvReader } from './kv.ts';
import { countMembership, emptyCounts, type MailboxCounts } from './mailbox-counts.ts';
import { relist } from './object-lists.ts';
import { placesOf } from './places.ts';
import { marksOn } from './seen-marks.ts';
import { SeenPage } from './seen-page.ts';
import { objectRanges, rangeOfEmail, rangeOfJournal, rangeOfObject, rangeOfState } from './snapshot-ranges.ts';
import { type IngestRow, type JournalRow, type Meta, type MutableMailbox, type TombstoneRow, tables } from './tables.ts';
import { deletedBit, UidPage, uidPageOf, uidSlotOf } from './uid-page.ts';
import { AppliedState, Layer, View } from './view.ts';

/** Kind `meta`: one line of counters, then one a mailbox. */
type MetaRecord = Pick<Meta, 'modSeq' | 'nextMailbox' | 'nextEmail' | 'nextThread' | 'uidValidity' | 'journalFloor' | 'isClosed'>;

interface MailboxSnapshot extends MailboxRecord {
  readonly uidNext: number;
  readonly highestModSeq: number;
  readonly createdModSeq: number;
  readonly recordModSeq: number;
  readonly changedModSeq: number;
  /** By account: only of a mailbox that others have marked messages in. */
  readonly seenModSeqs?: Readonly<Record<string, number>>;
}

/** Kind `email`: what never changes. */
interface EmailSnapshot {
  readonly id: number;
  readonly thread: number;
  readonly blob: BlobRef;
  readonly receivedAt: number;
  readonly createdModSeq: number;
  readonly preview: string;
  readonly delivery?: DeliveryFacts;
  readonly facts: MessageFacts;
}

/** Kind `text`. */
type TextSnapshot = readonly [id: number, text: string];

/** Kind `state`: keywords, their modSeq, JMAP's modSeq, and places as [mailbox, uid, modSeq, savedAt in seconds, 1 when `\Deleted`], what others have seen. */
interface StateSnapshot {
  readonly id: number;
  readonly thread: number;
  readonly keywords: readonly string[];
  readonly keywordModSeq: number;
  readonly modSeq: number;
  readonly in: readonly (readonly [mailbox: number, uid: number, modSeq: number, savedAt: number, deleted: 0 | 1])[];
  readonly seen?: readonly (readonly [viewer: string, modSeq: number, seen: 0 | 1])[];
}

/** Kind `journal`: an effect with the tombstones and ingest keys that end with it. */
interface JournalSnapshot {
  readonly effect: JournalRow;
  readonly tombstones: readonly (readonly [email: number, blob: BlobRef])[];
  readonly ingest: readonly (readonly [key: string, email: number | null])[];
}

/** Kind `object`. */
interface ObjectSnapshot {
  readonly type: string;
  readonly id: string;
  readonly value: unknown;
  readonly createdModSeq: number;
  readonly modSeq: number;
}

/** The applied state, frozen until it is released. */
export function snapshotView(kv: Kv): StateView {
  const snapshot = kv.snapshot();
  // A state of its own on the frozen map: what is cached for serving moves on with the commits.
  const view = new View(new AppliedState({ ...readerOf(snapshot), write: refuse, clear: refuse, snapshot: refuse }));
  const meta = view.meta();
  return {
    position: { seq: meta.seq, hash: meta.hash, at: meta.at },
    parts: () => partsOf(view, snapshot),
    blobs: () => blobsOf(snapshot),
    release: () => snapshot.release(),
  };
}

function readerOf(reader: KvReader): KvReader {
  return {
    get: (key) => reader.get(key),
    readInto: (key, into) => reader.readInto(key, into),
    range: (start, end, options) => reader.range(start, end, options),
    isEmpty: (start, end) => reader.isEmpty(start, end),
  };
}

function refuse(): never {
  throw new StorageError('corrupt', 'a view of the index is read only');
}

function* partsOf(view: View, kv: KvReader): Generator<PartSource> {
  const meta = view.meta();
  const source = (kind: string, range: number, lines: () => unknown[]): PartSource => ({
    kind,
    range,
    changedAt: readDirty(kv, kind, range),
    lines: () => lines().map((line) => JSON.stringify(line)),
  });
  yield source('meta', 0, () => metaLines(view));
  const pages = view.emailPageNumbers();
  const pagesIn = (emails: number) => (range: number) => pages.filter((page) => Math.floor((page * emailsPerPage) / emails) === range);
  for (const range of rangesOfPages(pages, rangeOfEmail)) {
    yield source('email', range, () => emailLines(view, pagesIn(256)(range)));
    yield source('text', range, () => textLines(view, pagesIn(256)(range)));
  }
  for (const range of rangesOfPages(pages, rangeOfState)) yield source('state', range, () => stateLines(view, pagesIn(4096)(range)));
  for (
    let range = rangeOfJournal(meta.journalFloor + 1);
    meta.modSeq > meta.journalFloor && range <= rangeOfJournal(meta.modSeq);
    range += 1
  ) {
    yield source('journal', range, () => journalLines(view, range));
  }
  for (let range = 0; range < objectRanges; range += 1) {
    if (readDirty(kv, 'object', range) > 0) yield source('object', range, () => objectLines(view, range));
  }
}

function readDirty(kv: KvReader, kind: string, range: number): number {
  const row = kv.get(dirtyKey(kind, range));
  return row === undefined ? 0 : tables.dirty.decode(row);
}

function rangesOfPages(pages: readonly number[], rangeOf: (email: number) => number): Set<number> {
  return new Set(pages.map((page) => rangeOf(page * emailsPerPage)));
}

function metaLines(view: View): unknown[] {
  const { modSeq, nextMailbox, nextEmail, nextThread, uidValidity, journalFloor, isClosed } = view.meta();
  const record: MetaRecord = { modSeq, nextMailbox, nextEmail, nextThread, uidValidity, journalFloor, isClosed };
  const mailboxes = view.mailboxNumbers().map((number): MailboxSnapshot => {
    const { id, name, parent, role, order, subscribed, uidValidity, uidNext, ...numbers } = view.mailbox(number)!;
    const { highestModSeq, createdModSeq, recordModSeq, changedModSeq, seenModSeqs } = numbers;
    return {
      ...{ id, name, parent, role, order, subscribed, uidValidity, uidNext, highestModSeq, createdModSeq, recordModSeq, changedModSeq },
      ...(seenModSeqs === undefined ? {} : { seenModSeqs }),
    };
  });
  return [record, ...mailboxes];
}

function* slotsOf(view: View, pages: readonly number[]): Generator<{ id: number; page: EmailPage; slot: number }> {
  for (const number of pages) {
    const page = view.get(tables.emailPages, emailPageKey(number))!;
    for (let slot = 0; slot < emailsPerPage; slot += 1)
      if (page.mailbox[slot] !== 0) yield { id: number * emailsPerPage + slot, page, slot };
  }
}

function emailLines(view: View, pages: readonly number[]): EmailSnapshot[] {
  return Array.from(slotsOf(view, pages), ({ id, page, slot }) => {
    const { facts, blob, preview, delivery } = view.get(tables.facts, factsKey(id))!;
    return {
      id,
      thread: page.thread[slot]!,
      blob,
      receivedAt: page.receivedAt[slot]!,
      createdModSeq: page.createdModSeq[slot]!,
      preview,
      delivery,
      facts: { ...facts, header: headerOf(view, id) },
    };
  });
}

function textLines(view: View, pages: readonly number[]): TextSnapshot[] {
  const lines: TextSnapshot[] = [];
  for (const { id } of slotsOf(view, pages)) {
    const text = view.get(tables.texts, textKey(id));
    if (text !== undefined) lines.push([id, text.toString('utf8')]);
  }
  return lines;
}

function stateLines(view: View, pages: readonly number[]): StateSnapshot[] {
  return Array.from(slotsOf(view, pages), ({ id, page, slot }) => ({
    id,
    thread: page.thread[slot]!,
    keywords: view.state.keywordSets.of(page.keywordSet[slot]!).keywords,
    keywordModSeq: page.keywordModSeq[slot]!,
    modSeq: page.modSeq[slot]!,
    in: placesOf(view, page, id).map(({ mailbox, uid }) => {
      const uids = view.get(tables.uidPages, uidPageKey(mailbox, uidPageOf(uid)))!;
      const at = uidSlotOf(uid);
      return [mailbox, uid, uids.modSeq[at]!, uids.savedAt[at]!, (uids.bits[at]! & deletedBit) === 0 ? 0 : 1] as const;
    }),
    ...seenOf(view, id),
  }));
}

function seenOf(view: View, email: number): Pick<StateSnapshot, 'seen'> {
  const marks = marksOn(view, email);
  if (marks.length === 0) return {};
  return { seen: marks.map(({ viewer, modSeq, isSeen }) => [viewer, modSeq, isSeen ? 1 : 0] as const) };
}

function journalLines(view: View, range: number): JournalSnapshot[] {
  return Array.from(view.range(tables.journal, journalKey(range * 4096), journalKey((range + 1) * 4096)), ({ value }) => {
    const tombstones: [number, BlobRef][] = [];
    for (const [first, last] of value.emails.removed) {
      for (let email = first; email <= last; email += 1) tombstones.push([email, view.get(tables.tombstones, tombstoneKey(email))!.blob]);
    }
    const ingest = (value.ingest ?? []).flatMap((key): [string, number | null][] => {
      const row = view.get(tables.ingest, ingestKey(key));
      return row?.modSeq === value.modSeq ? [[key, row.email]] : [];
    });
    return { effect: value, tombstones, ingest };
  });
}

function objectLines(view: View, range: number): ObjectSnapshot[] {
  const lines: ObjectSnapshot[] = [];
  for (const { key, value } of view.range(tables.objects, 'O', endOf('O'))) {
    if (rangeOfObject(key) !== range) continue;
    const [type, id] = key.slice(1).split('\0') as [string, string];
    lines.push({ type: textOfKey(type), id: textOfKey(id), ...value });
  }
  return lines;
}

function* blobsOf(kv: KvReader): Generator<BlobRef> {
  for (const { value } of kv.range('F', endOf('F'))) yield tables.facts.decode(value).blob;
  for (const { value } of kv.range('G', endOf('G'))) yield tables.tombstones.decode(value).blob;
  // Uploads that no message names yet, submissions, scripts.
  for (const { value } of kv.range('O', endOf('O'))) yield* blobsIn(tables.objects.decode(value).value);
}

/** References to blobs, wherever in an object they stand. */
function* blobsIn(value: unknown): Generator<BlobRef> {
  if (typeof value !== 'object' || value === null) return;
  const { object, offset, length, sha256 } = value as Partial<BlobRef>;
  const isRef = typeof object === 'string' && typeof offset === 'number' && typeof length === 'number' && typeof sha256 === 'string';
  if (isRef) yield value as BlobRef;
  else for (const member of Object.values(value)) yield* blobsIn(member);
}

/** Rebuilds the rows from parts in any order; finish() writes what needs all of them, last of all the position. */
export class SnapshotRestorer {
  private readonly state: AppliedState;
  private readonly emailPages = new Map<number, EmailPage>();
  private readonly uidPages = new Map<string, UidPage>();
  private readonly threads = new Map<number, number[]>();
  private readonly seenPages = new Map<string, SeenPage>();
  private readonly mailboxes: MailboxSnapshot[] = [];
  private meta: MetaRecord | undefined;

  constructor(state: AppliedState) {
    this.state = state;
  }

  restore({ kind, range, lines }: RestoredPart): void {
    const layer = new Layer();
    const view = new View(this.state, [layer]);
    switch (kind) {
      case 'meta':
        this.meta = lines[0] as MetaRecord;
        this.mailboxes.push(...(lines.slice(1) as MailboxSnapshot[]));
        break;
      case 'email':
        for (const line of lines as EmailSnapshot[]) this.restoreEmail(view, line);
        break;
      case 'text':
        for (const [id, text] of lines as TextSnapshot[]) view.put(tables.texts, textKey(id), Buffer.from(text, 'utf8'));
        break;
      case 'state':
        for (const line of lines as StateSnapshot[]) this.restoreState(view, line);
        break;
      case 'journal':
        for (const line of lines as JournalSnapshot[]) restoreJournal(view, line);
        break;
      case 'object':
        for (const { type, id, value, createdModSeq, modSeq } of lines as ObjectSnapshot[]) {
          view.put(tables.objects, objectKey(type, id), { value, createdModSeq, modSeq } as never);
          relist(view, type, id, undefined, value);
        }
        break;
      default:
        throw new StorageError('corrupt', `the snapshot has a part of unknown kind ${kind}`);
    }
    layer.rowsOf(tables.dirty).set(dirtyKey(kind, range), 1);
    this.state.kv.write([...layer.writes()]);
  }

  private page(email: number): EmailPage {
    const number = emailPageOf(email);
    let page = this.emailPages.get(number);
    if (page === undefined) this.emailPages.set(number, (page = EmailPage.empty()));
    return page;
  }

  private restoreEmail(view: View, { id, thread, blob, receivedAt, createdModSeq, preview, delivery, facts }: EmailSnapshot): void {
    // The text comes by its own part.
    putDerivedRows(view, id, thread, { facts, blob, preview, delivery }, '');
    const page = this.page(id);
    const slot = emailSlotOf(id);
    page.receivedAt[slot] = receivedAt;
    page.sentAt[slot] = facts.sentAt ?? receivedAt;
    page.createdModSeq[slot] = createdModSeq;
    page.size[slot] = blob.length;
    if (facts.hasAttachment) page.bits[slot]! |= hasAttachmentBit;
  }

  private restoreState(view: View, line: StateSnapshot): void {
    const page = this.page(line.id);
    const slot = emailSlotOf(line.id);
    page.thread[slot] = line.thread;
    page.keywordSet[slot] = this.state.keywordSets.intern(line.keywords).number;
    page.keywordModSeq[slot] = line.keywordModSeq;
    page.modSeq[slot] = line.modSeq;
    const [first, ...others] = line.in;
    page.mailbox[slot] = first![0];
    page.uid[slot] = first![1];
    if (others.length > 0) {
      page.bits[slot]! |= moreBit;
      view.put(
        tables.more,
        moreKey(line.id),
        others.map(([mailbox, uid]) => ({ mailbox, uid })),
      );
    }
    for (const [mailbox, uid, modSeq, savedAt, deleted] of line.in) {
      const key = uidPageKey(mailbox, uidPageOf(uid));
      let uids = this.uidPages.get(key);
      if (uids === undefined) this.uidPages.set(key, (uids = UidPage.empty()));
      const at = uidSlotOf(uid);
      uids.modSeq[at] = modSeq;
      uids.email[at] = line.id;
      uids.savedAt[at] = savedAt;
      uids.bits[at] = deleted;
    }
    for (const [viewer, modSeq, isSeen] of line.seen ?? []) {
      const key = seenPageKey(emailPageOf(line.id), viewer);
      const seen = this.seenPages.get(key) ?? SeenPage.empty();
      this.seenPages.set(key, seen);
      seen.modSeq[slot] = modSeq;
      seen.isSeen[slot] = isSeen;
    }
    const members = this.threads.get(line.thread);
    if (members === undefined) this.threads.set(line.thread, [line.id]);
    else members.push(line.id);
  }

  finish({ seq, hash, at }: Position): void {
    if (this.meta === undefined) throw new StorageError('corrupt', 'the snapshot has no part of kind meta');
    const layer = new Layer();
    const view = new View(this.state, [layer]);
    for (const [number, page] of this.emailPages) view.put(tables.emailPages, emailPageKey(number), page);
    for (const [key, page] of this.uidPages) view.put(tables.uidPages, key, page);
    for (const [key, page] of this.seenPages) view.put(tables.seenPages, key, page);
    for (const [thread, members] of this.threads)
      view.put(
        tables.threads,
        threadKey(thread),
        members.sort((a, b) => a - b),
      );
    const counts = this.count();
    for (const mailbox of this.mailboxes) {
      view.put(tables.mailboxes, mailboxKey(mailbox.id), { ...mailbox, ...(counts.get(mailbox.id) ?? emptyCounts) } as MutableMailbox);
    }
    const viewers = this.seenPages.size > 0 ? { hasViewers: true } : {};
    view.put(tables.meta, 'M', { layout: layoutVersion, seq, hash, at, ...this.meta, ...viewers });
    // Parts restored from a snapshot are as old as it: the next one reuses them.
    this.state.write(layer);
  }

  /** The counts of each mailbox, which follow from the memberships. */
  private count(): Map<number, MailboxCounts> {
    const counts = new Map<number, MailboxCounts>();
    for (const [key, uids] of this.uidPages) {
      const mailbox = readU32(key, 1);
      const own = counts.get(mailbox) ?? { ...emptyCounts };
      counts.set(mailbox, own);
      for (const [at, email] of uids.email.entries()) {
        if (email === 0) continue;
        const page = this.page(email);
        const slot = emailSlotOf(email);
        const { isSeen, isDraft } = this.state.keywordSets.of(page.keywordSet[slot]!);
        countMembership(own, 1, { size: page.size[slot]!, isSeen, isDraft, isDeleted: (uids.bits[at]! & deletedBit) !== 0 });
      }
    }
    return counts;
  }
}

function restoreJournal(view: View, { effect, tombstones, ingest }: JournalSnapshot): void {
  view.put(tables.journal, journalKey(effect.modSeq), effect);
  for (const [email, blob] of tombstones) view.put(tables.tombstones, tombstoneKey(email), { blob, modSeq: effect.modSeq } as TombstoneRow);
  for (const [key, email] of ingest) view.put(tables.ingest, ingestKey(key), { email, modSeq: effect.modSeq } as IngestRow);
}
