/**
 * Memberships in a mutation: emails come into mailboxes, go out of them, and are marked \Deleted there. Counters of mailboxes follow each of them. An email
 * that has lost its last place is handed to `bury`.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { MailboxNumber, Uid } from '../../protocol/mail/ids.ts';
import { eachOf, type Ranges } from '../../protocol/mail/ranges.ts';
import type { Edits } from './edits.ts';
import { type EmailPage, emailPageOf, emailSlotOf, moreBit } from './email-page.ts';
import { emailPageKey, moreKey, uidPageKey } from './keyspace.ts';
import { countMembership } from './mailbox-counts.ts';
import { type Place, placesOf } from './places.ts';
import type { SharedMailboxes } from './shared-mailboxes.ts';
import { rangeOfState } from './snapshot-ranges.ts';
import { tables } from './tables.ts';
import { deletedBit, UidPage, uidPageOf, uidSlotOf } from './uid-page.ts';

export class Memberships {
  private readonly edits: Edits;
  private readonly shared: SharedMailboxes;
  private readonly bury: (email: number, page: EmailPage) => void;

  constructor(edits: Edits, shared: SharedMailboxes, bury: (email: number, page: EmailPage) => void) {
    this.edits = edits;
    this.shared = shared;
    this.bury = bury;
  }

  addAll(mailbox: MailboxNumber, emails: Ranges, firstUid: Uid): boolean {
    let uid: number = firstUid;
    for (const email of eachOf(emails)) {
      const page = this.edits.view.get(tables.emailPages, emailPageKey(emailPageOf(email)));
      if (page !== undefined) this.noteIfHidden(page, email, placesOf(this.edits.view, page, email));
      this.add(email, mailbox, uid, false);
      this.edits.touchEmail(email);
      uid += 1;
    }
    return uid !== firstUid;
  }

  add(email: number, mailboxNumber: number, uid: number, isDeleted: boolean): void {
    const { edits } = this;
    const { view } = edits;
    const mailbox = edits.mailbox(mailboxNumber);
    const pageKey = uidPageKey(mailboxNumber, uidPageOf(uid));
    let uidPage = view.edit(tables.uidPages, pageKey);
    if (uidPage === undefined) view.put(tables.uidPages, pageKey, (uidPage = UidPage.empty()));
    const uidSlot = uidSlotOf(uid);
    if (uid < mailbox.uidNext) throw new StorageError('corrupt', `UID ${uid} of mailbox ${mailboxNumber} is given twice`);
    mailbox.uidNext = (uid + 1) as Uid;
    uidPage.modSeq[uidSlot] = edits.modSeq;
    uidPage.email[uidSlot] = email;
    uidPage.bits[uidSlot] = isDeleted ? deletedBit : 0;
    uidPage.savedAt[uidSlot] = Math.floor(edits.at / 1000);

    const page = edits.emailPage(email);
    const slot = emailSlotOf(email);
    if (page.mailbox[slot] === 0) {
      page.mailbox[slot] = mailboxNumber;
      page.uid[slot] = uid;
    } else {
      view.put(tables.more, moreKey(email), [...(view.get(tables.more, moreKey(email)) ?? []), { mailbox: mailboxNumber, uid }]);
      page.bits[slot]! |= moreBit;
    }
    countMembership(mailbox, 1, edits.kindOf(page, slot, isDeleted));
    edits.effects.uid(mailboxNumber, uid, 'added');
    edits.markDirty('state', rangeOfState(email));
  }

  removeAll(mailbox: MailboxNumber, uids: Ranges): boolean {
    let any = false;
    for (const uid of eachOf(uids)) any = this.remove(mailbox, uid) || any;
    return any;
  }

  /** Takes one UID out; the email goes when that was its last place. */
  remove(mailboxNumber: number, uid: number): boolean {
    const { edits } = this;
    const { view } = edits;
    const pageKey = uidPageKey(mailboxNumber, uidPageOf(uid));
    const slot = uidSlotOf(uid);
    const email = view.get(tables.uidPages, pageKey)?.email[slot] ?? 0;
    if (email === 0) return false;
    if (this.shared.has(mailboxNumber)) edits.effects.leaves(mailboxNumber, uid, email, edits.emailPage(email).thread[emailSlotOf(email)]!);
    const uidPage = view.edit(tables.uidPages, pageKey)!;
    const isDeleted = (uidPage.bits[slot]! & deletedBit) !== 0;
    uidPage.clear(slot);
    if (uidPage.isEmpty) view.remove(tables.uidPages, pageKey);

    const page = edits.emailPage(email);
    const emailSlot = emailSlotOf(email);
    countMembership(edits.mailbox(mailboxNumber), -1, edits.kindOf(page, emailSlot, isDeleted));
    edits.effects.uid(mailboxNumber, uid, 'removed');
    edits.markDirty('state', rangeOfState(email));
    const left = placesOf(view, page, email).filter((place) => place.mailbox !== mailboxNumber || place.uid !== uid);
    this.setPlaces(page, email, left);
    if (left.length === 0) this.bury(email, page);
    else {
      this.noteIfHidden(page, email, left);
      edits.touchEmail(email);
    }
    return true;
  }

  /** JMAP sees no memberships with `\Deleted`: where there are no others, an email comes or goes with the one that is added or removed beside them. */
  private noteIfHidden(page: EmailPage, email: number, others: readonly Place[]): void {
    if (others.every((place) => this.edits.isDeleted(place))) this.edits.effects.threads.note(page.thread[emailSlotOf(email)]!, 'changed');
  }

  private setPlaces(page: EmailPage, email: number, places: readonly Place[]): void {
    const slot = emailSlotOf(email);
    const [first, ...others] = places;
    page.mailbox[slot] = first?.mailbox ?? 0;
    page.uid[slot] = first?.uid ?? 0;
    if (others.length > 0) {
      page.bits[slot]! |= moreBit;
      this.edits.view.put(tables.more, moreKey(email), others as Place[]);
    } else if ((page.bits[slot]! & moreBit) !== 0) {
      page.bits[slot]! &= ~moreBit;
      this.edits.view.remove(tables.more, moreKey(email));
    }
  }

  markDeleted(mailboxNumber: MailboxNumber, uids: Ranges, isDeleted: boolean): boolean {
    const { edits } = this;
    const { view } = edits;
    let any = false;
    for (const uid of eachOf(uids)) {
      const pageKey = uidPageKey(mailboxNumber, uidPageOf(uid));
      const slot = uidSlotOf(uid);
      const page = view.get(tables.uidPages, pageKey);
      const email = page?.email[slot] ?? 0;
      if (page === undefined || email === 0 || ((page.bits[slot]! & deletedBit) !== 0) === isDeleted) continue;
      const edited = view.edit(tables.uidPages, pageKey)!;
      const emailPage = edits.emailPage(email);
      const mailbox = edits.mailbox(mailboxNumber);
      countMembership(mailbox, -1, edits.kindOf(emailPage, emailSlotOf(email), !isDeleted));
      countMembership(mailbox, 1, edits.kindOf(emailPage, emailSlotOf(email), isDeleted));
      edited.bits[slot] = isDeleted ? edited.bits[slot]! | deletedBit : edited.bits[slot]! & ~deletedBit;
      edited.modSeq[slot] = edits.modSeq;
      edits.effects.uid(mailboxNumber, uid, 'changed');
      // JMAP sees an email come or go by it.
      edits.effects.threads.note(emailPage.thread[emailSlotOf(email)]!, 'changed');
      edits.touchEmail(email);
      any = true;
    }
    return any;
  }
}
