/** Gathers what a mutation changes, for the journal and the watchers. A row that comes and goes in one mutation leaves no trace. */
import type { AccountId, EmailNumber, MailboxNumber, ModSeq } from '../../protocol/mail/ids.ts';
import { type Ranges, rangesOf } from '../../protocol/mail/ranges.ts';
import type { Effect, LeftRun, MailboxEffect, SeenEffect } from '../account/api.ts';
import type { JournalRow } from './tables.ts';

type How = 'added' | 'changed' | 'removed';

/** The last word on each of a set of things: added then changed is added, added then removed is nothing, removed then added is changed. */
class Ledger<K> {
  readonly entries = new Map<K, How>();

  note(key: K, how: How): void {
    const before = this.entries.get(key);
    if (before === undefined || before === how) this.entries.set(key, how);
    else if (before === 'added') {
      if (how === 'removed') this.entries.delete(key);
    } else if (before === 'changed') this.entries.set(key, how === 'removed' ? 'removed' : 'changed');
    else this.entries.set(key, 'changed');
  }

  get isEmpty(): boolean {
    return this.entries.size === 0;
  }

  keys(how: How): K[] {
    const keys: K[] = [];
    for (const [key, value] of this.entries) if (value === how) keys.push(key);
    return keys;
  }
}

export class EffectBuilder {
  readonly emails = new Ledger<number>();
  readonly threads = new Ledger<number>();
  readonly objects = new Ledger<string>();
  readonly ingest: string[] = [];
  isClosed = false;
  private readonly records = new Ledger<number>();
  private readonly uids = new Map<number, Ledger<number>>();
  private readonly left = new Map<number, Map<number, { email: number; thread: number }>>();
  private readonly seenBy = new Map<AccountId, { readonly emails: Set<number>; readonly mailboxes: Map<number, Set<number>> }>();
  private readonly ownSeen = new Map<number, Set<number>>();
  private readonly befores = new Map<string, unknown>();

  record(mailbox: number, how: How): void {
    this.records.note(mailbox, how);
  }

  /** `isOwnSeen`: of a shared mailbox, and only in what is the owner's `\Seen`. */
  uid(mailbox: number, uid: number, how: How, isOwnSeen = false): void {
    let ledger = this.uids.get(mailbox);
    if (ledger === undefined) this.uids.set(mailbox, (ledger = new Ledger()));
    if (!isOwnSeen) this.ownSeen.get(mailbox)?.delete(uid);
    else if (!ledger.entries.has(uid)) this.noteOwnSeen(mailbox, uid);
    ledger.note(uid, how);
  }

  private noteOwnSeen(mailbox: number, uid: number): void {
    const uids = this.ownSeen.get(mailbox);
    if (uids === undefined) this.ownSeen.set(mailbox, new Set([uid]));
    else uids.add(uid);
  }

  /** A UID of a shared mailbox, with its email, that is taken out. */
  leaves(mailbox: number, uid: number, email: number, thread: number): void {
    let rows = this.left.get(mailbox);
    if (rows === undefined) this.left.set(mailbox, (rows = new Map()));
    rows.set(uid, { email, thread });
  }

  /** \Seen of `viewer` changed on an email that is at this place. */
  seen(viewer: AccountId, email: number, mailbox: number, uid: number): void {
    const seen = this.seenBy.get(viewer) ?? { emails: new Set(), mailboxes: new Map() };
    this.seenBy.set(viewer, seen);
    seen.emails.add(email);
    const uids = seen.mailboxes.get(mailbox);
    if (uids === undefined) seen.mailboxes.set(mailbox, new Set([uid]));
    else uids.add(uid);
  }

  object(type: string, id: string, how: How): void {
    this.objects.note(`${type}\0${id}`, how);
  }

  /** What an object was before the mutation: its first change tells. */
  before(type: string, id: string, value: unknown): void {
    const key = `${type}\0${id}`;
    if (!this.befores.has(key)) this.befores.set(key, value);
  }

  hasObject(type: string, id: string): boolean {
    return this.objects.entries.has(`${type}\0${id}`);
  }

  get isEmpty(): boolean {
    return (
      this.emails.isEmpty &&
      this.threads.isEmpty &&
      this.objects.isEmpty &&
      this.records.isEmpty &&
      this.seenBy.size === 0 &&
      this.ingest.length === 0 &&
      !this.isClosed &&
      [...this.uids.values()].every((ledger) => ledger.isEmpty)
    );
  }

  private seenEffects(): SeenEffect[] {
    return Array.from(this.seenBy, ([viewer, { emails, mailboxes }]) => ({
      viewer,
      emails: sortedRanges(emails),
      mailboxes: Array.from(mailboxes, ([mailbox, uids]) => ({ mailbox: mailbox as MailboxNumber, uids: sortedRanges(uids) })),
    }));
  }

  /** Mailboxes whose messages changed. */
  touchedMailboxes(): number[] {
    return [...this.uids].filter(([, ledger]) => !ledger.isEmpty).map(([mailbox]) => mailbox);
  }

  touchedRecords(): number[] {
    return [...this.records.entries.keys()];
  }

  build(modSeq: ModSeq, at: number): JournalRow {
    const mailboxes: MailboxEffect[] = [];
    for (const mailbox of new Set([...this.touchedRecords(), ...this.touchedMailboxes()])) {
      const record = this.records.entries.get(mailbox);
      mailboxes.push({
        mailbox: mailbox as MailboxNumber,
        ...(record === undefined ? {} : { record }),
        ...threeWays(this.uids.get(mailbox)),
        ...leftOf(this.left.get(mailbox), this.uids.get(mailbox)),
        ...ownSeenOf(this.ownSeen.get(mailbox)),
      });
    }
    const effect: Effect = {
      modSeq,
      at,
      mailboxes,
      emails: threeWays(this.emails),
      threads: threeWays(this.threads),
      objects: [...this.objects.entries].map(([key, how]) => {
        const [type, id] = key.split('\0') as [string, string];
        const was = this.befores.get(key);
        return was === undefined ? { type, id, how } : { type, id, how, was };
      }),
      ...(this.seenBy.size === 0 ? {} : { seen: this.seenEffects() }),
    };
    return this.ingest.length === 0 ? effect : { ...effect, ingest: this.ingest };
  }
}

function sortedRanges(numbers: Iterable<number>): Ranges {
  return rangesOf(Float64Array.from(numbers).sort());
}

function threeWays(ledger: Ledger<number> | undefined): { added: Ranges; changed: Ranges; removed: Ranges } {
  const of = (how: How) => {
    const keys = ledger?.keys(how) ?? [];
    return rangesOf(keys.length > 1 ? Float64Array.from(keys).sort() : keys);
  };
  return { added: of('added'), changed: of('changed'), removed: of('removed') };
}

/** Of UIDs that were there before the mutation and are gone after it. */
function leftOf(
  rows: ReadonlyMap<number, { email: number; thread: number }> | undefined,
  ledger: Ledger<number> | undefined,
): { left?: readonly LeftRun[] } {
  const runs: [number, number, number, number][] = [];
  for (const uid of rows === undefined ? [] : (ledger?.keys('removed') ?? []).sort((a, b) => a - b)) {
    const row = rows!.get(uid);
    if (row === undefined) continue;
    const last = runs.at(-1);
    if (last !== undefined && uid === last[0] + last[3] && row.email === last[1] + last[3] && row.thread === last[2] + last[3])
      last[3] += 1;
    else runs.push([uid, row.email, row.thread, 1]);
  }
  return runs.length === 0 ? {} : { left: runs };
}

const ownSeenOf = (uids: ReadonlySet<number> = new Set()): { ownSeen?: Ranges } =>
  uids.size === 0 ? {} : { ownSeen: rangesOf([...uids].sort((a, b) => a - b)) };

export type { EmailNumber };
