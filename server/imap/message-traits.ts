/**
 * What must be known of a message before the index is believed: whether its extracted text is only a part, and which header fields its facts leave
 * out. Found out once for each message and remembered in some bytes, since messages do not change.
 */
import type { EmailNumber } from '../../protocol/mail/ids.ts';
import type { Account, AccountReader } from '../../storage/account/api.ts';
import { omittedListsMax, textBytesCut, textCutMessageBytesMin } from './limits.ts';

/** Fields that the facts keep before others: where none of them is left out, their trigrams are complete. */
export const keptNames = new Set(['from', 'to', 'cc', 'bcc', 'subject', 'sender', 'reply-to', 'message-id', 'date']);

const textKnown = 1;
const textCut = 2;

interface Sized {
  readonly email: EmailNumber;
  readonly size: number;
}

/** A list of omitted names, shared by the messages that have it: mail of one road lacks the same fields. */
export interface OmittedFields {
  readonly names: readonly string[];
  /** One of `keptNames` is among them. */
  readonly hasKept: boolean;
}

export class MessageTraits {
  #texts = new Uint8Array(1024);
  /** By email, one more than the index into `#lists`; 0 for not yet known. */
  #headers = new Uint16Array(1024);
  readonly #lists: OmittedFields[] = [];
  readonly #listNumbers = new Map<string, number>();

  /** Whether the text that is kept ends before the message's does. */
  isTextCut(reader: AccountReader, { email, size }: Sized): boolean {
    if (size < textCutMessageBytesMin) return false;
    if (email >= this.#texts.length) this.#texts = larger(this.#texts, new Uint8Array(roomFor(email)));
    if (this.#texts[email] === 0) {
      const text = reader.text(email);
      const isCut = text.length * 3 >= textBytesCut && Buffer.byteLength(text) >= textBytesCut;
      this.#texts[email] = textKnown | (isCut ? textCut : 0);
    }
    return (this.#texts[email]! & textCut) !== 0;
  }

  /** What the facts leave out of the header. */
  omitted(reader: AccountReader, email: EmailNumber): OmittedFields {
    const known = this.#headers[email] ?? 0;
    if (known > 0) return this.#lists[known - 1]!;
    const names = reader.facts(email)?.headerOmitted ?? [];
    const key = names.join('\n');
    let number = this.#listNumbers.get(key);
    if (number === undefined) {
      const list = { names, hasKept: names.some((name) => name === '*' || keptNames.has(name)) };
      if (this.#lists.length >= omittedListsMax) return list;
      number = this.#lists.push(list);
      this.#listNumbers.set(key, number);
    }
    if (email >= this.#headers.length) this.#headers = larger(this.#headers, new Uint16Array(roomFor(email)));
    this.#headers[email] = number;
    return this.#lists[number - 1]!;
  }
}

const roomFor = (email: EmailNumber) => Math.ceil((email + 1) * 1.5);

function larger<T extends Uint8Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

const byAccount = new WeakMap<Account, MessageTraits>();

/** One per open account, shared by its sessions. */
export function traitsOf(account: Account): MessageTraits {
  let traits = byAccount.get(account);
  if (traits === undefined) {
    traits = new MessageTraits();
    byAccount.set(account, traits);
  }
  return traits;
}
