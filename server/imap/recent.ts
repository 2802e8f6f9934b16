/**
 * \Recent (RFC 3501 §2.3.2): a message is recent in the first session that is told of it. Kept in the node's memory only; after a start nothing
 * that was there before is recent.
 */
import type { AccountId, MailboxNumber } from '../../protocol/mail/ids.ts';

export class RecentRegistry {
  /** By account and mailbox, the first UID of which no session was told. */
  readonly #untold = new Map<string, number>();

  /** The first UID that is recent for who asks. From now on it was told of all below `uidNext`. */
  claim(account: AccountId, mailbox: MailboxNumber, uidNext: number): number {
    const first = this.peek(account, mailbox, uidNext);
    this.#untold.set(`${account}/${mailbox}`, uidNext);
    return first;
  }

  /** The same without taking anything: EXAMINE and STATUS. */
  peek(account: AccountId, mailbox: MailboxNumber, uidNext: number): number {
    const key = `${account}/${mailbox}`;
    const first = this.#untold.get(key);
    if (first !== undefined) return Math.min(first, uidNext);
    this.#untold.set(key, uidNext);
    return uidNext;
  }
}
