/**
 * Runs a search over a mailbox: one pass over the rows for the cheap keys, then the messages that they left open, one by one, giving other sessions
 * their turn. The result is in the order of the mailbox.
 */
import type { SearchKey } from '../../../protocol/imap/search-key.ts';
import { intersectRanges, type Ranges } from '../../../protocol/mail/ranges.ts';
import type { MembershipRow } from '../../../storage/account/api.ts';
import { rowsPerRead } from '../limits.ts';
import type { MailboxView } from '../mailbox-view.ts';
import type { Session } from '../session.ts';
import { compile } from './criteria.ts';
import { SearchedMessage } from './text-tests.ts';

export interface SearchResult {
  /** Ascending UIDs that the client knows. */
  readonly uids: readonly number[];
  /** Mod-sequences of the same messages (RFC 7162 §3.1.5). */
  readonly modSeqs: readonly number[];
}

/** RFC 9738 §3.1: the messages that a search looks at, which is not how many it finds: those that its keys name by number or UID, or all. */
export function searchedMessages(view: MailboxView, key: SearchKey): Ranges {
  switch (key.key) {
    case 'sequence':
      return view.resolve(key.set, false);
    case 'uid':
      return view.resolve(key.set, true);
    case 'uidRange':
      return view.indexesOfUids(key.relation === 'after' ? [[key.uid + 1, 0xffffffff]] : [[1, key.uid - 1]]);
    case 'and':
      return key.keys.map((inner) => searchedMessages(view, inner)).reduce((scope, inner) => intersectRanges(scope, inner));
    default:
      return view.exists === 0 ? [] : [[0, view.exists - 1]];
  }
}

/** `onMatch` is given each row of the result in its order; the row is reused. Messages before the index `start` are passed over. */
export async function runSearch(
  session: Session,
  view: MailboxView,
  key: SearchKey,
  onMatch?: (row: Readonly<MembershipRow>) => void,
  start = 0,
): Promise<SearchResult> {
  const { output, connection } = session;
  const { account } = view;
  const known = view.uids;
  const uids: number[] = [];
  const modSeqs: number[] = [];
  output.startSlice();
  const criterion = account.read((reader) => compile(key, { view, reader, now: session.services.clock.now() }));
  const keep = (row: Readonly<MembershipRow>) => {
    uids.push(row.uid);
    modSeqs.push(row.modSeq);
    onMatch?.(row);
  };
  for (let first = start; first < known.length; first += rowsPerRead) {
    const last = Math.min(first + rowsPerRead, known.length) - 1;
    const open: MembershipRow[] = [];
    let at = first;
    account.read((reader) =>
      reader.forEachMembership(view.mailbox, known[first]!, known[last]!, (row) => {
        // Both ascend.
        while (known[at]! < row.uid) at += 1;
        if (known[at] !== row.uid) return;
        const answer = criterion.fast(row);
        // In the order of the mailbox: once one is open, those after it wait too.
        if (answer === true && open.length === 0) keep(row);
        else if (answer !== false) open.push({ ...row });
      }),
    );
    for (let at = 0; at < open.length; ) {
      // As many as need nothing from the store, in one read of the account.
      const waits = account.read((reader) => {
        for (; at < open.length && !output.needsPace; at += 1) {
          const row = open[at]!;
          const answer = criterion.fast(row) ?? criterion.slow?.(new SearchedMessage(account, reader, row)) ?? false;
          if (typeof answer !== 'boolean') return answer;
          if (answer) keep(row);
        }
        return undefined;
      });
      if (waits !== undefined && (await waits)) keep(open[at]!);
      if (waits !== undefined) at += 1;
      if (output.needsPace) await output.pace();
      if (connection.isClosed) return { uids: [], modSeqs: [] };
    }
    if (output.needsPace) await output.pace();
  }
  return { uids, modSeqs };
}

/** Whether a key speaks of mod-sequences: the answer does then too. */
export function mentionsModSeq(key: SearchKey): boolean {
  switch (key.key) {
    case 'modSeq':
      return true;
    case 'and':
      return key.keys.some(mentionsModSeq);
    case 'or':
      return mentionsModSeq(key.left) || mentionsModSeq(key.right);
    case 'not':
      return mentionsModSeq(key.of);
    default:
      return false;
  }
}
