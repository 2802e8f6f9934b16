/**
 * Texts of messages that SORT and THREAD compare, as numbers: each text that occurs has one, each message the number of its text. Read from the kept
 * headers once and remembered while the account is open, since messages do not change. Forgotten as a whole where they become too many.
 */
import type { SortKey } from '../../../protocol/imap/commands/sort.ts';
import type { EmailNumber } from '../../../protocol/mail/ids.ts';
import { type Address, addrSpec, isGroup, parseAddresses } from '../../../protocol/mime/address.ts';
import { readBaseSubject } from '../../../protocol/mime/base-subject.ts';
import { decodeUnlabelled } from '../../../protocol/mime/charset.ts';
import { casemapKey } from '../../../protocol/mime/collation.ts';
import { decodeWords } from '../../../protocol/mime/encoded-word.ts';
import { unfold } from '../../../protocol/mime/header.ts';
import { subjectBytesMax } from '../../../protocol/mime/limits.ts';
import type { Account, AccountReader } from '../../../storage/account/api.ts';
import { sortTextCharsMax } from '../limits.ts';
import type { Session } from '../session.ts';

export type TextKey = Exclude<SortKey, 'ARRIVAL' | 'DATE' | 'SIZE'>;

/** A text, and whether a mark was taken off it. */
interface ReadText {
  readonly text: string;
  readonly isMarked?: boolean;
}

type ReadTextOf = (reader: AccountReader, email: EmailNumber) => ReadText;

/** High bit of a message's number: a reply or forward mark was taken off its subject. */
const markedBit = 0x8000_0000;

export class TextColumn {
  readonly #readText: ReadTextOf;
  /** By email: number of its text with its mark; 0 for not yet read. */
  #byEmail = new Uint32Array(1024);
  /** By number. Number 1 is the empty text. */
  #texts: string[] = ['', ''];
  #numbers = new Map([['', 1]]);
  #chars = 0;
  /** By number; of the texts at that time. */
  #ranks: Uint32Array = new Uint32Array(2);

  constructor(read: ReadTextOf) {
    this.#readText = read;
  }

  /** Places of these messages' texts among each other. */
  async ranks(session: Session, emails: readonly EmailNumber[]): Promise<Uint32Array> {
    const numbers = await this.#read(session, emails);
    const ranks = this.#ranked();
    return numbers.map((number) => ranks[number & ~markedBit]!);
  }

  /** Numbers of their texts, and which of them bore a mark. */
  async marked(session: Session, emails: readonly EmailNumber[]): Promise<{ numbers: Uint32Array; isMarked: Uint8Array }> {
    const numbers = await this.#read(session, emails);
    return { numbers: numbers.map((number) => number & ~markedBit), isMarked: Uint8Array.from(numbers, (number) => number >>> 31) };
  }

  async #read(session: Session, emails: readonly EmailNumber[]): Promise<Uint32Array> {
    if (this.#chars > sortTextCharsMax) this.#forget();
    this.#makeRoom(emails.reduce((most, email) => Math.max(most, email), 0));
    // Again, should another session have made all be forgotten meanwhile.
    while (emails.some((email) => this.#byEmail[email] === 0)) await this.#readMissing(session, emails);
    return Uint32Array.from(emails, (email) => this.#byEmail[email]!);
  }

  async #readMissing({ view: { account }, output }: Session, emails: readonly EmailNumber[]): Promise<void> {
    for (let at = 0; at < emails.length; ) {
      account.read((reader) => {
        for (; at < emails.length && !output.needsPace; at += 1) {
          const email = emails[at]!;
          if (this.#byEmail[email] === 0) this.#byEmail[email] = this.#numberOf(this.#readText(reader, email));
        }
      });
      if (at < emails.length) await output.pace();
    }
  }

  #makeRoom(lastEmail: number): void {
    if (lastEmail < this.#byEmail.length) return;
    const larger = new Uint32Array(Math.ceil((lastEmail + 1) * 1.5));
    larger.set(this.#byEmail);
    this.#byEmail = larger;
  }

  #ranked(): Uint32Array {
    if (this.#ranks.length < this.#texts.length) {
      const numbers = Array.from(this.#texts.keys()).sort((a, b) => (this.#texts[a]! < this.#texts[b]! ? -1 : 1));
      this.#ranks = new Uint32Array(numbers.length);
      for (const [rank, number] of numbers.entries()) this.#ranks[number] = rank;
    }
    return this.#ranks;
  }

  #numberOf({ text, isMarked = false }: ReadText): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#texts.push(text) - 1;
      this.#numbers.set(text, number);
      this.#chars += text.length;
    }
    return isMarked ? (number | markedBit) >>> 0 : number;
  }

  #forget(): void {
    this.#byEmail.fill(0);
    this.#texts = ['', ''];
    this.#numbers = new Map([['', 1]]);
    this.#ranks = new Uint32Array(2);
    this.#chars = 0;
  }
}

export class SortTexts {
  readonly #columns = new Map<TextKey, TextColumn>();

  column(key: TextKey): TextColumn {
    let column = this.#columns.get(key);
    if (column === undefined) this.#columns.set(key, (column = new TextColumn(readers[key])));
    return column;
  }
}

const byAccount = new WeakMap<Account, SortTexts>();

/** One per open account, shared by its sessions. */
export function sortTextsOf(account: Account): SortTexts {
  let texts = byAccount.get(account);
  if (texts === undefined) byAccount.set(account, (texts = new SortTexts()));
  return texts;
}

const readers: Readonly<Record<TextKey, ReadTextOf>> = {
  SUBJECT: readSubject,
  // RFC 5256 §3: addr-mailbox of the first address; of a group its name stands there in ENVELOPE.
  FROM: (reader, email) => ({ text: mailboxKey(firstAddress(reader, email, 'from')) }),
  TO: (reader, email) => ({ text: mailboxKey(firstAddress(reader, email, 'to')) }),
  CC: (reader, email) => ({ text: mailboxKey(firstAddress(reader, email, 'cc')) }),
  DISPLAYFROM: (reader, email) => ({ text: displayKey(firstAddress(reader, email, 'from')) }),
  DISPLAYTO: (reader, email) => ({ text: displayKey(firstAddress(reader, email, 'to')) }),
};

/** RFC 5256 §2.1. */
function readSubject(reader: AccountReader, email: EmailNumber): ReadText {
  const kept = reader.keptHeader(email);
  if (kept === undefined) return { text: '' };
  const subject = kept.leavesOut('subject')
    ? (reader.facts(email)?.subject ?? '')
    : decodeWords(unfold(kept.lastValue('subject')?.slice(0, subjectBytesMax) ?? '').trim()).replaceAll('\0', ' ');
  const { text, isReplyOrForward } = readBaseSubject(subject);
  return { text: casemapKey(text), isMarked: isReplyOrForward };
}

function firstAddress(reader: AccountReader, email: EmailNumber, name: 'from' | 'to' | 'cc'): Address | undefined {
  const kept = reader.keptHeader(email);
  if (kept === undefined) return undefined;
  if (kept.leavesOut(name)) return reader.facts(email)?.envelope[name]?.[0];
  return parseAddresses(unfold(kept.lastValue(name) ?? '').trim(), 1)[0];
}

function mailboxKey(address: Address | undefined): string {
  if (address === undefined) return '';
  return casemapKey(decodeUnlabelled(isGroup(address) ? address.group : address.mailbox));
}

/** RFC 5957 §3: the display name, or the address where there is none. */
function displayKey(address: Address | undefined): string {
  if (address === undefined) return '';
  if (isGroup(address)) return casemapKey(decodeWords(address.group).trim());
  const name = address.name === undefined ? '' : decodeWords(address.name).replace(/\s+/g, ' ').trim();
  return casemapKey(name === '' ? addrSpec(address) : name);
}
