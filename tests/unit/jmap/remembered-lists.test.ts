/** A remembered result list is the list that would be made anew, whatever came between. */
import { expect, test } from 'vitest';
import type { EmailNumber, MailboxNumber } from '../../../protocol/mail/ids.ts';
import { formatMailboxId } from '../../../protocol/mail/ids.ts';
import { AccountCache } from '../../../server/jmap/account-cache.ts';
import { listEmails } from '../../../server/jmap/search/email-list.ts';
import type { Account } from '../../../storage/account/api.ts';
import { countingRandom, deliver, openTestBucket, rawMessage } from '../../support/open-accounts.ts';
import { SharingRig } from '../sharing/rig.ts';

const queriesOf = (mailbox: MailboxNumber) => {
  const filter = { operator: undefined, condition: { inMailbox: formatMailboxId(mailbox) } } as const;
  const byDate = [{ property: 'receivedAt', isAscending: false }];
  return [
    { filter, sort: byDate, collapseThreads: true },
    { filter, sort: byDate, collapseThreads: false },
    { filter, sort: [{ property: 'hasKeyword', keyword: '$flagged' }, ...byDate], collapseThreads: false },
  ];
};

function expectAsMadeAnew(account: Account, cache: AccountCache, mailbox: MailboxNumber): number {
  return account.read((reader) => {
    let length = 0;
    for (const query of queriesOf(mailbox)) {
      const remembered = [...listEmails(reader, cache, query)];
      expect(remembered).toEqual([...listEmails(reader, new AccountCache(), query)]);
      length = remembered.length;
    }
    return length;
  });
}

test('lists of a mailbox hold over keywords, and follow what comes, goes, or is marked \\Deleted and back (300 random steps)', async () => {
  await using node = openTestBucket().node();
  const account = await node.accounts.open('random' as Account['id']);
  const [box, other] = await account.transact((tx) => ['Box', 'Other'].map((name) => tx.createMailbox({ name, parent: null }).id));
  const random = countingRandom(42);
  const below = (max: number) => Math.floor(random.fraction() * max);
  const cache = new AccountCache();
  for (let step = 0; step < 300; step += 1) {
    const emails = account.read((reader) => [...reader.emails()]);
    const email = emails[below(emails.length)] as EmailNumber | undefined;
    const kind = below(7);
    if (email === undefined || kind === 0) await deliver(account, box!, rawMessage({ Subject: `subject ${below(4)}` }));
    else
      await account.transact((tx) => {
        const [place] = tx.email(email)!.memberships;
        const { mailbox, uid } = place!;
        if (kind <= 2) tx.changeKeywords([[email, email]], { [below(2) === 0 ? 'add' : 'remove']: ['$flagged'] });
        else if (kind === 3) tx.changeFlags(mailbox, [[uid, uid]], { deleted: true });
        else if (kind === 4) tx.changeFlags(mailbox, [[uid, uid]], { deleted: false });
        else if (kind === 5) tx.setMailboxes(email, [[box!], [other!], [box!, other!]][below(3)]!);
        else tx.expunge(mailbox, [[uid, uid]]);
      });
    expectAsMadeAnew(account, cache, box!);
  }
});

test('a sharee who loses the right to read a mailbox has an empty list of it', async () => {
  await using rig = await SharingRig.open();
  const { ann, bob } = rig;
  const box = await rig.make(ann, 'Plans');
  await rig.deliver(ann, box);
  const bobs = await rig.shared(ann, box, bob, 'lrsw');
  const cache = new AccountCache();
  expect(expectAsMadeAnew(bobs, cache, box)).toBe(1);
  await bobs.transact((tx) => tx.changeKeywords([[1, 1]], { add: ['$flagged'] }));
  expect(expectAsMadeAnew(bobs, cache, box)).toBe(1);
  await rig.give(ann, box, bob.id, 'l');
  expect(expectAsMadeAnew(bobs, cache, box)).toBe(0);
});
