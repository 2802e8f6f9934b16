/** What a reader remembers of a mailbox is what stands in it, whatever came between. */
import { expect, test } from 'vitest';
import type { EmailNumber, MailboxNumber } from '../../../protocol/mail/ids.ts';
import type { Account, AccountReader } from '../../../storage/account/api.ts';
import { countingRandom, deliver, openTestBucket, rawMessage } from '../../support/open-accounts.ts';

const keywords = ['$seen', '$flagged', '$answered', 'work', 'later'];

function rowsOf(reader: AccountReader, mailbox: MailboxNumber) {
  const uids: number[] = [];
  const present = new Set<string>();
  reader.forEachMembership(mailbox, 1, 0xffffffff, ({ uid, keywordSet }) => {
    uids.push(uid);
    for (const keyword of reader.keywordsOf(keywordSet)) present.add(keyword);
  });
  return { uids, present };
}

test('UIDs are those of the mailbox, and keywords those that are or were in it (400 random steps, read now and then)', async () => {
  await using node = openTestBucket().node();
  const account = await node.accounts.open('random' as Account['id']);
  const [box, other] = await account.transact((tx) => ['Box', 'Other'].map((name) => tx.createMailbox({ name, parent: null }).id));
  const random = countingRandom(7);
  const below = (max: number) => Math.floor(random.fraction() * max);
  const seen = new Set<string>();
  for (let step = 0; step < 400; step += 1) {
    const emails = account.read((reader) => [...reader.emails()]);
    const email = emails[below(emails.length)] as EmailNumber | undefined;
    const kind = below(6);
    if (email === undefined || kind === 0) await deliver(account, box!, rawMessage({ Subject: 'hello' }));
    else
      await account.transact((tx) => {
        const { mailbox, uid } = tx.email(email)!.memberships[0]!;
        if (kind <= 2) tx.changeKeywords([[email, email]], { [below(2) === 0 ? 'add' : 'remove']: [keywords[below(keywords.length)]!] });
        else if (kind === 3) tx.changeFlags(mailbox, [[uid, uid]], { deleted: below(2) === 0 });
        else if (kind === 4) tx.setMailboxes(email, [[box!], [other!], [box!, other!]][below(3)]!);
        else tx.expunge(mailbox, [[uid, uid]]);
      });
    const { uids, present } = account.read((reader) => rowsOf(reader, box!));
    for (const keyword of present) seen.add(keyword);
    if (below(4) > 0) continue;
    const remembered = account.read((reader) => ({ uids: [...reader.uids(box!)], keywords: reader.keywordsIn(box!) }));
    expect(remembered.uids).toEqual(uids);
    expect(remembered.keywords).toEqual(expect.arrayContaining([...present]));
    expect([...seen]).toEqual(expect.arrayContaining([...remembered.keywords]));
  }
});
