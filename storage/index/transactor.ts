/**
 * What a mutation holds: a reader of the state at its place in the commit, and methods that check, assign numbers, record a change and apply it at
 * once, so that what follows sees it. Only changes that changed something are recorded.
 */
import { mailboxAclId, mailboxAclType, sharedSubscriptionPrefix, sharedSubscriptionType } from '../../protocol/mail/acl.ts';
import { annotationPrefix, annotationType, sharedAnnotationType } from '../../protocol/mail/annotation.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountId, EmailNumber, MailboxNumber, ModSeq, ThreadNumber, Uid } from '../../protocol/mail/ids.ts';
import { mustFit, noLimits, type QuotaUsage } from '../../protocol/mail/quota.ts';
import { eachOf, normalizeRanges, type Range, type Ranges, rangesOf } from '../../protocol/mail/ranges.ts';
import type { AccountTransactor, Mailbox, NewEmail } from '../account/api.ts';
import { CarriedBytes, type CarriedFrame } from '../log/carried.ts';
import type { Change, MailboxRecord, MailboxRole } from '../log/record.ts';
import { Applier } from './apply.ts';
import { emailPageOf, emailSlotOf } from './email-page.ts';
import { emailPageKey } from './keyspace.ts';
import { keywordsMax, mailboxDepthMax, mailboxesMax, mailboxNameCharsMax } from './limits.ts';
import { IndexReader } from './reader.ts';
import { tables } from './tables.ts';
import type { View } from './view.ts';

export class IndexTransactor extends IndexReader implements AccountTransactor {
  readonly at: number;
  readonly applier: Applier;
  readonly changes: Change[] = [];
  onJoin: AccountTransactor['onJoin'];

  private readonly carried: CarriedFrame;

  constructor(view: View, { seq, modSeq, at, carried }: { seq: number; modSeq: ModSeq; at: number; carried: CarriedFrame }) {
    super(view);
    this.at = at;
    this.carried = carried;
    this.applier = new Applier(view, { seq, modSeq, at });
    if (view.meta().isClosed) throw new MailError('accountClosed', 'the account has been removed');
  }

  private record(change: Change): boolean {
    if (change.do === 'membership.add') this.onJoin?.(this, change.emails, change.mailbox);
    const isChanged = this.applier.apply(change);
    if (isChanged) this.changes.push(change);
    return isChanged;
  }

  createMailbox({
    name,
    parent,
    role = null,
    subscribed = true,
    order = 0,
  }: {
    name: string;
    parent: MailboxNumber | null;
    role?: MailboxRole | null;
    subscribed?: boolean;
    order?: number;
  }): Mailbox {
    const { nextMailbox, uidValidity } = this.view.meta();
    if (this.mailboxes().length >= mailboxesMax) throw new MailError('limit', `an account has at most ${mailboxesMax} mailboxes`);
    const record: MailboxRecord = {
      id: nextMailbox as MailboxNumber,
      name: this.checkedName(name, parent, undefined),
      parent,
      role: this.checkedRole(role, undefined),
      order,
      subscribed,
      // RFC 9051 §2.3.1.1: never given before in this account, also not to a mailbox of this name that is gone.
      uidValidity: Math.max(uidValidity + 1, Math.floor(this.at / 1000)),
    };
    this.record({ do: 'mailbox.put', mailbox: record });
    // RFC 4314 §4, CREATE: it inherits the rights on the mailbox above it.
    const acl = parent === null ? undefined : this.object(mailboxAclType, mailboxAclId(parent));
    if (acl !== undefined) this.putObject(mailboxAclType, mailboxAclId(record.id), acl);
    return this.mailbox(record.id)!;
  }

  updateMailbox(id: MailboxNumber, change: Partial<Pick<MailboxRecord, 'name' | 'parent' | 'role' | 'order' | 'subscribed'>>): Mailbox {
    const before = this.existing(id);
    const { name, parent, role, order, subscribed, uidValidity } = { ...before, ...change };
    if (change.name !== undefined || change.parent !== undefined) this.checkedName(name, parent, id);
    if (change.role !== undefined) this.checkedRole(role, id);
    this.record({ do: 'mailbox.put', mailbox: { id, name: name.normalize('NFC'), parent, role, order, subscribed, uidValidity } });
    return this.mailbox(id)!;
  }

  removeMailbox(id: MailboxNumber): void {
    this.existing(id);
    if (this.mailboxes().some((mailbox) => mailbox.parent === id))
      throw new MailError('mailboxHasChild', 'the mailbox has mailboxes below it');
    this.removeObjects(annotationType, annotationPrefix(id));
    this.removeObjects(sharedAnnotationType, annotationPrefix(id));
    this.removeObjects(sharedSubscriptionType, sharedSubscriptionPrefix(id));
    this.record({ do: 'mailbox.remove', id });
    this.removeObject(mailboxAclType, mailboxAclId(id));
  }

  private removeObjects(type: string, prefix: string): void {
    for (const { id } of [...this.objects(type)]) if (id.startsWith(prefix)) this.removeObject(type, id);
  }

  addEmail(email: NewEmail): { id: EmailNumber; thread: ThreadNumber; uids: readonly Uid[] } {
    const { nextEmail } = this.view.meta();
    const { length } = email.blob instanceof CarriedBytes ? email.blob.bytes : email.blob;
    this.mustFit({ octets: length * email.mailboxes.length, messages: email.mailboxes.length });
    const id = nextEmail as EmailNumber;
    const thread = this.findThread(email.facts) ?? (this.view.meta().nextThread as ThreadNumber);
    const places = this.newPlaces(email.mailboxes, email.deleted === true);
    this.record({
      do: 'email.add',
      id,
      thread,
      blob: email.blob instanceof CarriedBytes ? this.carried.place(email.blob) : email.blob,
      receivedAt: email.receivedAt,
      keywords: checkedKeywords(email.keywords),
      in: places,
      facts: email.facts,
      text: email.text,
      preview: email.preview,
      delivery: email.delivery,
    });
    return { id, thread, uids: places.map((place) => place.uid) };
  }

  copy(from: MailboxNumber, uids: Ranges, to: MailboxNumber): readonly { from: Uid; to: Uid }[] {
    if (this.view.state.quotaLimits !== noLimits) {
      const sizes = this.rowsOf(from, uids).map(({ email }) => this.email(email)!.size);
      this.mustFit({ octets: sizes.reduce((sum, size) => sum + size, 0), messages: sizes.length });
    }
    return this.join(from, uids, to);
  }

  private mustFit(added: QuotaUsage): void {
    if (this.view.state.quotaLimits !== noLimits) mustFit(this.quota(), added);
  }

  private join(from: MailboxNumber, uids: Ranges, to: MailboxNumber): readonly { from: Uid; to: Uid }[] {
    this.existing(to);
    const pairs: { from: Uid; to: Uid }[] = [];
    let joining: EmailNumber[] = [];
    let firstUid = 0;
    const flush = () => {
      if (joining.length > 0) this.record({ do: 'membership.add', mailbox: to, emails: rangesOf(joining), uid: firstUid as Uid });
      joining = [];
    };
    for (const { uid, email } of this.rowsOf(from, uids)) {
      const next = (this.existing(to).uidNext + joining.length) as Uid;
      const deleted = this.membership(from, uid)!.deleted;
      const isThere = this.email(email)!.memberships.some((place) => place.mailbox === to);
      if (!isThere && !deleted) {
        if (joining.length === 0) firstUid = next;
        joining.push(email);
        pairs.push({ from: uid, to: next });
        continue;
      }
      flush();
      pairs.push({ from: uid, to: isThere ? this.addCopy(email, to, deleted).uid : this.joinDeleted(email, to) });
    }
    flush();
    return pairs;
  }

  /** RFC 9051 §6.4.7: the copy has the flags of the original, `\Deleted` too. */
  private joinDeleted(email: EmailNumber, to: MailboxNumber): Uid {
    const uid = this.existing(to).uidNext;
    this.record({ do: 'membership.add', mailbox: to, emails: [[email, email]], uid });
    this.record({ do: 'membership.deleted', mailbox: to, uids: [[uid, uid]], deleted: true });
    return uid;
  }

  copyAsNew(email: EmailNumber, to: MailboxNumber, flags: { readonly keywords: readonly string[]; readonly deleted: boolean }) {
    this.mustFit({ octets: this.existingEmail(email).size, messages: 1 });
    return this.addCopy(email, to, flags.deleted, checkedKeywords(flags.keywords));
  }

  private addCopy(email: EmailNumber, to: MailboxNumber, deleted: boolean, given?: readonly string[]): { id: EmailNumber; uid: Uid } {
    const id = this.view.meta().nextEmail as EmailNumber;
    const { thread, keywords } = this.email(email)!;
    const places = this.newPlaces([to], deleted);
    this.record({ do: 'email.copy', from: email, id, thread, keywords: given ?? keywords, in: places });
    return { id, uid: places[0]!.uid };
  }

  move(from: MailboxNumber, uids: Ranges, to: MailboxNumber): readonly { from: Uid; to: Uid }[] {
    // For a moment they are there twice: no reason to refuse.
    const pairs = this.join(from, uids, to);
    this.expunge(from, rangesOf(pairs.map((pair) => pair.from)));
    return pairs;
  }

  expunge(mailbox: MailboxNumber, uids: Ranges): Ranges {
    const there = rangesOf(this.rowsOf(mailbox, uids).map(({ uid }) => uid));
    if (there.length > 0) this.record({ do: 'membership.remove', mailbox, uids: there });
    return there;
  }

  setMailboxes(email: EmailNumber, mailboxes: readonly MailboxNumber[]): void {
    const wanted = new Set(mailboxes);
    if (wanted.size === 0) throw new MailError('invalidArguments', 'an email is in at least one mailbox');
    const { memberships, size } = this.existingEmail(email);
    const more = wanted.size - memberships.length;
    if (more > 0) this.mustFit({ octets: size * more, messages: more });
    for (const mailbox of wanted) {
      const place = memberships.find((membership) => membership.mailbox === mailbox);
      const { uidNext } = this.existing(mailbox);
      if (place === undefined) this.record({ do: 'membership.add', mailbox, emails: [[email, email]], uid: uidNext });
      else if (place.deleted) this.record({ do: 'membership.deleted', mailbox, uids: [[place.uid, place.uid]], deleted: false });
    }
    for (const { mailbox, uid } of memberships) {
      if (!wanted.has(mailbox)) this.record({ do: 'membership.remove', mailbox, uids: [[uid, uid]] });
    }
  }

  destroyEmails(emails: Ranges): void {
    const there = this.existingOf(emails);
    if (there.length > 0) this.record({ do: 'email.remove', emails: there });
  }

  changeKeywords(emails: Ranges, change: { set?: readonly string[]; add?: readonly string[]; remove?: readonly string[] }): void {
    const there = this.existingOf(emails);
    if (there.length === 0) return;
    this.record({
      do: 'keywords',
      emails: there,
      ...(change.set === undefined ? {} : { set: checkedKeywords(change.set) }),
      ...(change.add === undefined ? {} : { add: checkedKeywords(change.add) }),
      ...(change.remove === undefined ? {} : { remove: checkedKeywords(change.remove) }),
    });
  }

  changeFlags(
    mailbox: MailboxNumber,
    uids: Ranges,
    change: { set?: readonly string[]; add?: readonly string[]; remove?: readonly string[]; deleted?: boolean },
  ): void {
    const rows = this.rowsOf(mailbox, uids);
    if (rows.length === 0) return;
    const { deleted, ...keywords } = change;
    if (keywords.set !== undefined || (keywords.add?.length ?? 0) > 0 || (keywords.remove?.length ?? 0) > 0) {
      this.changeKeywords(rangesOf(rows.map(({ email }) => email)), keywords);
    }
    if (deleted !== undefined) this.record({ do: 'membership.deleted', mailbox, uids: rangesOf(rows.map(({ uid }) => uid)), deleted });
  }

  changeSeen(viewer: AccountId, emails: Ranges, seen: boolean): void {
    const there = this.existingOf(emails);
    if (there.length > 0) this.record({ do: 'seen', viewer, emails: there, seen });
  }

  private existingOf(emails: Ranges): Ranges {
    return rangesOf([...eachOf(normalizeRanges(emails))].filter((email) => this.isThere(email)));
  }

  rememberIngest(key: string, email: EmailNumber | null): void {
    this.record({ do: 'ingest', key, email });
  }

  putObject(type: string, id: string, value: unknown): void {
    this.record({ do: 'object.put', type, id, value });
  }

  removeObject(type: string, id: string): void {
    this.record({ do: 'object.remove', type, id });
  }

  close(): void {
    this.record({ do: 'closed' });
  }

  /** The memberships among `uids`, ascending. */
  private rowsOf(mailbox: MailboxNumber, uids: Ranges): { uid: Uid; email: EmailNumber }[] {
    this.existing(mailbox);
    const rows: { uid: Uid; email: EmailNumber }[] = [];
    for (const [first, last] of normalizeRanges(uids))
      this.forEachMembership(mailbox, first, last, ({ uid, email }) => rows.push({ uid, email }));
    return rows;
  }

  private newPlaces(mailboxes: readonly MailboxNumber[], isDeleted: boolean): { mailbox: MailboxNumber; uid: Uid; deleted?: true }[] {
    if (mailboxes.length === 0) throw new MailError('invalidArguments', 'an email is in at least one mailbox');
    return [...new Set(mailboxes)].map((mailbox) => ({
      mailbox,
      uid: this.existing(mailbox).uidNext,
      ...(isDeleted ? { deleted: true as const } : {}),
    }));
  }

  private existing(id: MailboxNumber): Mailbox {
    const mailbox = this.mailbox(id);
    if (mailbox === undefined) throw new MailError('mailboxNotFound', 'there is no such mailbox');
    return mailbox;
  }

  private existingEmail(id: EmailNumber) {
    const email = this.email(id);
    if (email === undefined) throw new MailError('notFound', 'there is no such email');
    return email;
  }

  private isThere(email: number): boolean {
    const page = this.view.get(tables.emailPages, emailPageKey(emailPageOf(email)));
    return page !== undefined && page.mailbox[emailSlotOf(email)] !== 0;
  }

  /** The name as kept, if a mailbox may have it under `parent`. `self` is the mailbox that is renamed or moved. */
  private checkedName(raw: string, parent: MailboxNumber | null, self: MailboxNumber | undefined): string {
    const name = raw.normalize('NFC');
    if (name === '' || name.length > mailboxNameCharsMax)
      throw new MailError('invalidName', `a mailbox name has 1 to ${mailboxNameCharsMax} characters`);
    if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(name))
      throw new MailError('invalidName', 'a mailbox name has no control characters');
    let depth = 1;
    for (let above = parent; above !== null; above = this.existing(above).parent) {
      if (above === self) throw new MailError('invalidArguments', 'a mailbox cannot be below itself');
      depth += 1;
      if (depth > mailboxDepthMax) throw new MailError('limit', `mailboxes nest at most ${mailboxDepthMax} deep`);
    }
    const isTaken = this.mailboxes().some((mailbox) => mailbox.id !== self && mailbox.parent === parent && mailbox.name === name);
    const isInbox =
      parent === null &&
      name.toUpperCase() === 'INBOX' &&
      this.mailboxes().some((mailbox) => mailbox.id !== self && mailbox.role === 'inbox');
    if (isTaken || isInbox) throw new MailError('alreadyExists', 'there is a mailbox of this name already');
    return name;
  }

  private checkedRole(role: MailboxRole | null, self: MailboxNumber | undefined): MailboxRole | null {
    if (role !== null && this.mailboxes().some((mailbox) => mailbox.id !== self && mailbox.role === role)) {
      throw new MailError('alreadyExists', `another mailbox has the role ${role} already`);
    }
    return role;
  }
}

function checkedKeywords(keywords: readonly string[]): readonly string[] {
  const lower = [...new Set(keywords.map((keyword) => keyword.toLowerCase()))];
  if (lower.length > keywordsMax) throw new MailError('limit', `an email has at most ${keywordsMax} keywords`);
  return lower;
}

export type { Range };
