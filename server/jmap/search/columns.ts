/**
 * What of many emails a query looks at, as columns: one pass over the memberships of a mailbox, or of all. Only what JMAP sees is in them: memberships
 * with `\Deleted` are not (RFC 8621 §4.1.1), and an email is in once.
 */
import type { MailboxNumber } from '../../../protocol/mail/ids.ts';
import type { AccountReader } from '../../../storage/account/api.ts';
import { BitSet } from './bit-set.ts';

export interface Columns {
  readonly count: number;
  readonly email: Uint32Array;
  readonly thread: Uint32Array;
  readonly keywordSet: Uint32Array;
  readonly size: Uint32Array;
  readonly receivedAt: Float64Array;
  readonly sentAt: Float64Array;
}

const lastUid = 0xffffffff;

export function columnsOfMailbox(reader: AccountReader, mailbox: MailboxNumber): Columns {
  return gather(reader, [mailbox], undefined);
}

export function columnsOfAll(reader: AccountReader): Columns {
  return gather(
    reader,
    reader.mailboxes().map(({ id }) => id),
    new BitSet(),
  );
}

function gather(reader: AccountReader, mailboxes: readonly MailboxNumber[], seen: BitSet | undefined): Columns {
  let most = 0;
  for (const mailbox of mailboxes) most += reader.mailbox(mailbox)?.total ?? 0;
  const email = new Uint32Array(most);
  const thread = new Uint32Array(most);
  const keywordSet = new Uint32Array(most);
  const size = new Uint32Array(most);
  const receivedAt = new Float64Array(most);
  const sentAt = new Float64Array(most);
  let count = 0;
  for (const mailbox of mailboxes) {
    reader.forEachMembership(mailbox, 1, lastUid, (row) => {
      if (row.deleted || seen?.add(row.email) === false) return;
      email[count] = row.email;
      thread[count] = row.thread;
      keywordSet[count] = row.keywordSet;
      size[count] = row.size;
      receivedAt[count] = row.receivedAt;
      sentAt[count] = row.sentAt;
      count += 1;
    });
  }
  return { count, email, thread, keywordSet, size, receivedAt, sentAt };
}

/** The emails that JMAP sees in a mailbox. */
export function emailsIn(reader: AccountReader, mailbox: MailboxNumber): BitSet {
  const emails = new BitSet();
  reader.forEachMembership(mailbox, 1, lastUid, (row) => {
    if (!row.deleted) emails.add(row.email);
  });
  return emails;
}

/** Whether emails with a set of keywords hold one, asked once per set. */
export function keywordTest(reader: AccountReader, keyword: string): (keywordSet: number) => boolean {
  const wanted = keyword.toLowerCase();
  const known = new Map<number, boolean>();
  return (keywordSet) => {
    let holds = known.get(keywordSet);
    if (holds === undefined) known.set(keywordSet, (holds = reader.keywordsOf(keywordSet).includes(wanted)));
    return holds;
  };
}

/** By thread, whether some and whether all of its emails have a keyword. */
export interface ThreadKeyword {
  some(thread: number): boolean;
  all(thread: number): boolean;
}

export function threadKeyword(all: Columns, hasKeyword: (keywordSet: number) => boolean): ThreadKeyword {
  const having = new BitSet();
  const lacking = new BitSet();
  for (let at = 0; at < all.count; at += 1) (hasKeyword(all.keywordSet[at]!) ? having : lacking).add(all.thread[at]!);
  return { some: (thread) => having.has(thread), all: (thread) => !lacking.has(thread) };
}
