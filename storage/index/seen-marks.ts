/** Reads and writes of the \Seen of those with whom mailboxes are shared: by email, as all keywords are, in a page for each of them. */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId, EmailNumber, ModSeq } from '../../protocol/mail/ids.ts';
import type { SeenMarks } from '../account/api.ts';
import type { EffectBuilder } from './effect-builder.ts';
import { emailPageOf, emailSlotOf } from './email-page.ts';
import { emailPageKey, mailboxKey, seenPageKey, seenPagesKey, viewerOfSeenPage } from './keyspace.ts';
import { endOf } from './kv.ts';
import { placesOf } from './places.ts';
import { SeenPage } from './seen-page.ts';
import { tables } from './tables.ts';
import type { View } from './view.ts';

/** For one pass over emails: the page that was looked at last is at hand. */
export class ViewerMarks implements SeenMarks {
  private readonly view: View;
  private readonly viewer: AccountId;
  private number = -1;
  private page: SeenPage | undefined;

  constructor(view: View, viewer: AccountId) {
    this.view = view;
    this.viewer = viewer;
  }

  isSeen(email: EmailNumber): boolean {
    return this.pageOf(email)?.isSeen[emailSlotOf(email)] === 1;
  }

  modSeq(email: EmailNumber): ModSeq {
    return (this.pageOf(email)?.modSeq[emailSlotOf(email)] ?? 0) as ModSeq;
  }

  private pageOf(email: number): SeenPage | undefined {
    const number = emailPageOf(email);
    if (number !== this.number) {
      this.number = number;
      this.page = this.view.get(tables.seenPages, seenPageKey(number, this.viewer));
    }
    return this.page;
  }
}

interface Mark {
  readonly viewer: AccountId;
  readonly email: number;
  readonly isSeen: boolean;
  readonly modSeq: ModSeq;
}

/** Marks an email that is there, and notes it for the viewer in every mailbox that holds it. Whether it was different before. */
export function markSeenIn(view: View, effects: EffectBuilder, { viewer, email, isSeen, modSeq }: Mark): boolean {
  const page = view.get(tables.emailPages, emailPageKey(emailPageOf(email)));
  if (page === undefined || page.mailbox[emailSlotOf(email)] === 0) return false;
  if (!markSeen(view, viewer, email, isSeen, modSeq)) return false;
  for (const { mailbox, uid } of placesOf(view, page, email)) {
    const edited = view.edit(tables.mailboxes, mailboxKey(mailbox));
    if (edited === undefined) throw new StorageError('corrupt', `mailbox ${mailbox} is not there`);
    if (edited.seenModSeqs?.[viewer] !== modSeq) edited.seenModSeqs = { ...edited.seenModSeqs, [viewer]: modSeq };
    effects.seen(viewer, email, mailbox, uid);
  }
  return true;
}

/** Whether it was different before. */
export function markSeen(view: View, viewer: string, email: number, isSeen: boolean, modSeq: ModSeq): boolean {
  const key = seenPageKey(emailPageOf(email), viewer);
  const slot = emailSlotOf(email);
  if ((view.get(tables.seenPages, key)?.isSeen[slot] === 1) === isSeen) return false;
  let page = view.edit(tables.seenPages, key);
  if (page === undefined) view.put(tables.seenPages, key, (page = SeenPage.empty()));
  page.isSeen[slot] = isSeen ? 1 : 0;
  page.modSeq[slot] = modSeq;
  view.editMeta().hasViewers = true;
  return true;
}

/** All marks on an email. */
export function marksOn(view: View, email: number): { readonly viewer: AccountId; readonly isSeen: boolean; readonly modSeq: number }[] {
  if (!view.meta().hasViewers) return [];
  const prefix = seenPagesKey(emailPageOf(email));
  const slot = emailSlotOf(email);
  return Array.from(view.range(tables.seenPages, prefix, endOf(prefix)), ({ key, value }) => ({
    viewer: viewerOfSeenPage(key) as AccountId,
    isSeen: value.isSeen[slot] === 1,
    modSeq: value.modSeq[slot]!,
  })).filter(({ modSeq }) => modSeq > 0);
}

/** The email is gone. */
export function forgetMarks(view: View, email: number): void {
  for (const { viewer } of marksOn(view, email)) {
    const key = seenPageKey(emailPageOf(email), viewer);
    const page = view.edit(tables.seenPages, key)!;
    page.clear(emailSlotOf(email));
    if (page.isEmpty) view.remove(tables.seenPages, key);
  }
}
