/**
 * What must be known of a message before the index is believed: whether its extracted text is only a part. Found out once for each message and
 * remembered in a byte, since messages do not change.
 */
import type { EmailNumber } from '../../protocol/mail/ids.ts';
import type { Account, AccountReader } from '../../storage/account/api.ts';
import { textBytesCut, textCutMessageBytesMin } from './limits.ts';

const textKnown = 1;
const textCut = 2;

interface Sized {
  readonly email: EmailNumber;
  readonly size: number;
}

export class MessageTraits {
  #texts: Uint8Array = new Uint8Array(1024);

  /** Whether the text that is kept ends before the message's does. */
  isTextCut(reader: AccountReader, { email, size }: Sized): boolean {
    if (size < textCutMessageBytesMin) return false;
    if (email >= this.#texts.length) this.#texts = larger(this.#texts, new Uint8Array(roomFor(email)));
    if (this.#texts[email] === 0) {
      const isCut = (reader.textBytes(email)?.length ?? 0) >= textBytesCut;
      this.#texts[email] = textKnown | (isCut ? textCut : 0);
    }
    return (this.#texts[email]! & textCut) !== 0;
  }
}

const roomFor = (email: EmailNumber) => Math.ceil((email + 1) * 1.5);

function larger(from: Uint8Array, to: Uint8Array): Uint8Array {
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
