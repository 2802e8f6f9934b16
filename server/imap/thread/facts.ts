/** What threading goes by, as columns over the rows of a search. */
import type { ThreadAlgorithm } from '../../../protocol/imap/commands/thread.ts';
import type { Session } from '../session.ts';
import type { MatchedRows } from '../sort/matched-rows.ts';
import { orderBy, secondsOf } from '../sort/order.ts';
import { sortTextsOf } from '../sort/sort-texts.ts';
import { messageIdsOf, type References } from './message-ids.ts';

export interface ThreadFacts {
  readonly count: number;
  /** Rows by sent date, then by their place in the mailbox (RFC 5256 §2.2). */
  readonly byDate: ArrayLike<number>;
  /** Base subjects as numbers; 1 is the empty one. */
  readonly subjects: Uint32Array;
  readonly isReplyOrForward: Uint8Array;
  /** Message ids as numbers below `idsEnd`, 0 for none. Empty for ORDEREDSUBJECT. */
  readonly own: Uint32Array;
  readonly references: References;
  readonly idsEnd: number;
}

/** The number of the empty base subject. */
export const emptySubject = 1;

const noIds = { own: new Uint32Array(0), references: { starts: new Uint32Array(0), numbers: new Uint32Array(0) }, idsEnd: 1 };

export async function threadFacts(session: Session, rows: MatchedRows, algorithm: ThreadAlgorithm): Promise<ThreadFacts> {
  const ids = algorithm === 'REFERENCES' ? await messageIdsOf(session.view.account).read(session, rows.emails) : noIds;
  const { numbers, isMarked } = await sortTextsOf(session.view.account).column('SUBJECT').marked(session, rows.emails);
  return {
    count: rows.length,
    byDate: orderBy(rows.length, [{ values: secondsOf(rows.sentAt), isReverse: false }]),
    subjects: numbers,
    isReplyOrForward: isMarked,
    ...ids,
  };
}
