/** SORT's order (RFC 5256 §3, RFC 5957): numbers from the rows, texts as ranks from the account's sort texts. */
import type { SortCriterion, SortKey } from '../../../protocol/imap/commands/sort.ts';
import type { Session } from '../session.ts';
import type { MatchedRows } from './matched-rows.ts';
import { type Column, orderBy, secondsOf } from './order.ts';
import { sortTextsOf } from './sort-texts.ts';

/** The order as indexes into the rows. Texts that are read for the first time are read in slices. */
export async function sortOrder(session: Session, rows: MatchedRows, criteria: readonly SortCriterion[]): Promise<ArrayLike<number>> {
  const columns: Column[] = [];
  for (const { key, isReverse } of criteria) columns.push({ values: await columnOf(session, rows, key), isReverse });
  return orderBy(rows.length, columns);
}

async function columnOf(session: Session, rows: MatchedRows, key: SortKey): Promise<ArrayLike<number>> {
  switch (key) {
    case 'ARRIVAL':
      return secondsOf(rows.receivedAt);
    case 'DATE':
      return secondsOf(rows.sentAt);
    case 'SIZE':
      return rows.sizes;
    default:
      return sortTextsOf(session.view.account).column(key).ranks(session, rows.emails);
  }
}
