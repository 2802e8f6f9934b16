/**
 * What the log's changes do to the index. One code for a fresh mutation, for catching up and for a rebuild: live is replay. It is deterministic:
 * every assigned value comes with the change. A change that leaves everything as it was reports false and is not written.
 *
 * What is edited is in edits.ts, what becomes of memberships in memberships.ts; here are the changes, one by one.
 */

import { mailboxAclType } from '../../protocol/mail/acl.ts';
import { assertNever, StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId, EmailNumber, MailboxNumber, ModSeq, ThreadNumber, Uid } from '../../protocol/mail/ids.ts';
import { eachOf, type Ranges } from '../../protocol/mail/ranges.ts';
import type { Effect } from '../account/api.ts';
import type { Change, EmailAdd, MailboxRecord, MembershipRecord } from '../log/record.ts';
import { Edits } from './edits.ts';
import type { EffectBuilder } from './effect-builder.ts';
import { type EmailPage, emailPageOf, emailSlotOf, hasAttachmentBit } from './email-page.ts';
import { headerOf, putDerivedRows, removeDerivedRows } from './email-rows.ts';
import { emailPageKey, factsKey, ingestKey, mailboxKey, objectKey, textKey, threadKey, tombstoneKey, uidPageKey } from './keyspace.ts';
import type { KeywordChange } from './keyword-sets.ts';
import { countMembership, emptyCounts } from './mailbox-counts.ts';
import { Memberships } from './memberships.ts';
import { relist } from './object-lists.ts';
import { placesOf } from './places.ts';
import { forgetMarks, markSeen, markSeenIn, marksOn } from './seen-marks.ts';
import { SharedMailboxes } from './shared-mailboxes.ts';
import { rangeOfEmail, rangeOfObject, rangeOfState } from './snapshot-ranges.ts';
import { tables } from './tables.ts';
import type { View } from './view.ts';

export class Applier {
  private readonly edits: Edits;
  private readonly effects: EffectBuilder;
  private readonly view: View;
  private readonly modSeq: ModSeq;
  private readonly shared: SharedMailboxes;
  private readonly memberships: Memberships;

  /** `view` has a layer for this mutation on top; `at` is the commit's time. */
  constructor(view: View, mutation: { seq: number; modSeq: ModSeq; at: number }) {
    this.edits = new Edits(view, mutation);
    this.effects = this.edits.effects;
    this.view = view;
    this.modSeq = mutation.modSeq;
    this.shared = new SharedMailboxes(view, this.effects);
    this.memberships = new Memberships(this.edits, this.shared, (email, page) => this.buryEmail(email, page));
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
        return this.memberships.addAll(change.mailbox, change.emails, change.uid);
      case 'membership.remove':
        return this.memberships.removeAll(change.mailbox, change.uids);
      case 'membership.deleted':
        return this.memberships.markDeleted(change.mailbox, change.uids, change.deleted);
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

  /** Ends the mutation. undefined when nothing changed; the layer is then to be dropped. */
  finish(): Effect | undefined {
    return this.edits.finish();
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
      for (let slot = 0; slot < email.length; slot += 1) if (email[slot] !== 0) this.memberships.remove(id, page * email.length + slot);
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
    const page = this.edits.emailPage(id, true);
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
    this.edits.markDirty('email', rangeOfEmail(id));
    this.edits.markDirty('text', rangeOfEmail(id));
    for (const place of places) this.memberships.add(id, place.mailbox, place.uid, place.deleted === true);
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

  private removeEmail(email: number): boolean {
    const page = this.view.get(tables.emailPages, emailPageKey(emailPageOf(email)));
    if (page === undefined || page.mailbox[emailSlotOf(email)] === 0) return false;
    for (const place of placesOf(this.view, page, email)) this.memberships.remove(place.mailbox, place.uid);
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
    this.edits.markDirty('email', rangeOfEmail(email));
    this.edits.markDirty('text', rangeOfEmail(email));
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
      const edited = this.edits.emailPage(email);
      for (const place of placesOf(view, edited, email)) {
        const isDeleted = this.edits.isDeleted(place);
        const mailbox = this.edits.mailbox(place.mailbox);
        countMembership(mailbox, -1, this.edits.kindOf(edited, slot, isDeleted));
        edited.keywordSet[slot] = after.number;
        countMembership(mailbox, 1, this.edits.kindOf(edited, slot, isDeleted));
        edited.keywordSet[slot] = before;
        this.effects.uid(place.mailbox, place.uid, 'changed', isOwnSeen && this.shared.has(place.mailbox));
      }
      edited.keywordSet[slot] = after.number;
      edited.keywordModSeq[slot] = this.modSeq;
      this.edits.touchEmail(email);
      return true;
    });
  }

  private changeSeen(viewer: AccountId, emails: Ranges, isSeen: boolean): boolean {
    const { view, effects, modSeq } = this;
    return this.eachEmail(emails, (email) => {
      const isChanged = markSeenIn(view, effects, { viewer, email, isSeen, modSeq });
      if (isChanged) this.edits.markDirty('state', rangeOfState(email));
      return isChanged;
    });
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
    this.edits.markDirty('object', rangeOfObject(objectKey(type, id)));
    return true;
  }

  private eachEmail(emails: Ranges, change: (email: number) => boolean): boolean {
    let any = false;
    for (const email of eachOf(emails)) any = change(email) || any;
    return any;
  }
}
