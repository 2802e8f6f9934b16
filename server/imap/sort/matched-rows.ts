/** What a search found, as columns: what SORT and THREAD go by. Indexes into them follow the order of the mailbox. */
import type { EmailNumber } from '../../../protocol/mail/ids.ts';
import type { MembershipRow } from '../../../storage/account/api.ts';

export class MatchedRows {
  readonly uids: number[] = [];
  readonly emails: EmailNumber[] = [];
  /** Milliseconds since the epoch. */
  readonly receivedAt: number[] = [];
  /** RFC 5256 §2.2: the Date field's time in UTC, INTERNALDATE where there is none. */
  readonly sentAt: number[] = [];
  readonly sizes: number[] = [];

  get length(): number {
    return this.uids.length;
  }

  add(row: Readonly<MembershipRow>): void {
    this.uids.push(row.uid);
    this.emails.push(row.email);
    this.receivedAt.push(row.receivedAt);
    this.sentAt.push(row.sentAt);
    this.sizes.push(row.size);
  }
}
