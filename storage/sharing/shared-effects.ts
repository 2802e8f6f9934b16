/**
 * What the effects of an account are for somebody it shares mailboxes with: what comes into his sight is added, what goes out of it is removed, what stays
 * in it is changed, and nothing else is told. Rights change between effects, and emails move between what he sees and what he does not; so the
 * effects are walked back from the present, which is known, undoing each: before every one of them it is then known which mailboxes he saw and where
 * the emails were. Pure; nothing is kept.
 */
import {
  type AclIdentifier,
  anyone,
  type MailboxAcl,
  mailboxAclType,
  RightSet,
  sharedSubscriptionId,
  sharedSubscriptionType,
} from '../../protocol/mail/acl.ts';
import type { AccountId, EmailNumber, MailboxNumber, ModSeq, ThreadNumber, Uid } from '../../protocol/mail/ids.ts';
import { eachOf, normalizeRanges, rangesOf, withoutNumbers } from '../../protocol/mail/ranges.ts';
import type { AccountReader, Effect, MailboxEffect, SeenEffect } from '../account/api.ts';

/** Rights that an ACL gives to an account: its own and those of anyone. */
export function rightsIn(acl: MailboxAcl | undefined, viewer: AccountId): RightSet {
  const of = (identifier: AclIdentifier) => acl?.rights[identifier] ?? '';
  return RightSet.of(of(viewer) + of(anyone));
}

/** Effects after `since` as the viewer is told of them; undefined where they are not kept. `reader` is the owner's. */
export function sharedEffects(reader: AccountReader, viewer: AccountId, since: ModSeq): Effect[] | undefined {
  const effects = reader.effectsSince(since);
  if (effects === undefined) return undefined;
  const all = Array.from(effects, withoutOwnSeen);
  if (all.length === 0) return all;
  const rewind = new Rewind(reader, viewer, all);
  const told: Effect[] = [];
  for (const effect of all.toReversed()) {
    const seen = rewind.undo(effect);
    if (seen !== undefined) told.push(seen);
  }
  return told.reverse();
}

type How = 'added' | 'changed' | 'removed';

/** Rights before and after an effect, of mailboxes where they are others. */
type Switched = ReadonlyMap<number, { readonly before: RightSet; readonly after: RightSet }>;

/** The account at a moment that goes back effect by effect. */
class Rewind {
  private readonly reader: AccountReader;
  private readonly viewer: AccountId;
  /** Rights at the moment; those of mailboxes that are not in it are none. */
  private readonly rights = new Map<number, RightSet>();
  /** Mailboxes whose messages he could read at some moment. */
  private readonly readable = new Set<number>();
  /** Emails at the moment by UID, of mailboxes that came into his sight or went out of it. */
  private readonly members = new Map<number, Map<number, number>>();
  /** Where an email is at the moment, by mailbox. */
  private readonly places = new Map<number, Map<number, number>>();
  private readonly threads = new Map<number, number>();
  /** Emails of what was taken out later, by mailbox and UID, and by thread. */
  private readonly gone = new Map<string, number>();
  private readonly goneOfThread = new Map<number, Set<number>>();

  constructor(reader: AccountReader, viewer: AccountId, effects: readonly Effect[]) {
    this.reader = reader;
    this.viewer = viewer;
    for (const { id, value } of reader.objects<MailboxAcl>(mailboxAclType)) this.note(Number(id), rightsIn(value, viewer), true);
    const toggled = new Set<number>();
    for (const { objects } of effects) {
      for (const { type, id, was } of objects) {
        if (type !== mailboxAclType) continue;
        this.note(Number(id), rightsIn(was as MailboxAcl | undefined, viewer), false);
        toggled.add(Number(id));
      }
    }
    for (const mailbox of toggled) if (this.readable.has(mailbox)) this.members.set(mailbox, this.membersNow(mailbox as MailboxNumber));
  }

  private note(mailbox: number, rights: RightSet, isNow: boolean): void {
    if (isNow) this.rights.set(mailbox, rights);
    if (isRead(rights)) this.readable.add(mailbox);
  }

  private membersNow(mailbox: MailboxNumber): Map<number, number> {
    const members = new Map<number, number>();
    this.reader.forEachMembership(mailbox, 1, 0xffffffff, ({ uid, email }) => members.set(uid, email));
    return members;
  }

  /** The effect as it is told, or undefined for nothing. The moment is then the one before it. */
  undo(effect: Effect): Effect | undefined {
    const switched = this.switchedBy(effect);
    const { touched: inSight, moved } = this.emailsTouchedBy(effect, switched);
    for (const [mailbox, { before, after }] of switched) {
      if (isRead(before) === isRead(after)) continue;
      for (const email of this.members.get(mailbox)?.values() ?? []) moved.add(email);
    }
    for (const { mailbox, left } of effect.mailboxes) if (switched.has(mailbox)) for (const [, email] of eachLeft(left)) moved.add(email);
    for (const email of moved) inSight.add(email);
    const threads = new Set(Array.from(inSight, (email) => this.threadOf(email)));
    const ofThreads = new Map(Array.from(threads, (thread) => [thread, this.emailsOf(thread)]));
    const after = this.look(inSight, ofThreads);
    const rightsAfter = new Map(this.rights);
    this.undoMoves(effect);
    for (const [mailbox, { before }] of switched) this.rights.set(mailbox, before);
    const before = this.look(inSight, ofThreads);

    const emails = new Told();
    const changedThreads = new Set(eachOf(effect.threads.changed));
    const threadsTold = new Told();
    for (const email of inSight) {
      const how = emails.note(email, before.emails.has(email), after.emails.has(email));
      if (how === undefined) continue;
      const thread = this.threadOf(email);
      // One that he saw as `\Deleted` only may have come to where it is not, or gone from there: its thread is another to him, and not to its owner.
      const isThread = how !== 'changed' || moved.has(email) || changedThreads.has(thread);
      if (isThread) threadsTold.note(thread, before.threads.has(thread), after.threads.has(thread));
    }
    const mailboxes = this.mailboxesTold(effect, switched, rightsAfter);
    if (mailboxes.length === 0 && emails.isEmpty && threadsTold.isEmpty) return undefined;
    return { modSeq: effect.modSeq, at: effect.at, mailboxes, emails: emails.ways(), threads: threadsTold.ways(), objects: [] };
  }

  /** Mailboxes whose rights the effect changed for him. */
  private switchedBy({ objects }: Effect): Map<number, { before: RightSet; after: RightSet }> {
    const switched = new Map<number, { before: RightSet; after: RightSet }>();
    for (const { type, id, was } of objects) {
      if (type !== mailboxAclType) continue;
      const after = this.rightsOn(Number(id));
      const before = rightsIn(was as MailboxAcl | undefined, this.viewer);
      if (before.letters !== after.letters) switched.set(Number(id), { before, after });
    }
    return switched;
  }

  private rightsOn(mailbox: number): RightSet {
    return this.rights.get(mailbox) ?? RightSet.none;
  }

  /** Emails that came, went (`moved`) or changed where he reads, and those that he has seen. */
  private emailsTouchedBy(effect: Effect, switched: ReadonlyMap<number, { before: RightSet }>) {
    const touched = new Set<number>();
    const moved = new Set<number>();
    for (const { mailbox, added, changed, left } of effect.mailboxes) {
      if (!this.readable.has(mailbox)) continue;
      for (const [uid, email, thread] of eachLeft(left)) this.noteGone(mailbox, uid, email, thread);
      if (!isRead(this.rightsOn(mailbox)) && !isRead(switched.get(mailbox)?.before ?? RightSet.none)) continue;
      for (const [, email] of eachLeft(left)) moved.add(email);
      for (const uid of eachOf(added)) {
        const email = this.emailAt(mailbox, uid);
        if (email !== undefined) moved.add(email);
      }
      for (const uid of eachOf(changed)) {
        const email = this.emailAt(mailbox, uid);
        if (email !== undefined) touched.add(email);
      }
    }
    for (const { emails } of this.seenBy(effect)) for (const email of eachOf(emails)) touched.add(email);
    return { touched, moved };
  }

  private noteGone(mailbox: number, uid: number, email: number, thread: number): void {
    this.gone.set(`${mailbox}:${uid}`, email);
    this.threads.set(email, thread);
    let members = this.goneOfThread.get(thread);
    if (members === undefined) this.goneOfThread.set(thread, (members = new Set()));
    members.add(email);
  }

  private seenBy({ seen = [] }: Effect): SeenEffect[] {
    return seen.filter(({ viewer }) => viewer === this.viewer);
  }

  /** undefined: it left before the mailbox was shared, and so before he could see it. */
  private emailAt(mailbox: number, uid: number): number | undefined {
    return this.reader.membership(mailbox as MailboxNumber, uid as Uid)?.email ?? this.gone.get(`${mailbox}:${uid}`);
  }

  private undoMoves({ mailboxes }: Effect): void {
    for (const { mailbox, added, left } of mailboxes) {
      if (!this.readable.has(mailbox)) continue;
      const members = this.members.get(mailbox);
      for (const uid of eachOf(added)) {
        const email = this.emailAt(mailbox, uid);
        members?.delete(uid);
        if (email !== undefined && this.placesOf(email).get(mailbox) === uid) this.placesOf(email).delete(mailbox);
      }
      for (const [uid, email] of eachLeft(left)) {
        members?.set(uid, email);
        this.placesOf(email).set(mailbox, uid);
      }
    }
  }

  /** First asked for before anything later was undone: until then an email is where it is now. */
  private placesOf(email: number): Map<number, number> {
    let places = this.places.get(email);
    if (places === undefined) {
      places = new Map();
      for (const { mailbox, uid } of this.reader.email(email as EmailNumber)?.memberships ?? []) places.set(mailbox, uid);
      this.places.set(email, places);
    }
    return places;
  }

  private threadOf(email: number): number {
    let thread = this.threads.get(email);
    if (thread === undefined) this.threads.set(email, (thread = this.reader.email(email as EmailNumber)?.thread ?? 0));
    return thread;
  }

  private emailsOf(thread: number): Set<number> {
    return new Set<number>([...this.reader.thread(thread as ThreadNumber), ...(this.goneOfThread.get(thread) ?? [])]);
  }

  /** What of these he sees at the moment. */
  private look(emails: Iterable<number>, ofThreads: ReadonlyMap<number, Iterable<number>>): { emails: Set<number>; threads: Set<number> } {
    const seen = { emails: new Set<number>(), threads: new Set<number>() };
    const sees = (email: number) => [...this.placesOf(email).keys()].some((mailbox) => isRead(this.rightsOn(mailbox)));
    for (const email of emails) if (sees(email)) seen.emails.add(email);
    for (const [thread, members] of ofThreads) {
      for (const email of members) {
        if (!seen.emails.has(email) && !sees(email)) continue;
        seen.threads.add(thread);
        break;
      }
    }
    return seen;
  }

  private mailboxesTold(effect: Effect, switched: Switched, after: ReadonlyMap<number, RightSet>): MailboxEffect[] {
    const given = this.withOwnMarks(effect);
    const anew = this.toldAnew(effect, switched, after);
    const told: MailboxEffect[] = [];
    for (const number of new Set([...given.keys(), ...anew])) {
      const mailbox = number as MailboxNumber;
      const one = given.get(mailbox);
      const [before, now] = [this.rightsOn(mailbox), after.get(mailbox) ?? RightSet.none];
      const { added, changed, removed } = one !== undefined && isRead(before) && isRead(now) ? one : noUids;
      if (before.has('l') !== now.has('l')) told.push({ mailbox, record: now.has('l') ? 'added' : 'removed', ...noUids });
      else if (!now.has('l')) continue;
      else if (one?.record !== undefined || anew.has(mailbox)) told.push({ mailbox, record: 'changed', added, changed, removed });
      else if (added.length + changed.length + removed.length > 0) told.push({ mailbox, added, changed, removed });
    }
    return told;
  }

  /** What the effect did to mailboxes, what he has seen among it. */
  private withOwnMarks(effect: Effect): Map<number, MailboxEffect> {
    const given = new Map<number, MailboxEffect>(effect.mailboxes.map((one) => [one.mailbox, one]));
    for (const { mailboxes } of this.seenBy(effect)) {
      for (const { mailbox, uids } of mailboxes) {
        const { changed, ...one } = given.get(mailbox) ?? { mailbox, ...noUids };
        given.set(mailbox, { ...one, changed: normalizeRanges([...changed, ...uids]) });
      }
    }
    return given;
  }

  /** Mailboxes that are another to him, whatever is in them: by his rights, by his subscription, by whom they are shared with, by their name and place. */
  private toldAnew({ objects, mailboxes }: Effect, switched: Switched, after: ReadonlyMap<number, RightSet>): Set<number> {
    const anew = new Set(switched.keys());
    for (const { type, id } of objects) {
      const mailbox = Number.parseInt(id, 10);
      if (type === mailboxAclType && after.get(mailbox)?.has('a') === true) anew.add(mailbox);
      if (type === sharedSubscriptionType && id === sharedSubscriptionId(mailbox as MailboxNumber, this.viewer)) anew.add(mailbox);
    }
    const isTreeChanged = switched.size > 0 || mailboxes.some(({ record }) => record === 'changed' || record === 'removed');
    if (isTreeChanged) for (const mailbox of after.keys()) if (this.isBelowHidden(mailbox, after)) anew.add(mailbox);
    return anew;
  }

  /** Its name and place follow from mailboxes above it that he does not see, or did not. */
  private isBelowHidden(mailbox: number, after: ReadonlyMap<number, RightSet>): boolean {
    const parent = this.reader.mailbox(mailbox as MailboxNumber)?.parent ?? null;
    return parent !== null && !(this.rightsOn(parent).has('l') && after.get(parent)?.has('l') === true);
  }
}

/** What only the owner has seen, or has not, is as it was to others. */
function withoutOwnSeen(effect: Effect): Effect {
  if (effect.mailboxes.every(({ ownSeen }) => ownSeen === undefined)) return effect;
  const mailboxes = effect.mailboxes.map(({ ownSeen = [], changed, ...one }) => ({
    ...one,
    changed: withoutNumbers(changed, eachOf(ownSeen)),
  }));
  return { ...effect, mailboxes };
}

const noUids: Pick<MailboxEffect, 'added' | 'changed' | 'removed'> = { added: [], changed: [], removed: [] };

const isRead = (rights: RightSet): boolean => rights.hasAll('lr');

function* eachLeft(left: MailboxEffect['left']): Generator<readonly [uid: number, email: number, thread: number]> {
  for (const [uid, email, thread, count] of left ?? []) {
    for (let at = 0; at < count; at += 1) yield [uid + at, email + at, thread + at];
  }
}

/** What is told of a kind of thing. */
class Told {
  private readonly hows = new Map<number, How>();

  /** By whether it was in sight, and is. What was told as more than changed stays so. */
  note(number: number, was: boolean, is: boolean): How | undefined {
    if (!was && !is) return undefined;
    const how = was && is ? 'changed' : is ? 'added' : 'removed';
    this.hows.set(number, how);
    return how;
  }

  get isEmpty(): boolean {
    return this.hows.size === 0;
  }

  ways(): Effect['emails'] {
    const of = (how: How) =>
      rangesOf(Float64Array.from(Array.from(this.hows).flatMap(([number, one]) => (one === how ? [number] : []))).sort());
    return { added: of('added'), changed: of('changed'), removed: of('removed') };
  }
}
