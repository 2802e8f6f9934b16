/**
 * \Recent (RFC 3501 §2.3.2): a message is recent in the first session that is told of it. Kept in the node's memory only. Of a mailbox that no session
 * has looked at since the start, what has come since then is recent; what was there before is not, or each start would make all mail new.
 */
import type { AccountId, MailboxNumber } from '../../protocol/mail/ids.ts';
import type { Account, AccountReader } from '../../storage/account/api.ts';

export class RecentRegistry {
  /** By account and mailbox, the first UID of which no session was told. */
  readonly #untold = new Map<string, number>();
  readonly #startedAt: number;

  /** Milliseconds since the epoch. */
  constructor(startedAt: number) {
    // Dates of saving are kept in seconds.
    this.#startedAt = Math.floor(startedAt / 1000) * 1000;
  }

  /** The first UID that is recent for who asks. From now on it was told of all below `uidNext`. */
  claim(account: Account, mailbox: MailboxNumber, uidNext: number): number {
    const first = this.peek(account, mailbox, uidNext);
    this.#untold.set(keyOf(account.id, mailbox), uidNext);
    return first;
  }

  /** The same without taking anything: EXAMINE and STATUS. */
  peek(account: Account, mailbox: MailboxNumber, uidNext: number): number {
    const key = keyOf(account.id, mailbox);
    let first = this.#untold.get(key);
    if (first === undefined) {
      first = account.read((reader) => firstSavedSince(reader, mailbox, this.#startedAt)) ?? uidNext;
      this.#untold.set(key, first);
    }
    return Math.min(first, uidNext);
  }
}

const keyOf = (account: AccountId, mailbox: MailboxNumber) => `${account}/${mailbox}`;

/** UIDs rise with the time at which they were given. */
function firstSavedSince(reader: AccountReader, mailbox: MailboxNumber, since: number): number | undefined {
  const uids = reader.uids(mailbox);
  const isSaved = (uid: number) => {
    let saved = false;
    reader.forEachMembership(mailbox, uid, uid, ({ savedAt }) => (saved = savedAt >= since));
    return saved;
  };
  let low = 0;
  let high = uids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isSaved(uids[middle]!)) high = middle;
    else low = middle + 1;
  }
  return uids[low];
}
