/** totalThreads and unreadThreads of each mailbox (RFC 8621 §2): one pass over all memberships, remembered until an email changes. */
import type { AccountReader } from '../../storage/account/api.ts';
import type { AccountCache, ThreadCounts } from './account-cache.ts';
import { BitSet } from './search/bit-set.ts';

/**
 * A thread is unread in a mailbox when any of its emails is, in any mailbox: but emails that are only in the trash count there alone, and the trash
 * counts no others.
 */
export function threadCounts(reader: AccountReader, cache: AccountCache): ThreadCounts['byMailbox'] {
  const emailState = cache.states(reader).Email;
  if (cache.threadCounts?.emailState === emailState) return cache.threadCounts.byMailbox;
  const isUnread = new Map<number, boolean>();
  const trash = reader.mailboxByRole('trash')?.id;
  const unread = { elsewhere: new BitSet(), inTrash: new BitSet() };
  const threadsOf = new Map<number, Uint32Array>();
  for (const mailbox of reader.mailboxes()) {
    const threads = new Uint32Array(mailbox.total);
    const noted = mailbox.id === trash ? unread.inTrash : unread.elsewhere;
    let count = 0;
    reader.forEachMembership(mailbox.id, 1, 0xffffffff, (row) => {
      if (row.deleted) return;
      threads[count++] = row.thread;
      let is = isUnread.get(row.keywordSet);
      if (is === undefined) {
        const keywords = reader.keywordsOf(row.keywordSet);
        isUnread.set(row.keywordSet, (is = !keywords.includes('$seen') && !keywords.includes('$draft')));
      }
      if (is) noted.add(row.thread);
    });
    threadsOf.set(mailbox.id, threads.subarray(0, count));
  }
  const byMailbox = new Map<number, { total: number; unread: number }>();
  for (const [mailbox, threads] of threadsOf) {
    const here = mailbox === trash ? unread.inTrash : unread.elsewhere;
    const seen = new BitSet();
    const counts = { total: 0, unread: 0 };
    for (const thread of threads) {
      if (!seen.add(thread)) continue;
      counts.total += 1;
      if (here.has(thread)) counts.unread += 1;
    }
    byMailbox.set(mailbox, counts);
  }
  cache.threadCounts = { emailState, byMailbox };
  return byMailbox;
}
