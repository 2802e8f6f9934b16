/**
 * What the log's changes do to the index. One code for a fresh mutation, for catching up and for a rebuild: live is replay. It is deterministic:
 * every assigned value comes with the change. A change that leaves everything as it was reports false and is not written.
 *
 * Counters of mailboxes follow each membership; the journal row, modSeqs of mailboxes and the marks for snapshots are written once, by finish().
 */

import { mailboxAclType } from '../../protocol/mail/acl.ts';
import { assertNever, StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId, EmailNumber, MailboxNumber, ModSeq, ThreadNumber, Uid } from '../../protocol/mail/ids.ts';
import { eachOf, type Ranges } from '../../protocol/mail/ranges.ts';
import type { Effect } from '../account/api.ts';
import type { Change, EmailAdd, MailboxRecord, MembershipRecord } from '../log/record.ts';
import { EffectBuilder } from './effect-builder.ts';
import { EmailPage, emailPageOf, emailSlotOf, hasAttachmentBit, moreBit } from './email-page.ts';
import { headerOf, putDerivedRows, removeDerivedRows } from './email-rows.ts';
import {
  dirtyKey,
  emailPageKey,
  factsKey,
  ingestKey,
  journalKey,
  mailboxKey,
  moreKey,
  objectKey,
  textKey,
  threadKey,
  tombstoneKey,
  uidPageKey,
} from './keyspace.ts';
import type { KeywordChange } from './keyword-sets.ts';
import { type Counted, countMembership, emptyCounts } from './mailbox-counts.ts';
import { relist } from './object-lists.ts';
import { type Place, placesOf } from './places.ts';
import { forgetMarks, markSeen, markSeenIn, marksOn } from './seen-marks.ts';
import { SharedMailboxes } from './shared-mailboxes.ts';
import { rangeOfEmail, rangeOfJournal, rangeOfObject, rangeOfState } from './snapshot-ranges.ts';
import { type MutableMailbox, tables } from './tables.ts';
import { deletedBit, UidPage, uidPageOf, uidSlotOf } from './uid-page.ts';
import type { View } from './view.ts';

export class Applier {
  readonly effects = new EffectBuilder();
  private readonly view: View;
  private readonly modSeq: ModSeq;
  private readonly seq: number;
  private readonly at: number;
  /** Snapshot parts this mutation touches, as kind and range. */
  private readonly dirty = new Set<string>();
  private readonly shared: SharedMailboxes;

  /** `view` has a layer for this mutation on top; `at` is the commit's time. */
  constructor(view: View, { seq, modSeq, at }: { seq: number; modSeq: ModSeq; at: number }) {
    this.view = view;
    this.shared = new SharedMailboxes(view, this.effects);
    this.seq = seq;
    this.modSeq = modSeq;
    this.at = at;
  }

  /** Whether anything changed. Throws StorageError 'corrupt' for a change that cannot be applied. */
  apply(change: Change): boolean {
    switch (change.do) {
      case 'mailbox.put':
        return this.putMailbox(change.mailbox);
      case 'mailbox.remove':
        return this.removeMailbox(change.id);
      case 'email.add':
        return this.addEmail(change);
      case 'email.copy':
        return this.copyEmail(change.from, change.id, change.thread, change.keywords, change.in);
      case 'email.remove':
        return this.eachEmail(change.emails, (email) => this.removeEmail(email));
      case 'keywords':
        return this.changeKeywords(change.emails, change);
      case 'membership.add':
        return this.addMemberships(change.mailbox, change.emails, change.uid);
      case 'membership.remove':
        return this.removeMemberships(change.mailbox, change.uids);
      case 'membership.deleted':
        return this.markDeleted(change.mailbox, change.uids, change.deleted);
      case 'seen':
        return this.changeSeen(change.viewer, change.emails, change.seen);
      case 'ingest':
        return this.rememberIngest(change.key, change.email);
      case 'object.put':
        return this.putObject(change.type, change.id, change.value);
      case 'object.remove':
        return this.removeObject(change.type, change.id);
      case 'closed':
        this.view.editMeta().isClosed = true;
        this.effects.isClosed = true;
        return true;
      default:
        return assertNever(change);
    }
  }

  /** Ends the mutation: journal, modSeqs, marks. undefined when nothing changed; the layer is then to be dropped. */
  finish(): Effect | undefined {
    if (this.effects.isEmpty) return undefined;
    const { view, modSeq } = this;
    view.editMeta().modSeq = modSeq;
    for (const number of this.effects.touchedMailboxes()) {
      const mailbox = view.edit(tables.mailboxes, mailboxKey(number));
      if (mailbox === undefined) continue;
      mailbox.highestModSeq = modSeq;
      mailbox.changedModSeq = modSeq;
    }
    const row = this.effects.build(modSeq, this.at);
    view.put(tables.journal, journalKey(modSeq), row);
    this.markDirty('meta', 0);
    this.markDirty('journal', rangeOfJournal(modSeq));
    for (const key of this.dirty) view.put(tables.dirty, key, this.seq);
    return row;
  }

  private markDirty(kind: string, range: number): void {
    this.dirty.add(dirtyKey(kind, range));
  }

  private putMailbox(record: MailboxRecord): boolean {
    const { view, modSeq } = this;
    const meta = view.editMeta();
    meta.nextMailbox = Math.max(meta.nextMailbox, record.id + 1);
    meta.uidValidity = Math.max(meta.uidValidity, record.uidValidity);
    const before = view.edit(tables.mailboxes, mailboxKey(record.id));
    if (before === undefined) {
      view.put(tables.mailboxes, mailboxKey(record.id), {
        ...record,
        uidNext: 1 as Uid,
        ...emptyCounts,
        highestModSeq: modSeq,
        createdModSeq: modSeq,
        recordModSeq: modSeq,
        changedModSeq: modSeq,
      });
      this.effects.record(record.id, 'added');
      return true;
    }
    const isSame = (['name', 'parent', 'role', 'order', 'subscribed', 'uidValidity'] as const).every((key) => before[key] === record[key]);
    if (isSame) return false;
    Object.assign(before, record, { recordModSeq: modSeq, changedModSeq: modSeq });
    this.effects.record(record.id, 'changed');
    return true;
  }

  private removeMailbox(id: MailboxNumber): boolean {
    const { view } = this;
    if (view.mailbox(id) === undefined) return false;
    for (const page of [...view.uidPageNumbers(id)]) {
      const { email } = view.get(tables.uidPages, uidPageKey(id, page))!;
      for (let slot = 0; slot < email.length; slot += 1) if (email[slot] !== 0) this.removeMembership(id, page * email.length + slot);
    }
    view.remove(tables.mailboxes, mailboxKey(id));
    this.effects.record(id, 'removed');
    return true;
  }

  private addEmail(change: EmailAdd): boolean {
    const { view } = this;
    putDerivedRows(
      view,
      change.id,
      change.thread,
      { facts: change.facts, blob: change.blob, preview: change.preview, delivery: change.delivery },
      change.text,
    );
    this.enterEmail(change.id, change.thread, change.keywords, change.in, {
      receivedAt: change.receivedAt,
      sentAt: change.facts.sentAt ?? change.receivedAt,
      size: change.blob.length,
      hasAttachment: change.facts.hasAttachment,
    });
    return true;
  }

  private copyEmail(
    from: EmailNumber,
    id: EmailNumber,
    thread: ThreadNumber,
    keywords: readonly string[],
    places: readonly MembershipRecord[],
  ): boolean {
    const { view } = this;
    const row = view.get(tables.facts, factsKey(from));
    const page = view.get(tables.emailPages, emailPageKey(emailPageOf(from)));
    if (row === undefined || page === undefined) throw new StorageError('corrupt', `email ${from} is copied but is not there`);
    const slot = emailSlotOf(from);
    const header = headerOf(view, from);
    const text = view.get(tables.texts, textKey(from))?.toString('utf8') ?? '';
    putDerivedRows(view, id, thread, { ...row, facts: { ...row.facts, header } }, text);
    this.enterEmail(id, thread, keywords, places, {
      receivedAt: page.receivedAt[slot]!,
      sentAt: page.sentAt[slot]!,
      size: page.size[slot]!,
      hasAttachment: (page.bits[slot]! & hasAttachmentBit) !== 0,
    });
    for (const { viewer, isSeen } of marksOn(view, from)) if (isSeen) markSeen(view, viewer, id, true, this.modSeq);
    return true;
  }

  private enterEmail(
    id: EmailNumber,
    thread: ThreadNumber,
    keywords: readonly string[],
    places: readonly MembershipRecord[],
    fixed: { receivedAt: number; sentAt: number; size: number; hasAttachment: boolean },
  ): void {
    const { view, modSeq } = this;
    const meta = view.editMeta();
    meta.nextEmail = Math.max(meta.nextEmail, id + 1);
    const page = this.editEmailPage(id, true);
    const slot = emailSlotOf(id);
    if (page.mailbox[slot] !== 0 || places.length === 0) throw new StorageError('corrupt', `email ${id} is added twice or nowhere`);
    page.receivedAt[slot] = fixed.receivedAt;
    page.sentAt[slot] = fixed.sentAt;
    page.createdModSeq[slot] = modSeq;
    page.keywordModSeq[slot] = modSeq;
    page.modSeq[slot] = modSeq;
    page.thread[slot] = thread;
    page.keywordSet[slot] = view.state.keywordSets.intern(keywords).number;
    page.size[slot] = fixed.size;
    page.bits[slot] = fixed.hasAttachment ? hasAttachmentBit : 0;
    this.effects.emails.note(id, 'added');
    this.markDirty('email', rangeOfEmail(id));
    this.markDirty('text', rangeOfEmail(id));
    for (const place of places) this.addMembership(id, place.mailbox, place.uid, place.deleted === true);
    const members = view.edit(tables.threads, threadKey(thread));
    if (members === undefined) {
      meta.nextThread = Math.max(meta.nextThread, thread + 1);
      view.put(tables.threads, threadKey(thread), [id]);
      this.effects.threads.note(thread, 'added');
    } else {
      members.push(id);
      this.effects.threads.note(thread, 'changed');
    }
  }

  private addMemberships(mailbox: MailboxNumber, emails: Ranges, firstUid: Uid): boolean {
    let uid: number = firstUid;
    for (const email of eachOf(emails)) {
      const page = this.view.get(tables.emailPages, emailPageKey(emailPageOf(email)));
      if (page !== undefined) this.noteIfHidden(page, email, placesOf(this.view, page, email));
      this.addMembership(email, mailbox, uid, false);
      this.touchEmail(email);
      uid += 1;
    }
    return uid !== firstUid;
  }

  private addMembership(email: number, mailboxNumber: number, uid: number, isDeleted: boolean): void {
    const { view } = this;
    const mailbox = this.editMailbox(mailboxNumber);
    const pageKey = uidPageKey(mailboxNumber, uidPageOf(uid));
    let uidPage = view.edit(tables.uidPages, pageKey);
    if (uidPage === undefined) view.put(tables.uidPages, pageKey, (uidPage = UidPage.empty()));
    const uidSlot = uidSlotOf(uid);
    if (uid < mailbox.uidNext) throw new StorageError('corrupt', `UID ${uid} of mailbox ${mailboxNumber} is given twice`);
    mailbox.uidNext = (uid + 1) as Uid;
    uidPage.modSeq[uidSlot] = this.modSeq;
    uidPage.email[uidSlot] = email;
    uidPage.bits[uidSlot] = isDeleted ? deletedBit : 0;
    uidPage.savedAt[uidSlot] = Math.floor(this.at / 1000);

    const page = this.editEmailPage(email);
    const slot = emailSlotOf(email);
    if (page.mailbox[slot] === 0) {
      page.mailbox[slot] = mailboxNumber;
      page.uid[slot] = uid;
    } else {
      view.put(tables.more, moreKey(email), [...(view.get(tables.more, moreKey(email)) ?? []), { mailbox: mailboxNumber, uid }]);
      page.bits[slot]! |= moreBit;
    }
    countMembership(mailbox, 1, this.kindOf(page, slot, isDeleted));
    this.effects.uid(mailboxNumber, uid, 'added');
    this.markDirty('state', rangeOfState(email));
  }

  private removeMemberships(mailbox: MailboxNumber, uids: Ranges): boolean {
    let any = false;
    for (const uid of eachOf(uids)) any = this.removeMembership(mailbox, uid) || any;
    return any;
  }

  /** Takes one UID out; the email goes when that was its last place. */
  private removeMembership(mailboxNumber: number, uid: number): boolean {
    const { view } = this;
    const pageKey = uidPageKey(mailboxNumber, uidPageOf(uid));
    const slot = uidSlotOf(uid);
    const email = view.get(tables.uidPages, pageKey)?.email[slot] ?? 0;
    if (email === 0) return false;
    if (this.shared.has(mailboxNumber))
      this.effects.leaves(mailboxNumber, uid, email, this.editEmailPage(email).thread[emailSlotOf(email)]!);
    const uidPage = view.edit(tables.uidPages, pageKey)!;
    const isDeleted = (uidPage.bits[slot]! & deletedBit) !== 0;
    uidPage.clear(slot);
    if (uidPage.isEmpty) view.remove(tables.uidPages, pageKey);

    const page = this.editEmailPage(email);
    const emailSlot = emailSlotOf(email);
    countMembership(this.editMailbox(mailboxNumber), -1, this.kindOf(page, emailSlot, isDeleted));
    this.effects.uid(mailboxNumber, uid, 'removed');
    this.markDirty('state', rangeOfState(email));
    const left = placesOf(view, page, email).filter((place) => place.mailbox !== mailboxNumber || place.uid !== uid);
    this.setPlaces(page, email, left);
    if (left.length === 0) this.buryEmail(email, page);
    else {
      this.noteIfHidden(page, email, left);
      this.touchEmail(email);
    }
    return true;
  }

  /** JMAP sees no memberships with `\Deleted`: where there are no others, an email comes or goes with the one that is added or removed beside them. */
  private noteIfHidden(page: EmailPage, email: number, others: readonly Place[]): void {
    if (others.every((place) => this.isDeleted(place))) this.effects.threads.note(page.thread[emailSlotOf(email)]!, 'changed');
  }

  private setPlaces(page: EmailPage, email: number, places: readonly Place[]): void {
    const slot = emailSlotOf(email);
    const [first, ...others] = places;
    page.mailbox[slot] = first?.mailbox ?? 0;
    page.uid[slot] = first?.uid ?? 0;
    if (others.length > 0) {
      page.bits[slot]! |= moreBit;
      this.view.put(tables.more, moreKey(email), others as Place[]);
    } else if ((page.bits[slot]! & moreBit) !== 0) {
      page.bits[slot]! &= ~moreBit;
      this.view.remove(tables.more, moreKey(email));
    }
  }

  private removeEmail(email: number): boolean {
    const page = this.view.get(tables.emailPages, emailPageKey(emailPageOf(email)));
    if (page === undefined || page.mailbox[emailSlotOf(email)] === 0) return false;
    for (const place of placesOf(this.view, page, email)) this.removeMembership(place.mailbox, place.uid);
    return true;
  }

  /** The email has no place left: it becomes a tombstone that holds its blob. */
  private buryEmail(email: number, page: EmailPage): void {
    const { view } = this;
    const thread = page.thread[emailSlotOf(email)]!;
    const row = view.get(tables.facts, factsKey(email));
    if (row === undefined) throw new StorageError('corrupt', `email ${email} has no facts`);
    removeDerivedRows(view, email, row.facts);
    forgetMarks(view, email);
    view.put(tables.tombstones, tombstoneKey(email), { blob: row.blob, modSeq: this.modSeq });
    page.clear(emailSlotOf(email));
    if (page.isEmpty) view.remove(tables.emailPages, emailPageKey(emailPageOf(email)));
    this.effects.emails.note(email, 'removed');
    this.markDirty('email', rangeOfEmail(email));
    this.markDirty('text', rangeOfEmail(email));
    const left = (view.get(tables.threads, threadKey(thread)) ?? []).filter((member) => member !== email);
    if (left.length === 0) view.remove(tables.threads, threadKey(thread));
    else view.put(tables.threads, threadKey(thread), left);
    this.effects.threads.note(thread, left.length === 0 ? 'removed' : 'changed');
  }

  private changeKeywords(emails: Ranges, change: KeywordChange): boolean {
    const { view } = this;
    const change_ = view.state.keywordSets.changer(change);
    return this.eachEmail(emails, (email) => {
      const page = view.get(tables.emailPages, emailPageKey(emailPageOf(email)));
      const slot = emailSlotOf(email);
      if (page === undefined || page.mailbox[slot] === 0) return false;
      const before = page.keywordSet[slot]!;
      const after = change_(before);
      if (after.number === before) return false;
      const isOwnSeen = view.state.keywordSets.areEqualButSeen(before, after.number);
      const edited = this.editEmailPage(email);
      for (const place of placesOf(view, edited, email)) {
        const isDeleted = this.isDeleted(place);
        const mailbox = this.editMailbox(place.mailbox);
        countMembership(mailbox, -1, this.kindOf(edited, slot, isDeleted));
        edited.keywordSet[slot] = after.number;
        countMembership(mailbox, 1, this.kindOf(edited, slot, isDeleted));
        edited.keywordSet[slot] = before;
        this.effects.uid(place.mailbox, place.uid, 'changed', isOwnSeen && this.shared.has(place.mailbox));
      }
      edited.keywordSet[slot] = after.number;
      edited.keywordModSeq[slot] = this.modSeq;
      this.touchEmail(email);
      return true;
    });
  }

  private changeSeen(viewer: AccountId, emails: Ranges, isSeen: boolean): boolean {
    const { view, effects, modSeq } = this;
    return this.eachEmail(emails, (email) => {
      const isChanged = markSeenIn(view, effects, { viewer, email, isSeen, modSeq });
      if (isChanged) this.markDirty('state', rangeOfState(email));
      return isChanged;
    });
  }

  private markDeleted(mailboxNumber: MailboxNumber, uids: Ranges, isDeleted: boolean): boolean {
    const { view } = this;
    let any = false;
    for (const uid of eachOf(uids)) {
      const pageKey = uidPageKey(mailboxNumber, uidPageOf(uid));
      const slot = uidSlotOf(uid);
      const page = view.get(tables.uidPages, pageKey);
      const email = page?.email[slot] ?? 0;
      if (page === undefined || email === 0 || ((page.bits[slot]! & deletedBit) !== 0) === isDeleted) continue;
      const edited = view.edit(tables.uidPages, pageKey)!;
      const emailPage = this.editEmailPage(email);
      const mailbox = this.editMailbox(mailboxNumber);
      countMembership(mailbox, -1, this.kindOf(emailPage, emailSlotOf(email), !isDeleted));
      countMembership(mailbox, 1, this.kindOf(emailPage, emailSlotOf(email), isDeleted));
      edited.bits[slot] = isDeleted ? edited.bits[slot]! | deletedBit : edited.bits[slot]! & ~deletedBit;
      edited.modSeq[slot] = this.modSeq;
      this.effects.uid(mailboxNumber, uid, 'changed');
      // JMAP sees an email come or go by it.
      this.effects.threads.note(emailPage.thread[emailSlotOf(email)]!, 'changed');
      this.touchEmail(email);
      any = true;
    }
    return any;
  }

  private rememberIngest(key: string, email: EmailNumber | null): boolean {
    this.view.put(tables.ingest, ingestKey(key), { email, modSeq: this.modSeq });
    this.effects.ingest.push(key);
    return true;
  }

  private putObject(type: string, id: string, value: unknown): boolean {
    const key = objectKey(type, id);
    const before = this.view.get(tables.objects, key);
    if (before !== undefined && JSON.stringify(before.value) === JSON.stringify(value)) return false;
    this.view.put(tables.objects, key, { value, createdModSeq: before?.createdModSeq ?? this.modSeq, modSeq: this.modSeq });
    return this.touchObject(type, id, before?.value, value, before === undefined ? 'added' : 'changed');
  }

  private removeObject(type: string, id: string): boolean {
    const key = objectKey(type, id);
    const before = this.view.get(tables.objects, key);
    if (before === undefined) return false;
    this.view.remove(tables.objects, key);
    return this.touchObject(type, id, before.value, undefined, 'removed');
  }

  private touchObject(type: string, id: string, before: unknown, after: unknown, how: 'added' | 'changed' | 'removed'): true {
    if (type === mailboxAclType) this.effects.before(type, id, before);
    relist(this.view, type, id, before, after);
    this.effects.object(type, id, how);
    this.markDirty('object', rangeOfObject(objectKey(type, id)));
    return true;
  }

  private eachEmail(emails: Ranges, change: (email: number) => boolean): boolean {
    let any = false;
    for (const email of eachOf(emails)) any = change(email) || any;
    return any;
  }

  /** JMAP sees a change: of keywords or of mailboxes. */
  private touchEmail(email: number): void {
    const slot = emailSlotOf(email);
    const page = this.editEmailPage(email);
    page.modSeq[slot] = this.modSeq;
    this.effects.emails.note(email, 'changed');
    this.markDirty('state', rangeOfState(email));
  }

  private editEmailPage(email: number, mayBeNew = false): EmailPage {
    const key = emailPageKey(emailPageOf(email));
    const page = this.view.edit(tables.emailPages, key);
    if (page !== undefined) return page;
    if (!mayBeNew) throw new StorageError('corrupt', `email ${email} is not there`);
    const fresh = EmailPage.empty();
    this.view.put(tables.emailPages, key, fresh);
    return fresh;
  }

  private editMailbox(number: number): MutableMailbox {
    const mailbox = this.view.edit(tables.mailboxes, mailboxKey(number));
    if (mailbox === undefined) throw new StorageError('corrupt', `mailbox ${number} is not there`);
    return mailbox;
  }

  private isDeleted({ mailbox, uid }: Place): boolean {
    const page = this.view.get(tables.uidPages, uidPageKey(mailbox, uidPageOf(uid)));
    return ((page?.bits[uidSlotOf(uid)] ?? 0) & deletedBit) !== 0;
  }

  private kindOf(page: EmailPage, slot: number, isDeleted: boolean): Counted {
    const { isSeen, isDraft } = this.view.state.keywordSets.of(page.keywordSet[slot]!);
    return { size: page.size[slot]!, isSeen, isDraft, isDeleted };
  }
}
