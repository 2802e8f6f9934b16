/**
 * What search must know of a message before it believes the index: whether its extracted text or its kept header is only a part. Found out once for each
 * message and remembered in a byte, since messages do not change.
 */
import type { EmailNumber } from '../../../protocol/mail/ids.ts';
import type { Account, AccountReader } from '../../../storage/account/api.ts';
import { keptHeaderBytes, textBytesCut, textCutMessageBytesMin } from '../limits.ts';

/** Fields that the facts keep before others: where none of them is left out, their trigrams are complete. */
export const keptNames = new Set(['from', 'to', 'cc', 'bcc', 'subject', 'sender', 'reply-to', 'message-id', 'date']);

const textKnown = 1;
const textCut = 2;
const headerKnown = 4;
const headerCut = 8;

interface Sized {
  readonly email: EmailNumber;
  readonly size: number;
}

class MessageTraits {
  #bits = new Uint8Array(1024);

  /** Whether the text that is kept ends before the message's does. */
  isTextCut(reader: AccountReader, { email, size }: Sized): boolean {
    if (size < textCutMessageBytesMin) return false;
    if ((this.#get(email) & textKnown) === 0) {
      const text = reader.text(email);
      const isCut = text.length * 3 >= textBytesCut && Buffer.byteLength(text) >= textBytesCut;
      this.#add(email, textKnown | (isCut ? textCut : 0));
    }
    return (this.#get(email) & textCut) !== 0;
  }

  /** Whether a field of `keptNames` is left out of the facts. */
  isHeaderCut(reader: AccountReader, { email, size }: Sized): boolean {
    if (size < keptHeaderBytes) return false;
    if ((this.#get(email) & headerKnown) === 0) {
      const omitted = reader.facts(email)?.headerOmitted ?? [];
      const isCut = omitted.some((name) => name === '*' || keptNames.has(name));
      this.#add(email, headerKnown | (isCut ? headerCut : 0));
    }
    return (this.#get(email) & headerCut) !== 0;
  }

  #get(email: EmailNumber): number {
    return this.#bits[email] ?? 0;
  }

  #add(email: EmailNumber, bits: number): void {
    if (email >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(email + 1, this.#bits.length * 2));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[email]! |= bits;
  }
}

const byAccount = new WeakMap<Account, MessageTraits>();

export function traitsOf(account: Account): MessageTraits {
  let traits = byAccount.get(account);
  if (traits === undefined) {
    traits = new MessageTraits();
    byAccount.set(account, traits);
  }
  return traits;
}
