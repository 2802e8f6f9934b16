/** Gathers what a mutation changes, for the journal and the watchers. A row that comes and goes in one mutation leaves no trace. */
import type { EmailNumber, MailboxNumber, ModSeq } from '../../protocol/mail/ids.ts';
import { type Ranges, rangesOf } from '../../protocol/mail/ranges.ts';
import type { Effect, MailboxEffect } from '../account/api.ts';
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

  record(mailbox: number, how: How): void {
    this.records.note(mailbox, how);
  }

  uid(mailbox: number, uid: number, how: How): void {
    let ledger = this.uids.get(mailbox);
    if (ledger === undefined) this.uids.set(mailbox, (ledger = new Ledger()));
    ledger.note(uid, how);
  }

  object(type: string, id: string, how: How): void {
    this.objects.note(`${type}\0${id}`, how);
  }

  get isEmpty(): boolean {
    return (
      this.emails.isEmpty &&
      this.threads.isEmpty &&
      this.objects.isEmpty &&
      this.records.isEmpty &&
      this.ingest.length === 0 &&
      !this.isClosed &&
      [...this.uids.values()].every((ledger) => ledger.isEmpty)
    );
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
        return { type, id, how };
      }),
    };
    return this.ingest.length === 0 ? effect : { ...effect, ingest: this.ingest };
  }
}

function threeWays(ledger: Ledger<number> | undefined): { added: Ranges; changed: Ranges; removed: Ranges } {
  const of = (how: How) => {
    const keys = ledger?.keys(how) ?? [];
    return rangesOf(keys.length > 1 ? Float64Array.from(keys).sort() : keys);
  };
  return { added: of('added'), changed: of('changed'), removed: of('removed') };
}

export type { EmailNumber };
