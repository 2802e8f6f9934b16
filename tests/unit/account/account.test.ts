import { describe, expect, test } from 'vitest';
import type { MailboxNumber, ModSeq, Uid } from '../../../protocol/mail/ids.ts';
import { deriveFacts } from '../../../protocol/mime/facts.ts';
import type { Effect, PreparedBlob } from '../../../storage/account/api.ts';
import { deliver, dump, openProvisioned, openTestBucket, rawMessage, testAccount } from '../../support/open-accounts.ts';

async function openInbox() {
  const bucket = openTestBucket();
  const node = bucket.node();
  const account = await openProvisioned(node);
  const inbox = account.read((reader) => reader.mailboxByPath(['INBOX'])!.id);
  const archive = account.read((reader) => reader.mailboxByRole('archive')!.id);
  return { bucket, node, account, inbox, archive };
}

describe('an account', () => {
  test('never takes bytes that it left out for what another node has put in their place', async () => {
    const { bucket, account, inbox } = await openInbox();
    await using beside = bucket.node();
    const other = await beside.accounts.open(testAccount);
    const [ours, theirs] = ['ours..', 'theirs'].map((subject) => rawMessage({ Subject: subject })) as [Buffer, Buffer];
    expect(ours).toHaveLength(theirs.length);
    const add = (raw: Buffer, ref: PreparedBlob['ref']) => ({
      blob: ref,
      receivedAt: 1_790_000_000_000,
      keywords: [],
      mailboxes: [inbox],
      facts: deriveFacts(raw),
      text: '',
      preview: '',
    });
    const [first, second] = [await other.prepareBlob(theirs), await account.prepareBlob(ours)];
    await other.transact((tx) => tx.addEmail(add(theirs, first.ref)), { uploads: [first] });
    // Our first run loses its number to theirs; on their state the message is not added.
    await account.transact((tx) => tx.uids(inbox).length === 0 && tx.addEmail(add(ours, second.ref)), { uploads: [second] });
    const blob = account.read((reader) => reader.blob(reader.membership(inbox, 1 as Uid)!.email)!);
    expect((await account.blobBytes(blob)).equals(theirs)).toBe(true);
  });

  test('adds many messages in one mutation, also more than one commit could carry', async () => {
    const { account, inbox } = await openInbox();
    const raws = Array.from({ length: 40 }, (_, at) => rawMessage({ Subject: `large ${at}` }, 'y'.repeat(120_000)));
    const prepared = await Promise.all(raws.map((raw) => account.prepareBlob(raw, raws.length)));
    const facts = raws.map((raw) => deriveFacts(raw));
    await account.transact(
      (tx) => {
        for (const [at, { ref }] of prepared.entries())
          tx.addEmail({ blob: ref, receivedAt: 1, keywords: [], mailboxes: [inbox], facts: facts[at]!, text: '', preview: '' });
      },
      { uploads: prepared },
    );
    expect(account.read((reader) => reader.mailbox(inbox)!.total)).toBe(40);
  });

  test('gives UIDs in order and tells watchers what came', async () => {
    const { account, inbox } = await openInbox();
    const heard: Effect[] = [];
    using _ = account.watch((effects) => heard.push(...effects));
    await deliver(account, inbox, rawMessage({ Subject: 'one' }));
    await deliver(account, inbox, rawMessage({ Subject: 'two' }));
    expect([...account.read((reader) => reader.uids(inbox))]).toEqual([1, 2]);
    expect(heard.map((effect) => effect.mailboxes[0]!.added)).toEqual([[[1, 1]], [[2, 2]]]);
  });

  test('counts what is unseen, deleted and visible', async () => {
    const { account, inbox } = await openInbox();
    for (const subject of ['one', 'two', 'three']) await deliver(account, inbox, rawMessage({ Subject: subject }));
    await account.transact((tx) => tx.changeFlags(inbox, [[1, 1]], { add: ['$seen'] }));
    await account.transact((tx) => tx.changeFlags(inbox, [[2, 2]], { deleted: true }));
    const mailbox = account.read((reader) => reader.mailbox(inbox)!);
    expect(mailbox).toMatchObject({ total: 3, unseen: 2, deleted: 1, visible: 2, unread: 1 });
  });

  test('gives a modSeq to each mutation that changes something, and none to one that does not', async () => {
    const { account, inbox } = await openInbox();
    await deliver(account, inbox, rawMessage({ Subject: 'one' }));
    const before = account.read((reader) => reader.modSeq);
    await Promise.all([
      account.transact((tx) => tx.changeFlags(inbox, [[1, 1]], { add: ['$seen'] })),
      account.transact((tx) => tx.changeFlags(inbox, [[1, 1]], { add: ['$seen'] })),
      account.transact((tx) => tx.changeFlags(inbox, [[1, 1]], { add: ['$flagged'] })),
    ]);
    expect(account.read((reader) => reader.modSeq)).toBe(before + 2);
    expect(account.read((reader) => reader.membership(inbox, 1 as Uid)!.modSeq)).toBe(before + 2);
  });

  test('keeps the email id over a copy to another mailbox, and makes a new email where the target holds it', async () => {
    const { account, inbox, archive } = await openInbox();
    const { id } = await deliver(account, inbox, rawMessage({ Subject: 'one' }));
    expect(await account.transact((tx) => tx.copy(inbox, [[1, 5]], archive))).toEqual([{ from: 1, to: 1 }]);
    expect(account.read((reader) => reader.membership(archive, 1 as Uid)!.email)).toBe(id);
    expect(await account.transact((tx) => tx.copy(inbox, [[1, 1]], archive))).toEqual([{ from: 1, to: 2 }]);
    const copy = account.read((reader) => reader.membership(archive, 2 as Uid)!.email);
    expect(copy).not.toBe(id);
    expect(account.read((reader) => reader.blob(copy))).toEqual(account.read((reader) => reader.blob(id)));
    expect(account.read((reader) => reader.email(copy)!.thread)).toBe(account.read((reader) => reader.email(id)!.thread));
  });

  test('moves with the email id, and the old place is gone', async () => {
    const { account, inbox, archive } = await openInbox();
    const { id } = await deliver(account, inbox, rawMessage({ Subject: 'one' }));
    await account.transact((tx) => tx.move(inbox, [[1, 1]], archive));
    expect(account.read((reader) => reader.email(id)!.memberships.map(({ mailbox }) => mailbox))).toEqual([archive]);
    expect([...account.read((reader) => reader.uids(inbox))]).toEqual([]);
  });

  test('tells what changed since a modSeq from the journal', async () => {
    const { account, inbox } = await openInbox();
    await deliver(account, inbox, rawMessage({ Subject: 'one' }));
    await deliver(account, inbox, rawMessage({ Subject: 'two' }));
    const since = account.read((reader) => reader.modSeq);
    await account.transact((tx) => tx.expunge(inbox, [[1, 1]]));
    const effects = account.read((reader) => [...reader.effectsSince(since)!]);
    expect(effects.map((effect) => effect.mailboxes)).toEqual([[{ mailbox: inbox, added: [], changed: [], removed: [[1, 1]] }]]);
    expect(account.read((reader) => reader.effectsSince((since + 5) as ModSeq))).toBeUndefined();
  });

  test('finds the thread by references and subject, in any order of arrival', async () => {
    const { account, inbox } = await openInbox();
    const reply = await deliver(account, inbox, rawMessage({ Subject: 'Re: plan', 'Message-ID': '<b@x>', 'In-Reply-To': '<a@x>' }));
    const first = await deliver(account, inbox, rawMessage({ Subject: 'plan', 'Message-ID': '<a@x>' }));
    const other = await deliver(account, inbox, rawMessage({ Subject: 'else', 'Message-ID': '<c@x>', References: '<a@x>' }));
    expect(first.thread).toBe(reply.thread);
    expect(other.thread).not.toBe(first.thread);
  });

  test('a reply to a message that thousands refer to finds its thread by the first rows', async () => {
    const { account, inbox } = await openInbox();
    for (let at = 0; at < 150; at += 1) {
      await deliver(account, inbox, rawMessage({ Subject: `digest ${at}`, 'Message-ID': `<d${at}@x>`, References: '<list@x>' }));
    }
    const plan = await deliver(account, inbox, rawMessage({ Subject: 'plan', 'Message-ID': '<plan@x>', References: '<list@x>' }));
    const reply = await deliver(
      account,
      inbox,
      rawMessage({ Subject: 'Re: plan', 'Message-ID': '<r@x>', References: '<list@x> <plan@x>' }),
    );
    expect(reply.thread).toBe(plan.thread);
    const digest = await deliver(account, inbox, rawMessage({ Subject: 'Re: digest 7', 'Message-ID': '<r7@x>', References: '<list@x>' }));
    expect(digest.thread).toBe(account.read((reader) => reader.email(8 as never)!.thread));
  });

  test('a mutation that refuses leaves nothing, and its neighbours in the commit stand', async () => {
    const { account, inbox } = await openInbox();
    await deliver(account, inbox, rawMessage({ Subject: 'one' }));
    const results = await Promise.allSettled([
      account.transact((tx) => tx.changeFlags(inbox, [[1, 1]], { add: ['$seen'] })),
      account.transact((tx) => {
        tx.changeFlags(inbox, [[1, 1]], { add: ['$flagged'] });
        tx.copy(inbox, [[1, 1]], 99 as MailboxNumber);
      }),
      account.transact((tx) => tx.changeFlags(inbox, [[1, 1]], { add: ['$answered'] })),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const email = account.read((reader) => reader.membership(inbox, 1 as Uid)!.email);
    expect(account.read((reader) => reader.email(email)!.keywords)).toEqual(['$answered', '$seen']);
  });

  test('an email that is nowhere any more is gone with all that was derived from it', async () => {
    const { account, inbox } = await openInbox();
    const { id } = await deliver(account, inbox, rawMessage({ Subject: 'one', 'Message-ID': '<a@x>' }));
    await account.transact((tx) => tx.expunge(inbox, [[1, 1]]));
    account.read((reader) => {
      expect(reader.email(id)).toBeUndefined();
      expect(reader.facts(id)).toBeUndefined();
      expect(reader.text(id)).toBe('');
      expect([...reader.emails()]).toEqual([]);
    });
    const { uids } = await deliver(account, inbox, rawMessage({ Subject: 'two' }));
    expect(uids).toEqual([2]);
  });

  test('a mailbox that is made again has a higher UIDVALIDITY', async () => {
    const { account } = await openInbox();
    const first = await account.transact((tx) => tx.createMailbox({ name: 'Work', parent: null }));
    await account.transact((tx) => tx.removeMailbox(first.id));
    const second = await account.transact((tx) => tx.createMailbox({ name: 'Work', parent: null }));
    expect(second.uidValidity).toBeGreaterThan(first.uidValidity);
    expect(second.id).toBeGreaterThan(first.id);
  });

  test('a node with an empty index sees the same, by the log and by a snapshot', async () => {
    const { bucket, node, account, inbox, archive } = await openInbox();
    for (const subject of ['one', 'two', 'three', 'four']) await deliver(account, inbox, rawMessage({ Subject: subject }));
    await account.transact((tx) => tx.move(inbox, [[2, 3]], archive));
    await account.transact((tx) => tx.changeFlags(inbox, [[1, 9]], { add: ['$seen', 'work'], deleted: true }));
    await account.transact((tx) => tx.expunge(archive, [[1, 1]]));
    const want = dump(await node.accounts.open(testAccount));
    await using byLog = bucket.node();
    expect(dump(await byLog.accounts.open(testAccount))).toBe(want);
    await node.accounts.snapshot(await node.accounts.open(testAccount));
    await deliver(account, inbox, rawMessage({ Subject: 'five' }));
    await using bySnapshot = bucket.node();
    expect(dump(await bySnapshot.accounts.open(testAccount))).toBe(dump(await node.accounts.open(testAccount)));
  });

  test('two nodes that write at once lose and double nothing', async () => {
    const { bucket, account, inbox } = await openInbox();
    await using other = bucket.node();
    const second = await other.accounts.open(testAccount);
    await Promise.all(
      Array.from({ length: 40 }, (_, at) => deliver(at % 2 === 0 ? account : second, inbox, rawMessage({ Subject: `message ${at}` }))),
    );
    await Promise.all([account, second].map((one) => other.accounts.catchUp(one)));
    await (account as unknown as { refresh(): Promise<void> }).refresh();
    const subjects = (one: typeof account) => one.read((reader) => [...reader.emails()].map((id) => reader.facts(id)!.subject).sort());
    expect(subjects(account)).toEqual(Array.from({ length: 40 }, (_, at) => `message ${at}`).sort());
    expect(subjects(second)).toEqual(subjects(account));
  });

  test('rebuild gives the same account', async () => {
    const { node, account, inbox } = await openInbox();
    for (const subject of ['one', 'two']) await deliver(account, inbox, rawMessage({ Subject: subject }));
    const want = dump(await node.accounts.open(testAccount));
    expect(dump(await node.accounts.rebuild(testAccount))).toBe(want);
  });
});
