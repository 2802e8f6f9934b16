/** RFC 9051 §6.4.5: fetching a body without PEEK sets \Seen. One mutation for the whole FETCH, before the first message is sent. */
import type { FetchAttribute } from '../../../protocol/imap/fetch-attribute.ts';
import type { ModSeq } from '../../../protocol/mail/ids.ts';
import { contains, type Ranges, rangesOf } from '../../../protocol/mail/ranges.ts';
import type { AccountReader } from '../../../storage/account/api.ts';
import type { MailboxView } from '../mailbox-view.ts';

/** UIDs that became \Seen by it. */
export async function markSeen(view: MailboxView, attributes: readonly FetchAttribute[], indexes: Ranges): Promise<Ranges> {
  const sets = attributes.some((attribute) => 'isPeek' in attribute && !attribute.isPeek);
  // RFC 4314 §4: without `s` it is not set.
  if (!sets || view.isReadOnly || indexes.length === 0 || !view.may('s')) return [];
  const uids = view.uidRanges(indexes);
  if (view.account.read((reader) => unseenOf(reader, view, uids)).length === 0) return [];
  const { unseen, modSeq } = await view.account.transact((tx) => {
    const unseen = unseenOf(tx, view, uids);
    const modSeq = (tx.modSeq + 1) as ModSeq;
    if (unseen.length > 0) tx.changeFlags(view.mailbox, unseen, { add: ['$seen'] });
    return { unseen, modSeq };
  });
  if (unseen.length > 0) view.noteOwn(modSeq);
  return unseen;
}

function unseenOf(reader: AccountReader, view: MailboxView, uids: Ranges): Ranges {
  const unseen: number[] = [];
  const isSeen = new Map<number, boolean>();
  reader.forEachMembership(view.mailbox, uids[0]![0], uids.at(-1)![1], ({ uid, keywordSet }) => {
    let seen = isSeen.get(keywordSet);
    if (seen === undefined) isSeen.set(keywordSet, (seen = reader.keywordsOf(keywordSet).includes('$seen')));
    if (!seen && contains(uids, uid)) unseen.push(uid);
  });
  return rangesOf(unseen);
}
