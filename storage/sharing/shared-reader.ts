/**
 * An account as one of those with whom its mailboxes are shared may read it: the mailboxes on which he has `l`, the messages of those on which he has `r`
 * too, with his own \Seen in the place of the owner's. What else the account holds is not there for him. RFC 4314 §4 says which right is for what.
 */
import { mailboxAclType, type RightSet, sharedSubscriptionId, sharedSubscriptionType } from '../../protocol/mail/acl.ts';
import {
  annotationIdOfShared,
  annotationType,
  isPrivateAnnotation,
  sharedAnnotationId,
  sharedAnnotationType,
} from '../../protocol/mail/annotation.ts';
import type { AccountId, EmailNumber, MailboxNumber, ModSeq, ThreadNumber, Uid } from '../../protocol/mail/ids.ts';
import type { Quota } from '../../protocol/mail/quota.ts';
import type { MessageFacts } from '../../protocol/mime/facts.ts';
import type { KeptHeader } from '../../protocol/mime/kept-header.ts';
import type {
  AccountReader,
  CandidateSet,
  Effect,
  Email,
  Mailbox,
  Membership,
  MembershipRow,
  SearchField,
  SeenMarks,
  WireForms,
} from '../account/api.ts';
import type { BlobRef, DeliveryFacts, MailboxRole } from '../log/record.ts';
import { rightsOf } from './rights.ts';
import { sharedEffects } from './shared-effects.ts';

const seen = '$seen';
/** Uploads of the viewer are kept apart from the owner's. */
const uploadType = 'upload';
const sharedUploadType = 'sharedUpload';
/** Keys by which a message that comes from another account is known to have come. */
export const transferPrefix = 'transfer:';

/** What follows from rights and marks, for as long as nothing has changed. */
interface Known {
  readonly modSeq: number;
  readonly rights: Map<MailboxNumber, RightSet>;
  readonly visibleEmails: Map<EmailNumber, boolean>;
}

type Counts = Pick<Mailbox, 'unseen' | 'unread'>;

/** What readers of the applied state remember from read to read. */
export class SharedMemory {
  known: Known | undefined;
  readonly counts = new Map<MailboxNumber, { readonly highest: number; readonly seen: number; readonly counts: Counts }>();
}

/** Emails whose visibility is remembered of one state of the account. */
const visibleEmailsMax = 10_000;

export class SharedReader implements AccountReader {
  readonly viewer: AccountId;
  protected readonly base: AccountReader;
  private readonly memory: SharedMemory | undefined;

  /** `memory`: absent on a mutation's reader, whose state is nobody else's and changes as it goes. */
  constructor(base: AccountReader, viewer: AccountId, memory?: SharedMemory) {
    this.base = base;
    this.viewer = viewer;
    this.memory = memory;
  }

  private known(): Known | undefined {
    const { memory } = this;
    if (memory === undefined) return undefined;
    if (memory.known?.modSeq !== this.base.modSeq) memory.known = { modSeq: this.base.modSeq, rights: new Map(), visibleEmails: new Map() };
    return memory.known;
  }

  rightsOn(mailbox: MailboxNumber): RightSet {
    const known = this.known()?.rights;
    const before = known?.get(mailbox);
    if (before !== undefined) return before;
    const rights = rightsOf(this.base, mailbox, this.viewer);
    known?.set(mailbox, rights);
    return rights;
  }

  protected isVisible(mailbox: MailboxNumber): boolean {
    return this.rightsOn(mailbox).has('l');
  }

  /** Whether he may know what is in it. */
  isReadable(mailbox: MailboxNumber): boolean {
    return this.rightsOn(mailbox).hasAll('lr');
  }

  protected sees(email: EmailNumber): boolean {
    const known = this.known()?.visibleEmails;
    let sees = known?.get(email);
    if (sees === undefined) {
      sees = this.base.email(email)?.memberships.some(({ mailbox }) => this.isReadable(mailbox)) === true;
      if (known !== undefined && known.size < visibleEmailsMax) known.set(email, sees);
    }
    return sees;
  }

  get seq(): number {
    return this.base.seq;
  }

  get modSeq(): ModSeq {
    return this.base.modSeq;
  }

  get isClosed(): boolean {
    return this.base.isClosed;
  }

  mailboxes(): readonly Mailbox[] {
    return this.base
      .mailboxes()
      .filter(({ id }) => this.isVisible(id))
      .map((mailbox) => this.shown(mailbox));
  }

  mailbox(id: MailboxNumber): Mailbox | undefined {
    const mailbox = this.base.mailbox(id);
    return mailbox === undefined || !this.isVisible(id) ? undefined : this.shown(mailbox);
  }

  mailboxByRole(role: MailboxRole): Mailbox | undefined {
    const mailbox = this.base.mailboxByRole(role);
    return mailbox === undefined ? undefined : this.mailbox(mailbox.id);
  }

  mailboxByPath(path: readonly string[]): Mailbox | undefined {
    const mailbox = this.base.mailboxByPath(path);
    return mailbox === undefined ? undefined : this.mailbox(mailbox.id);
  }

  /** From the owner's root, what is not visible between included. */
  pathOf(id: MailboxNumber): readonly string[] {
    return this.isVisible(id) ? this.base.pathOf(id) : [];
  }

  private shown(mailbox: Mailbox): Mailbox {
    const { id, seenModSeqs } = mailbox;
    const subscribed = this.base.object(sharedSubscriptionType, sharedSubscriptionId(id, this.viewer)) !== undefined;
    const own = { ...mailbox, ...this.place(mailbox), subscribed, seenModSeqs: {} };
    if (!this.isReadable(id)) return { ...own, total: 0, unseen: 0, size: 0, deleted: 0, deletedSize: 0, visible: 0, unread: 0 };
    const seenModSeq = seenModSeqs?.[this.viewer] ?? 0;
    return {
      ...own,
      ...this.counts(mailbox, seenModSeq),
      highestModSeq: Math.max(mailbox.highestModSeq, seenModSeq) as ModSeq,
      changedModSeq: Math.max(mailbox.changedModSeq, seenModSeq) as ModSeq,
    };
  }

  /** RFC 8621 §2: below the nearest mailbox that he sees; what stands between is part of the name, so that it is one of its kind among its neighbours. */
  private place({ name, parent }: Mailbox): Pick<Mailbox, 'name' | 'parent'> {
    let shownName = name;
    let above = parent;
    while (above !== null && !this.isVisible(above)) {
      const hidden = this.base.mailbox(above);
      if (hidden === undefined) break;
      shownName = `${hidden.name}/${shownName}`;
      above = hidden.parent;
    }
    return { name: shownName, parent: above };
  }

  private counts(mailbox: Mailbox, seenModSeq: number): Counts {
    const remembered = this.memory?.counts.get(mailbox.id);
    if (remembered?.highest === mailbox.highestModSeq && remembered.seen === seenModSeq) return remembered.counts;
    const marks = this.base.seenMarks(this.viewer);
    const counts = { unseen: 0, unread: 0 };
    const isDraft = new Map<number, boolean>();
    this.base.forEachMembership(mailbox.id, 1, 0xffffffff, ({ email, keywordSet, deleted }) => {
      if (marks.isSeen(email)) return;
      counts.unseen += 1;
      let draft = isDraft.get(keywordSet);
      if (draft === undefined) isDraft.set(keywordSet, (draft = this.base.keywordsOf(keywordSet).includes('$draft')));
      if (!deleted && !draft) counts.unread += 1;
    });
    this.memory?.counts.set(mailbox.id, { highest: mailbox.highestModSeq, seen: seenModSeq, counts });
    return counts;
  }

  uids(mailbox: MailboxNumber): Uint32Array {
    return this.isReadable(mailbox) ? this.base.uids(mailbox) : new Uint32Array(0);
  }

  membership(mailbox: MailboxNumber, uid: Uid): Membership | undefined {
    const membership = this.isReadable(mailbox) ? this.base.membership(mailbox, uid) : undefined;
    if (membership === undefined) return undefined;
    const modSeq = this.base.seenMarks(this.viewer).modSeq(membership.email);
    return { ...membership, modSeq: Math.max(membership.modSeq, modSeq) as ModSeq };
  }

  forEachMembership(mailbox: MailboxNumber, first: number, last: number, visit: (row: MembershipRow) => void): void {
    if (!this.isReadable(mailbox)) return;
    const marks = this.base.seenMarks(this.viewer);
    this.base.forEachMembership(mailbox, first, last, (row) => {
      row.keywordSet = sharedSet(row.keywordSet, marks.isSeen(row.email));
      const modSeq = marks.modSeq(row.email);
      if (modSeq > row.modSeq) row.modSeq = modSeq;
      visit(row);
    });
  }

  keywordsOf(keywordSet: number): readonly string[] {
    const others = this.base.keywordsOf(Math.floor(keywordSet / 2)).filter((keyword) => keyword !== seen);
    return keywordSet % 2 === 0 ? others : [...others, seen].sort();
  }

  keywordsIn(mailbox: MailboxNumber): readonly string[] {
    return this.isReadable(mailbox) ? this.base.keywordsIn(mailbox) : [];
  }

  email(id: EmailNumber): Email | undefined {
    const email = this.base.email(id);
    const marks = this.base.seenMarks(this.viewer);
    const markedAt = marks.modSeq(id);
    const memberships = (email?.memberships ?? [])
      .filter(({ mailbox }) => this.isReadable(mailbox))
      .map((membership) => ({ ...membership, modSeq: Math.max(membership.modSeq, markedAt) as ModSeq }));
    if (email === undefined || memberships.length === 0) return undefined;
    const keywordSet = sharedSet(email.keywordSet, marks.isSeen(id));
    return { ...email, memberships, keywordSet, keywords: this.keywordsOf(keywordSet), modSeq: Math.max(email.modSeq, markedAt) as ModSeq };
  }

  /** Nobody looks at what others have seen. */
  seenMarks(viewer: AccountId): SeenMarks {
    return viewer === this.viewer ? this.base.seenMarks(viewer) : { isSeen: () => false, modSeq: () => 0 as ModSeq };
  }

  *emails(): Iterable<EmailNumber> {
    for (const email of this.base.emails()) if (this.sees(email)) yield email;
  }

  private of<T>(email: EmailNumber, read: () => T): T | undefined {
    return this.sees(email) ? read() : undefined;
  }

  facts(id: EmailNumber): MessageFacts | undefined {
    return this.of(id, () => this.base.facts(id));
  }

  headerBytes(id: EmailNumber): Uint8Array | undefined {
    return this.of(id, () => this.base.headerBytes(id));
  }

  keptHeader(id: EmailNumber): KeptHeader | undefined {
    return this.of(id, () => this.base.keptHeader(id));
  }

  wireForms(id: EmailNumber): WireForms | undefined {
    return this.of(id, () => this.base.wireForms(id));
  }

  bodyWire(id: EmailNumber): Uint8Array | undefined {
    return this.of(id, () => this.base.bodyWire(id));
  }

  blob(id: EmailNumber): BlobRef | undefined {
    return this.of(id, () => this.base.blob(id));
  }

  preview(id: EmailNumber): string | undefined {
    return this.of(id, () => this.base.preview(id));
  }

  delivery(id: EmailNumber): DeliveryFacts | undefined {
    return this.of(id, () => this.base.delivery(id));
  }

  text(id: EmailNumber): string {
    return this.of(id, () => this.base.text(id)) ?? '';
  }

  textBytes(id: EmailNumber): Buffer | undefined {
    return this.of(id, () => this.base.textBytes(id));
  }

  thread(id: ThreadNumber): readonly EmailNumber[] {
    return this.base.thread(id).filter((email) => this.sees(email));
  }

  findThread(facts: MessageFacts): ThreadNumber | undefined {
    const thread = this.base.findThread(facts);
    return thread !== undefined && this.thread(thread).length > 0 ? thread : undefined;
  }

  candidates(needle: string, field: SearchField): CandidateSet | undefined {
    return this.base.candidates(needle, field);
  }

  ingested(key: string): { readonly email: EmailNumber | null } | undefined {
    return key.startsWith(transferPrefix) ? this.base.ingested(key) : undefined;
  }

  quota(): Quota {
    return this.base.quota();
  }

  object<T>(type: string, id: string): T | undefined {
    if (type === uploadType) return this.base.object<T>(sharedUploadType, this.uploadId(id));
    if (type === annotationType && isPrivateAnnotation(id)) {
      const own = sharedAnnotationId(id, this.viewer);
      return this.mayReadAnnotation(id) ? this.base.object<T>(sharedAnnotationType, own) : undefined;
    }
    return this.mayRead(type, id) ? this.base.object<T>(type, id) : undefined;
  }

  /** Some are kept under another type here. */
  mayHaveObjects(): boolean {
    return true;
  }

  *objects<T>(type: string): Iterable<{ readonly id: string; readonly value: T; readonly modSeq: ModSeq }> {
    if (type === uploadType) {
      const prefix = this.uploadId('');
      for (const { id, ...rest } of this.base.objects<T>(sharedUploadType))
        if (id.startsWith(prefix)) yield { id: id.slice(prefix.length), ...rest };
    } else if (type === annotationType || type === mailboxAclType) {
      for (const object of this.base.objects<T>(type)) if (this.mayRead(type, object.id)) yield object;
      if (type === annotationType) yield* this.privateAnnotations<T>();
    }
  }

  /** Mail on its way out is its owner's. */
  *listed(): Iterable<string> {}

  private *privateAnnotations<T>(): Iterable<{ readonly id: string; readonly value: T; readonly modSeq: ModSeq }> {
    for (const { id, ...rest } of this.base.objects<T>(sharedAnnotationType)) {
      const own = annotationIdOfShared(id, this.viewer);
      if (own !== undefined && this.mayReadAnnotation(own)) yield { id: own, ...rest };
    }
  }

  protected uploadId(id: string): string {
    return `${this.viewer}/${id}`;
  }

  /** RFC 5464 §3.3: annotations with `r`, private ones are of each his own. RFC 4314 §4: the list of rights with `a`. */
  private mayRead(type: string, id: string): boolean {
    const mailbox = Number.parseInt(id, 10) as MailboxNumber;
    if (type === mailboxAclType) return this.rightsOn(mailbox).hasAll('la');
    return type === annotationType && !isPrivateAnnotation(id) && this.mayReadAnnotation(id);
  }

  /** Of a mailbox; those of the account are the owner's. */
  private mayReadAnnotation(id: string): boolean {
    const mailbox = Number.parseInt(id, 10) as MailboxNumber;
    return !Number.isNaN(mailbox) && this.isReadable(mailbox);
  }

  effectsSince(since: ModSeq): Iterable<Effect> | undefined {
    return sharedEffects(this.base, this.viewer, since);
  }
}

/** Numbers of a viewer's keyword sets: the owner's, doubled, and one more where he has seen it. */
const sharedSet = (keywordSet: number, isSeen: boolean): number => keywordSet * 2 + (isSeen ? 1 : 0);

export { sharedUploadType, uploadType };
