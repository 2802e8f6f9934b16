/**
 * Message ids of an account's messages as numbers, for threading: of each message its own, and those that it refers to. Read from the kept headers once
 * and remembered while the account is open, since messages do not change. Forgotten as a whole where they become too many.
 */
import type { EmailNumber } from '../../../protocol/mail/ids.ts';
import { unfold } from '../../../protocol/mime/header.ts';
import { parseMessageIds } from '../../../protocol/mime/message-id.ts';
import type { Account, AccountReader } from '../../../storage/account/api.ts';
import { threadIdsRememberedMax } from '../limits.ts';
import type { Session } from '../session.ts';

/** References of some messages: those of row i are `numbers` from starts[i] to starts[i + 1]. */
export interface References {
  readonly starts: Uint32Array;
  readonly numbers: Uint32Array;
}

interface Ids {
  readonly own: string | undefined;
  readonly references: readonly string[];
}

export class MessageIds {
  readonly #numbers = new Map<string, number>();
  /** By email: its own id's number, 0 for none; where its references begin in the pool, and one more than their number, 0 for not yet read. */
  #own = new Uint32Array(1024);
  #starts = new Uint32Array(1024);
  #counts = new Uint32Array(1024);
  #pool = new Uint32Array(1024);
  #poolLength = 0;

  /** Message ids of these messages, as numbers below `idsEnd`. */
  async read(session: Session, emails: readonly EmailNumber[]): Promise<{ own: Uint32Array; references: References; idsEnd: number }> {
    if (this.#numbers.size > threadIdsRememberedMax) this.#forget();
    this.#makeRoom(emails.reduce((most, email) => Math.max(most, email), 0));
    // Again, should another session have made all be forgotten meanwhile.
    while (emails.some((email) => this.#counts[email] === 0)) await this.#readMissing(session, emails);
    return this.#of(emails);
  }

  async #readMissing({ view: { account }, output }: Session, emails: readonly EmailNumber[]): Promise<void> {
    for (let at = 0; at < emails.length; ) {
      account.read((reader) => {
        for (; at < emails.length && !output.needsPace; at += 1) if (this.#counts[emails[at]!] === 0) this.#remember(reader, emails[at]!);
      });
      if (at < emails.length) await output.pace();
    }
  }

  #of(emails: readonly EmailNumber[]): { own: Uint32Array; references: References; idsEnd: number } {
    const starts = new Uint32Array(emails.length + 1);
    let total = 0;
    for (const [row, email] of emails.entries()) {
      total += this.#counts[email]! - 1;
      starts[row + 1] = total;
    }
    const numbers = new Uint32Array(total);
    for (const [row, email] of emails.entries()) {
      const from = this.#starts[email]!;
      const to = starts[row]!;
      for (let at = starts[row + 1]! - to - 1; at >= 0; at -= 1) numbers[to + at] = this.#pool[from + at]!;
    }
    const own = Uint32Array.from(emails, (email) => this.#own[email]!);
    return { own, references: { starts, numbers }, idsEnd: this.#numbers.size + 1 };
  }

  #remember(reader: AccountReader, email: EmailNumber): void {
    const { own, references } = idsOf(reader, email);
    this.#own[email] = own === undefined ? 0 : this.#numberOf(own);
    this.#starts[email] = this.#poolLength;
    this.#counts[email] = references.length + 1;
    if (this.#poolLength + references.length > this.#pool.length)
      this.#pool = grown(this.#pool, (this.#poolLength + references.length) * 2);
    for (const id of references) this.#pool[this.#poolLength++] = this.#numberOf(id);
  }

  #numberOf(id: string): number {
    let number = this.#numbers.get(id);
    if (number === undefined) this.#numbers.set(id, (number = this.#numbers.size + 1));
    return number;
  }

  #makeRoom(lastEmail: number): void {
    if (lastEmail < this.#own.length) return;
    const size = Math.ceil((lastEmail + 1) * 1.5);
    this.#own = grown(this.#own, size);
    this.#starts = grown(this.#starts, size);
    this.#counts = grown(this.#counts, size);
  }

  #forget(): void {
    this.#numbers.clear();
    this.#counts.fill(0);
    this.#poolLength = 0;
  }
}

function grown(from: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(length);
  to.set(from);
  return to;
}

const byAccount = new WeakMap<Account, MessageIds>();

/** One per open account, shared by its sessions. */
export function messageIdsOf(account: Account): MessageIds {
  let ids = byAccount.get(account);
  if (ids === undefined) byAccount.set(account, (ids = new MessageIds()));
  return ids;
}

/** RFC 5256 §3: without a valid id in References, the first one of In-Reply-To is the only reference. */
function idsOf(reader: AccountReader, email: EmailNumber): Ids {
  const kept = reader.keptHeader(email);
  if (kept === undefined) return { own: undefined, references: [] };
  if (['message-id', 'references', 'in-reply-to'].some((name) => kept.leavesOut(name))) {
    const facts = reader.facts(email);
    return chosen(facts?.messageIds ?? [], facts?.references ?? [], facts?.inReplyTo ?? []);
  }
  const read = (name: string) => {
    const value = kept.lastValue(name);
    return value === undefined ? [] : parseMessageIds(unfold(value));
  };
  return chosen(read('message-id'), read('references'), read('in-reply-to'));
}

function chosen(own: readonly string[], references: readonly string[], inReplyTo: readonly string[]): Ids {
  const parents = references.length > 0 ? references : inReplyTo.slice(0, 1);
  return { own: own.length === 0 ? undefined : normalId(own[0]!), references: parents.map(normalId) };
}

/** RFC 5256 §3: quotes that say nothing make no difference. */
function normalId(id: string): string {
  return id.includes('"') ? id.replace(/"([^"\\]*)"/g, '$1') : id;
}
