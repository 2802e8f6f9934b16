/**
 * What one mutation edits: pages and rows in the layer on top of the view, effects, and the parts of a snapshot that are no longer what they were. The
 * journal row, modSeqs of mailboxes and the marks for snapshots are written once, by finish().
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { ModSeq } from '../../protocol/mail/ids.ts';
import type { Effect } from '../account/api.ts';
import { EffectBuilder } from './effect-builder.ts';
import { EmailPage, emailPageOf, emailSlotOf } from './email-page.ts';
import { dirtyKey, emailPageKey, journalKey, mailboxKey, uidPageKey } from './keyspace.ts';
import type { Counted } from './mailbox-counts.ts';
import type { Place } from './places.ts';
import { rangeOfJournal, rangeOfState } from './snapshot-ranges.ts';
import { type MutableMailbox, tables } from './tables.ts';
import { deletedBit, uidPageOf, uidSlotOf } from './uid-page.ts';
import type { View } from './view.ts';

export class Edits {
  readonly effects = new EffectBuilder();
  readonly view: View;
  /** Of the mutation. */
  readonly modSeq: ModSeq;
  /** The commit's time. */
  readonly at: number;
  private readonly seq: number;
  /** Snapshot parts this mutation touches, as kind and range. */
  private readonly dirty = new Set<string>();

  /** `view` has a layer for this mutation on top. */
  constructor(view: View, { seq, modSeq, at }: { seq: number; modSeq: ModSeq; at: number }) {
    this.view = view;
    this.seq = seq;
    this.modSeq = modSeq;
    this.at = at;
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

  markDirty(kind: string, range: number): void {
    this.dirty.add(dirtyKey(kind, range));
  }

  /** JMAP sees a change: of keywords or of mailboxes. */
  touchEmail(email: number): void {
    const slot = emailSlotOf(email);
    const page = this.emailPage(email);
    page.modSeq[slot] = this.modSeq;
    this.effects.emails.note(email, 'changed');
    this.markDirty('state', rangeOfState(email));
  }

  /** The page of an email, to be changed. Throws StorageError 'corrupt' where it is not there. */
  emailPage(email: number, mayBeNew = false): EmailPage {
    const key = emailPageKey(emailPageOf(email));
    const page = this.view.edit(tables.emailPages, key);
    if (page !== undefined) return page;
    if (!mayBeNew) throw new StorageError('corrupt', `email ${email} is not there`);
    const fresh = EmailPage.empty();
    this.view.put(tables.emailPages, key, fresh);
    return fresh;
  }

  /** A mailbox, to be changed. Throws StorageError 'corrupt' where it is not there. */
  mailbox(number: number): MutableMailbox {
    const mailbox = this.view.edit(tables.mailboxes, mailboxKey(number));
    if (mailbox === undefined) throw new StorageError('corrupt', `mailbox ${number} is not there`);
    return mailbox;
  }

  isDeleted({ mailbox, uid }: Place): boolean {
    const page = this.view.get(tables.uidPages, uidPageKey(mailbox, uidPageOf(uid)));
    return ((page?.bits[uidSlotOf(uid)] ?? 0) & deletedBit) !== 0;
  }

  /** How a membership counts for its mailbox. */
  kindOf(page: EmailPage, slot: number, isDeleted: boolean): Counted {
    const { isSeen, isDraft } = this.view.state.keywordSets.of(page.keywordSet[slot]!);
    return { size: page.size[slot]!, isSeen, isDraft, isDeleted };
  }
}
