/**
 * A mutation of an account by one of those with whom its mailboxes are shared: each method asks for the rights of RFC 4314 §4 as they are at its place in
 * the commit. 'forbidden' says that a right is missing, 'mailboxNotFound' and 'notFound' that he does not see what he names. His \Seen is his own.
 */
import { mailboxAclType, type Right, sharedSubscriptionId, sharedSubscriptionType } from '../../protocol/mail/acl.ts';
import { annotationType, isPrivateAnnotation, sharedAnnotationId, sharedAnnotationType } from '../../protocol/mail/annotation.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { AccountId, EmailNumber, MailboxNumber, ThreadNumber, Uid } from '../../protocol/mail/ids.ts';
import { contains, eachOf, normalizeRanges, type Ranges, rangesOf } from '../../protocol/mail/ranges.ts';
import type { AccountTransactor, Mailbox, NewEmail } from '../account/api.ts';
import type { MailboxRecord, MailboxRole } from '../log/record.ts';
import { SharedReader, sharedUploadType, transferPrefix, uploadType } from './shared-reader.ts';

const seen = '$seen';

interface KeywordChange {
  readonly set?: readonly string[];
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

export class SharedTransactor extends SharedReader implements AccountTransactor {
  declare protected readonly base: AccountTransactor;

  constructor(base: AccountTransactor, viewer: AccountId) {
    super(base, viewer);
  }

  get at(): number {
    return this.base.at;
  }

  get onJoin(): AccountTransactor['onJoin'] {
    return this.base.onJoin;
  }

  set onJoin(onJoin: AccountTransactor['onJoin']) {
    this.base.onJoin = onJoin;
  }

  /** The owner's record of a mailbox that he sees and has these rights on. */
  private mustHave(mailbox: MailboxNumber, rights: string): Mailbox {
    const record = this.base.mailbox(mailbox);
    if (record === undefined || !this.isVisible(mailbox)) throw new MailError('mailboxNotFound', 'there is no such mailbox');
    if (!this.rightsOn(mailbox).hasAll(rights)) throw new MailError('forbidden', `the right ${lacking(rights)} on the mailbox is missing`);
    return record;
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
    if (parent === null || role !== null)
      throw new MailError('forbidden', 'only the owner makes mailboxes with a role, or below no other mailbox');
    const above = this.mustHave(parent, 'k');
    // Whether there is one of this name that he does not see is not for him to know.
    const isHidden = this.base.mailboxes().some((other) => other.parent === parent && other.name === name && !this.isVisible(other.id));
    if (isHidden) throw new MailError('forbidden', 'a mailbox of this name cannot be made here');
    const { id } = this.base.createMailbox({ name, parent, order, subscribed: above.subscribed });
    if (subscribed) this.subscribe(id, true);
    return this.mailbox(id)!;
  }

  updateMailbox(id: MailboxNumber, change: Partial<Pick<MailboxRecord, 'name' | 'parent' | 'role' | 'order' | 'subscribed'>>): Mailbox {
    const record = this.mustHave(id, '');
    const shown = this.mailbox(id)!;
    if (change.role !== undefined && change.role !== record.role)
      throw new MailError('forbidden', 'only the owner gives roles to mailboxes');
    const name = change.name === undefined || change.name === shown.name ? record.name : change.name;
    const parent = change.parent === undefined || change.parent === shown.parent ? record.parent : change.parent;
    const order = change.order ?? record.order;
    if (name !== record.name || parent !== record.parent) this.mayBecome(record, parent);
    if (order !== record.order) this.mustHave(id, 'x');
    this.base.updateMailbox(id, { name, parent, order });
    if (change.subscribed !== undefined) this.subscribe(id, change.subscribed);
    return this.mailbox(id)!;
  }

  /** RFC 4314 §4, RENAME: `k` is for another place, below which the right is asked. The owner's root has no list of rights, and is nobody else's to fill. */
  private mayBecome({ id, parent: before, role }: Mailbox, parent: MailboxNumber | null): void {
    this.mustHave(id, 'x');
    if (role === 'inbox') throw new MailError('forbidden', 'the INBOX of another account is not renamed');
    if (parent === before) return;
    if (parent !== null) this.mustHave(parent, 'k');
    else throw new MailError('forbidden', 'only the owner puts mailboxes below no other');
  }

  private subscribe(mailbox: MailboxNumber, isSubscribed: boolean): void {
    const id = sharedSubscriptionId(mailbox, this.viewer);
    if (isSubscribed) this.base.putObject(sharedSubscriptionType, id, {});
    else this.base.removeObject(sharedSubscriptionType, id);
  }

  removeMailbox(id: MailboxNumber): void {
    const { role } = this.mustHave(id, 'x');
    if (role !== null) throw new MailError('forbidden', 'only the owner removes mailboxes with a role');
    this.base.removeMailbox(id);
  }

  /** RFC 4314 §4, APPEND: flags that he may not set are left out. */
  addEmail(email: NewEmail): { readonly id: EmailNumber; readonly thread: ThreadNumber; readonly uids: readonly Uid[] } {
    for (const mailbox of email.mailboxes) this.mustHave(mailbox, 'i');
    const may = (right: Right) => email.mailboxes.every((mailbox) => this.rightsOn(mailbox).has(right));
    const keywords = may('w') ? email.keywords.filter((keyword) => keyword.toLowerCase() !== seen) : [];
    const added = this.base.addEmail({ ...email, keywords, deleted: email.deleted === true && may('t') });
    if (may('s') && email.keywords.some((keyword) => keyword.toLowerCase() === seen))
      this.base.changeSeen(this.viewer, [[added.id, added.id]], true);
    return added;
  }

  copy(from: MailboxNumber, uids: Ranges, to: MailboxNumber): readonly { readonly from: Uid; readonly to: Uid }[] {
    this.mustHave(from, 'r');
    this.mustHave(to, 'i');
    return this.copied(from, uids, to);
  }

  /** RFC 6851 §4.2: the rights of COPY, of STORE \Deleted and of EXPUNGE. */
  move(from: MailboxNumber, uids: Ranges, to: MailboxNumber): readonly { readonly from: Uid; readonly to: Uid }[] {
    this.mustHave(from, 'rte');
    this.mustHave(to, 'i');
    if (this.rightsOn(to).hasAll('swt')) return this.base.move(from, uids, to);
    const pairs = this.copied(from, uids, to);
    this.base.expunge(from, rangesOf(pairs.map((pair) => pair.from)));
    return pairs;
  }

  /**
   * RFC 4314 §4, COPY: flags that he may not set there stay behind. Keywords are the email's, in every mailbox; a copy without them is another email on the
   * same bytes.
   */
  private copied(from: MailboxNumber, uids: Ranges, to: MailboxNumber): readonly { readonly from: Uid; readonly to: Uid }[] {
    const rights = this.rightsOn(to);
    if (rights.hasAll('sw')) return this.withoutDeleted(to, this.base.copy(from, uids, to));
    const pairs: { from: Uid; to: Uid }[] = [];
    for (const uid of this.uidsAmong(from, uids)) {
      const { email, deleted } = this.base.membership(from, uid)!;
      const { keywords } = this.email(email)!;
      const kept = keywords.filter((keyword) => rights.has(keyword === seen ? 's' : 'w'));
      if (kept.length === keywords.length) pairs.push(...this.withoutDeleted(to, this.base.copy(from, [[uid, uid]], to)));
      else pairs.push({ from: uid, to: this.copyAsNew(email, to, { keywords: kept, deleted }).uid });
    }
    return pairs;
  }

  /** What the owner has seen is a keyword of the email, and of a new one none. */
  copyAsNew(
    email: EmailNumber,
    to: MailboxNumber,
    { keywords, deleted }: { readonly keywords: readonly string[]; readonly deleted: boolean },
  ) {
    this.mustSee(email);
    this.mustHave(to, 'i');
    const others = keywords.filter((keyword) => keyword !== seen && this.rightsOn(to).has('w'));
    const copy = this.base.copyAsNew(email, to, { keywords: others, deleted: deleted && this.rightsOn(to).has('t') });
    this.base.changeSeen(this.viewer, [[copy.id, copy.id]], keywords.includes(seen) && this.rightsOn(to).has('s'));
    return copy;
  }

  private uidsAmong(mailbox: MailboxNumber, uids: Ranges): Uid[] {
    const there: Uid[] = [];
    for (const [first, last] of normalizeRanges(uids)) this.base.forEachMembership(mailbox, first, last, ({ uid }) => there.push(uid));
    return there;
  }

  /** RFC 4314 §4, COPY: without `t` the copies are not \Deleted. */
  private withoutDeleted<T extends { readonly to: Uid }>(to: MailboxNumber, pairs: readonly T[]): readonly T[] {
    if (!this.rightsOn(to).has('t')) this.base.changeFlags(to, rangesOf(pairs.map((pair) => pair.to)), { deleted: false });
    return pairs;
  }

  expunge(mailbox: MailboxNumber, uids: Ranges): Ranges {
    this.mustHave(mailbox, 're');
    return this.base.expunge(mailbox, uids);
  }

  /** What he does not see stays as it is. */
  setMailboxes(email: EmailNumber, mailboxes: readonly MailboxNumber[]): void {
    this.requireMailboxes(email, mailboxes);
    const hidden = this.base.email(email)!.memberships.filter(({ mailbox }) => !this.isReadable(mailbox));
    this.base.setMailboxes(email, [...mailboxes, ...hidden.map(({ mailbox }) => mailbox)]);
  }

  /** Throws where setMailboxes would. */
  requireMailboxes(email: EmailNumber, mailboxes: readonly MailboxNumber[]): void {
    const memberships = this.mustSee(email).filter(({ mailbox }) => this.isReadable(mailbox));
    const there = new Set(memberships.map(({ mailbox }) => mailbox));
    const wanted = new Set(mailboxes);
    if (wanted.size === 0) throw new MailError('invalidArguments', 'an email is in at least one mailbox');
    for (const mailbox of wanted) if (!there.has(mailbox)) this.mustHave(mailbox, 'i');
    for (const { mailbox, deleted } of memberships) {
      if (!wanted.has(mailbox)) this.mustHave(mailbox, 'te');
      else if (deleted) this.mustHave(mailbox, 't');
    }
  }

  /** They go from where he sees them. */
  destroyEmails(emails: Ranges): void {
    const whole: EmailNumber[] = [];
    for (const email of this.seenOf(emails)) {
      const { memberships } = this.base.email(email)!;
      const visible = memberships.filter(({ mailbox }) => this.isReadable(mailbox));
      this.requireRemoval(email);
      if (visible.length === memberships.length) whole.push(email);
      else for (const { mailbox, uid } of visible) this.base.expunge(mailbox, [[uid, uid]]);
    }
    this.base.destroyEmails(rangesOf(whole));
  }

  /** Throws where destroyEmails would. */
  requireRemoval(email: EmailNumber): void {
    for (const { mailbox } of this.mustSee(email)) if (this.isReadable(mailbox)) this.mustHave(mailbox, 'te');
  }

  /** RFC 8621 §2, maySetSeen and maySetKeywords: with the right in every mailbox that holds the email. */
  changeKeywords(emails: Ranges, change: KeywordChange): void {
    const there = rangesOf(this.seenOf(emails));
    for (const email of eachOf(there)) this.requireKeywords(email as EmailNumber, change);
    this.changeOthers(there, change);
    this.changeOwnSeen(there, change);
  }

  /** Throws where changeKeywords would. */
  requireKeywords(email: EmailNumber, change: KeywordChange): void {
    const rights = rightsFor(change);
    for (const { mailbox } of this.mustSee(email)) if (this.isReadable(mailbox)) this.mustHave(mailbox, rights);
  }

  /** RFC 4314 §4, STORE: what of it he may. 'forbidden' where that is nothing. */
  changeFlags(mailbox: MailboxNumber, uids: Ranges, { deleted, ...change }: KeywordChange & { readonly deleted?: boolean }): void {
    this.mustHave(mailbox, 'r');
    const rights = this.rightsOn(mailbox);
    const asked = rightsFor(change) + (deleted === undefined ? '' : 't');
    if (asked !== '' && !rights.hasAny(asked)) throw new MailError('forbidden', `the right ${lacking(asked)} on the mailbox is missing`);
    const emails: EmailNumber[] = [];
    const asRanges = normalizeRanges(uids);
    const first = asRanges[0]?.[0] ?? 1;
    this.base.forEachMembership(mailbox, first, asRanges.at(-1)?.[1] ?? 0, ({ uid, email }) => {
      if (contains(asRanges, uid)) emails.push(email);
    });
    const ranges = normalizeRanges(rangesOf(emails));
    if (rights.has('w')) this.changeOthers(ranges, change);
    if (rights.has('s')) this.changeOwnSeen(ranges, change);
    if (deleted !== undefined && rights.has('t')) this.base.changeFlags(mailbox, asRanges, { deleted });
  }

  /** Everybody's keywords: all but \Seen, which the owner has for himself. */
  private changeOthers(emails: Ranges, { set, add = [], remove = [] }: KeywordChange): void {
    const others = (keywords: readonly string[]) => keywords.filter((keyword) => keyword.toLowerCase() !== seen);
    if (set === undefined) {
      const change = { add: others(add), remove: others(remove) };
      if (change.add.length > 0 || change.remove.length > 0) this.base.changeKeywords(emails, change);
      return;
    }
    const bySeen: Record<'yes' | 'no', EmailNumber[]> = { yes: [], no: [] };
    for (const email of eachOf(emails) as Iterable<EmailNumber>)
      bySeen[this.base.email(email)?.keywords.includes(seen) ? 'yes' : 'no'].push(email);
    if (bySeen.yes.length > 0) this.base.changeKeywords(rangesOf(bySeen.yes), { set: [...others(set), seen] });
    if (bySeen.no.length > 0) this.base.changeKeywords(rangesOf(bySeen.no), { set: others(set) });
  }

  private changeOwnSeen(emails: Ranges, { set, add = [], remove = [] }: KeywordChange): void {
    const names = (keywords: readonly string[]) => keywords.some((keyword) => keyword.toLowerCase() === seen);
    if (set !== undefined) this.base.changeSeen(this.viewer, emails, names(set));
    else if (names(remove)) this.base.changeSeen(this.viewer, emails, false);
    else if (names(add)) this.base.changeSeen(this.viewer, emails, true);
  }

  changeSeen(viewer: AccountId, emails: Ranges, isSeen: boolean): void {
    if (viewer !== this.viewer) throw new MailError('forbidden', 'what others have seen is theirs');
    this.changeKeywords(emails, isSeen ? { add: [seen] } : { remove: [seen] });
  }

  /** Only what says that a message came from another account. */
  rememberIngest(key: string, email: EmailNumber | null): void {
    if (!key.startsWith(transferPrefix)) throw new MailError('forbidden', 'only the owner takes mail in');
    this.base.rememberIngest(key, email);
  }

  putObject(type: string, id: string, value: unknown): void {
    if (type === uploadType) this.base.putObject(sharedUploadType, this.uploadId(id), value);
    else if (this.isOwnAnnotation(type, id)) this.base.putObject(sharedAnnotationType, sharedAnnotationId(id, this.viewer), value);
    else {
      this.mayWrite(type, id);
      this.base.putObject(type, id, value);
    }
  }

  removeObject(type: string, id: string): void {
    if (type === uploadType) this.base.removeObject(sharedUploadType, this.uploadId(id));
    else if (this.isOwnAnnotation(type, id)) this.base.removeObject(sharedAnnotationType, sharedAnnotationId(id, this.viewer));
    else {
      this.mayWrite(type, id);
      this.base.removeObject(type, id);
    }
  }

  /** RFC 5464 §3.3: private annotations need the right to read. */
  private isOwnAnnotation(type: string, id: string): boolean {
    const mailbox = Number.parseInt(id, 10) as MailboxNumber;
    if (type !== annotationType || !isPrivateAnnotation(id) || Number.isNaN(mailbox)) return false;
    this.mustHave(mailbox, 'r');
    return true;
  }

  /** RFC 4314 §4: the list of rights with `a`, and whom it subscribes. RFC 5464 §3.3: shared annotations with `w`. */
  private mayWrite(type: string, id: string): void {
    const mailbox = Number.parseInt(id, 10) as MailboxNumber;
    if (type === mailboxAclType || type === sharedSubscriptionType) this.mustHave(mailbox, 'a');
    else if (type === annotationType && !Number.isNaN(mailbox) && id.includes(':/shared/')) this.mustHave(mailbox, 'rw');
    else throw new MailError('forbidden', 'only the owner changes this');
  }

  close(): void {
    throw new MailError('forbidden', 'an account is not closed by others');
  }

  private mustSee(email: EmailNumber) {
    if (!this.sees(email)) throw new MailError('notFound', 'there is no such email');
    return this.base.email(email)!.memberships;
  }

  private seenOf(emails: Ranges): EmailNumber[] {
    return ([...eachOf(normalizeRanges(emails))] as EmailNumber[]).filter((email) => this.sees(email));
  }
}

/** The rights that a change of keywords needs. */
function rightsFor({ set, add = [], remove = [] }: KeywordChange): string {
  if (set !== undefined) return 'sw';
  const all = [...add, ...remove].map((keyword) => keyword.toLowerCase());
  return `${all.includes(seen) ? 's' : ''}${all.some((keyword) => keyword !== seen) ? 'w' : ''}`;
}

const lacking = (rights: string): string => [...rights].join(' or ');
