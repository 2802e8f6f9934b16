/** What a membership adds to its mailbox's counters: IMAP counts every one, JMAP those without `\Deleted`. */
import type { Mailbox } from '../account/api.ts';

export type MailboxCounts = { -readonly [K in 'total' | 'unseen' | 'size' | 'deleted' | 'deletedSize' | 'visible' | 'unread']: Mailbox[K] };

export const emptyCounts: Readonly<MailboxCounts> = { total: 0, unseen: 0, size: 0, deleted: 0, deletedSize: 0, visible: 0, unread: 0 };

/** What of a membership counts. */
export interface Counted {
  readonly size: number;
  readonly isSeen: boolean;
  readonly isDraft: boolean;
  readonly isDeleted: boolean;
}

/** Adds a membership to the counters, or takes it off. */
export function countMembership(counts: MailboxCounts, sign: 1 | -1, { size, isSeen, isDraft, isDeleted }: Counted): void {
  counts.total += sign;
  counts.size += sign * size;
  if (!isSeen) counts.unseen += sign;
  if (isDeleted) {
    counts.deleted += sign;
    counts.deletedSize += sign * size;
  } else {
    counts.visible += sign;
    if (!isSeen && !isDraft) counts.unread += sign;
  }
}
