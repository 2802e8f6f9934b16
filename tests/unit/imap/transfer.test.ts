/** COPY and MOVE between accounts: nothing is lost, and nothing is doubled by trying again. */
import { describe, expect, test } from 'vitest';
import type { MailboxNumber, Uid } from '../../../protocol/mail/ids.ts';
import { transferredMessagesMax } from '../../../server/imap/limits.ts';
import type { MailboxView } from '../../../server/imap/mailbox-view.ts';
import { copyAcross, moveAcross } from '../../../server/imap/transfer.ts';
import type { Account, AccountTransactor } from '../../../storage/account/api.ts';
import { deliver, rawMessage } from '../../support/open-accounts.ts';
import { SharingRig } from '../sharing/rig.ts';

class Cut extends Error {}

/** The account, whose n-th transact from now is cut off before it does anything. */
function cutAt(account: Account, n: number): Account {
  let calls = 0;
  return {
    id: account.id,
    read: (fn) => account.read(fn),
    transact: (mutation, options) => {
      calls += 1;
      return calls === n ? Promise.reject(new Cut()) : account.transact(mutation, options);
    },
    watch: (...watcher) => account.watch(...watcher),
    prepareBlob: (...of) => account.prepareBlob(...of),
    upload: (bytes) => account.upload(bytes),
    uploadCopy: (...of) => account.uploadCopy(...of),
    blobBytes: (ref) => account.blobBytes(ref),
  };
}

function viewOf(account: Account, mailbox: MailboxNumber): MailboxView {
  const uidValidity = account.read((reader) => reader.mailbox(mailbox)!.uidValidity);
  return { account, mailbox, uidValidity } as MailboxView;
}

const subjects = (account: Account, mailbox: MailboxNumber) =>
  account.read((reader) => Array.from(reader.uids(mailbox), (uid) => reader.facts(reader.membership(mailbox, uid as Uid)!.email)!.subject));

async function filled(rig: SharingRig, count: number) {
  const inbox = rig.inbox(rig.ann);
  for (let number = 1; number <= count; number += 1) await deliver(rig.ann, inbox, rawMessage({ Subject: `message ${number}` }));
  const target = rig.inbox(rig.bob);
  const located = (account: Account) => ({ account, mailbox: rig.bob.read((reader) => reader.mailbox(target)!) });
  return { inbox, target, located, uids: [[1, count]] as const };
}

const names = (count: number) => Array.from({ length: count }, (_, at) => `message ${at + 1}`);

describe('messages between accounts', () => {
  test('come over in order, as many as there are, with bytes, dates, flags and text', async () => {
    await using rig = await SharingRig.open();
    const count = transferredMessagesMax * 2 + 3;
    const { inbox, target, located, uids } = await filled(rig, count);
    const large = rawMessage({ Subject: 'large' }, 'y'.repeat(300_000));
    await deliver(rig.ann, inbox, large, { keywords: ['$flagged', 'work'], receivedAt: 1_700_000_000_000 });
    const pairs = await copyAcross(viewOf(rig.ann, inbox), [[1, count + 1]], located(rig.bob));
    expect(pairs.map(({ from, to }) => [from, to])).toEqual(names(count + 1).map((_, at) => [at + 1, at + 1]));
    expect(subjects(rig.bob, target)).toEqual([...names(count), 'large']);
    const [email, blob, text] = rig.bob.read((reader) => {
      const { email: number } = reader.membership(target, (count + 1) as Uid)!;
      return [reader.email(number)!, reader.blob(number)!, reader.text(number)] as const;
    });
    expect([email.keywords, email.receivedAt, text.length]).toEqual([['$flagged', 'work'], 1_700_000_000_000, 300_000]);
    expect((await rig.bob.blobBytes(blob)).equals(large)).toBe(true);
    expect(rig.ann.read((reader) => reader.uids(inbox).length)).toBe(count + 1);
    expect(uids[0][1]).toBe(count);
  });

  test('that were brought over and not yet removed are there twice, and once after the MOVE is tried again', async () => {
    await using rig = await SharingRig.open();
    const { inbox, target, located, uids } = await filled(rig, 3);
    await expect(moveAcross(viewOf(cutAt(rig.ann, 1), inbox), uids, located(rig.bob))).rejects.toThrow(Cut);
    expect([subjects(rig.ann, inbox), subjects(rig.bob, target)]).toEqual([names(3), names(3)]);
    const { pairs } = await moveAcross(viewOf(rig.ann, inbox), uids, located(rig.bob));
    expect(pairs.map(({ to }) => to)).toEqual([1, 2, 3]);
    expect([subjects(rig.ann, inbox), subjects(rig.bob, target)]).toEqual([[], names(3)]);
  });

  test('of a MOVE that failed stay where they were, but for those that had moved', async () => {
    await using rig = await SharingRig.open();
    const count = transferredMessagesMax + 2;
    const { inbox, target, located, uids } = await filled(rig, count);
    await expect(moveAcross(viewOf(rig.ann, inbox), uids, located(cutAt(rig.bob, 2)))).rejects.toThrow(Cut);
    const all = [...subjects(rig.bob, target), ...subjects(rig.ann, inbox)];
    expect(all).toEqual(names(count));
  });

  test('of a COPY that failed are taken back, also without the right to take out others', async () => {
    await using rig = await SharingRig.open();
    const count = transferredMessagesMax + 2;
    const { inbox, target, uids } = await filled(rig, count);
    const shared = await rig.shared(rig.bob, target, rig.ann, 'lri');
    const failing = { calls: 0 };
    const transact = shared.transact.bind(shared);
    shared.transact = <T>(mutation: (tx: AccountTransactor) => T, options?: Parameters<Account['transact']>[1]) => {
      failing.calls += 1;
      return failing.calls === 2 ? Promise.reject<T>(new Cut()) : transact(mutation, options);
    };
    const located = { account: shared, mailbox: shared.read((reader) => reader.mailbox(target)!) };
    await expect(copyAcross(viewOf(rig.ann, inbox), uids, located)).rejects.toThrow(Cut);
    expect([subjects(rig.bob, target), subjects(rig.ann, inbox).length]).toEqual([[], count]);
  });

  test('that were moved back and again are moved again', async () => {
    await using rig = await SharingRig.open();
    const { inbox, target, located, uids } = await filled(rig, 1);
    const back = { account: rig.ann, mailbox: rig.ann.read((reader) => reader.mailbox(inbox)!) };
    await moveAcross(viewOf(rig.ann, inbox), uids, located(rig.bob));
    await moveAcross(viewOf(rig.bob, target), [[1, 1]], back);
    await moveAcross(viewOf(rig.ann, inbox), [[2, 2]], located(rig.bob));
    expect([subjects(rig.ann, inbox), subjects(rig.bob, target)]).toEqual([[], names(1)]);
  });
});
