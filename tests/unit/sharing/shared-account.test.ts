import { describe, expect, test } from 'vitest';
import { anyone, RightSet } from '../../../protocol/mail/acl.ts';
import type { EmailNumber, MailboxNumber, ModSeq, Uid } from '../../../protocol/mail/ids.ts';
import { deriveFacts } from '../../../protocol/mime/facts.ts';
import type { AccountTransactor, Effect } from '../../../storage/account/api.ts';
import { Directory } from '../../../storage/directory/directory.ts';
import { aclOf, rightsOf } from '../../../storage/sharing/rights.ts';
import type { SharedAccount } from '../../../storage/sharing/shared-account.ts';
import { Shares } from '../../../storage/sharing/shares.ts';
import { countingRandom, dump, rawMessage } from '../../support/open-accounts.ts';
import { SharingRig } from './rig.ts';

const flagsAt = (account: SharedAccount | SharingRig['ann'], mailbox: MailboxNumber, uid: Uid) =>
  account.read((reader) => {
    let flags: readonly string[] | undefined;
    reader.forEachMembership(mailbox, uid, uid, ({ keywordSet, deleted }) => {
      flags = [...reader.keywordsOf(keywordSet), ...(deleted ? ['deleted'] : [])];
    });
    return flags;
  });

const refusal = (account: SharedAccount, mutation: (tx: AccountTransactor) => unknown) =>
  account
    .transact((tx) => void mutation(tx))
    .then(
      () => 'done',
      (error: { code?: string }) => error.code,
    );

const newEmail = (mailbox: MailboxNumber, keywords: readonly string[] = [], deleted = false) => {
  const raw = rawMessage({ Subject: 'new' });
  return { raw, email: { receivedAt: 1, keywords, mailboxes: [mailbox], deleted, facts: deriveFacts(raw), text: '', preview: '' } };
};

describe('rights', () => {
  test('are of their own and of anyone, and none once the owner is gone', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob, cid } = rig;
    const box = await rig.make(ann, 'Plans');
    await rig.give(ann, box, bob.id, 'wlr');
    await rig.give(ann, box, anyone, 'ls');
    expect(ann.read((reader) => [rightsOf(reader, box, bob.id).letters, rightsOf(reader, box, cid.id).letters])).toEqual(['lrsw', 'ls']);
    await rig.give(ann, box, anyone, '');
    expect(ann.read((reader) => [rightsOf(reader, box, cid.id).letters, [...aclOf(reader, box).keys()]])).toEqual(['', [bob.id]]);
    const shared = (await rig.shares.open(bob.id, ann.id))!;
    await rig.directory.removeAccount('ann@example.com');
    expect([shared.isShared, shared.rightsOn(box).letters, await rig.shares.openAll(bob.id)]).toEqual([false, '', []]);
  });

  test('of an account that is removed go with it, at once and for good', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob, cid } = rig;
    const box = await rig.make(ann, 'Plans');
    const bobs = await rig.shared(ann, box, bob, 'lr');
    await rig.give(ann, box, cid.id, 'lr');
    await bobs.transact((tx) => tx.putObject('annotation', `${box}:/private/comment`, { text: 'mine' }));
    const told: Effect[] = [];
    using _ = bobs.watch((effects) => told.push(...effects));
    await rig.directory.removeAccount('bob@example.com');
    expect(told.map(({ mailboxes }) => mailboxes.map(({ mailbox, record }) => [mailbox, record]))).toEqual([[[box, 'removed']]]);
    expect(ann.read((reader) => [...aclOf(reader, box).keys()])).toEqual([cid.id]);
    expect(ann.read((reader) => [...reader.objects('sharedAnnotation')].length + [...reader.objects('sharedSubscription')].length)).toBe(1);
  });

  test('are given by who has `a`, to everybody but the owner', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob, cid } = rig;
    const box = await rig.make(ann, 'Plans');
    const shared = await rig.shared(ann, box, bob, 'lr');
    const give = () => rig.shares.setRights(shared, box, new Map([[cid.id, () => RightSet.of('l')]]), bob.id);
    await expect(give()).rejects.toMatchObject({ code: 'forbidden' });
    expect(rig.directory.sharersWith(cid.id)).toEqual([]);
    await rig.give(ann, box, bob.id, 'lra');
    await give();
    expect(shared.read((reader) => aclOf(reader, box).get(cid.id)?.letters)).toBe('l');
    await expect(rig.give(ann, box, ann.id, 'l')).rejects.toMatchObject({ code: 'invalidArguments' });
  });

  test('are inherited by mailboxes that are made below, and go with their mailbox', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const box = await rig.make(ann, 'Plans');
    await rig.give(ann, box, bob.id, 'lrk');
    const below = await rig.make(ann, '2027', box);
    expect(ann.read((reader) => rightsOf(reader, below, bob.id).letters)).toBe('lrk');
    await ann.transact((tx) => tx.removeMailbox(below));
    expect(ann.read((reader) => [...reader.objects('mailboxAcl')].map(({ id }) => id))).toEqual([String(box)]);
  });
});

describe('hints', () => {
  test('are there before the rights, so that a grant that was cut short leaves no more than a hint', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    await rig.directory.noteShares([bob.id], ann.id);
    expect(rig.directory.sharersWith(bob.id).map(({ address }) => address)).toEqual(['ann@example.com']);
    expect(await rig.shares.openAll(bob.id)).toEqual([]);
    // Young as it is, the grant may be under way.
    expect(rig.directory.sharersWith(bob.id)).toHaveLength(1);
    rig.bucket.clock.advance(25 * 3_600_000);
    await rig.shares.openAll(bob.id);
    expect(rig.directory.sharersWith(bob.id)).toEqual([]);
  });

  test('lead another node to what was shared on this one', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    await using other = rig.bucket.node();
    const { accounts } = other;
    const ports = { accounts, clock: rig.bucket.clock, random: countingRandom(9), catchUp: accounts.catchUp };
    using directory = await Directory.open(ports);
    const shares = new Shares({ accounts, directory });
    expect(await shares.openAll(bob.id)).toEqual([]);
    const box = await rig.make(ann, 'Plans');
    const uid = await rig.deliver(ann, box);
    await rig.give(ann, box, bob.id, 'lrs');
    await directory.refresh();
    const [shared] = await shares.openAll(bob.id);
    await shared!.account.transact((tx) => tx.changeFlags(box, [[uid, uid]], { add: ['$seen'] }));
    await accounts.catchUp(ann);
    await rig.node.accounts.catchUp(ann);
    expect(flagsAt((await rig.shares.open(bob.id, ann.id))!, box, uid)).toEqual(['$seen']);
  });

  test('are renewed by the next grant when they are old', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const box = await rig.make(ann, 'Plans');
    await rig.directory.noteShares([bob.id], ann.id);
    rig.bucket.clock.advance(25 * 3_600_000);
    await rig.directory.noteShares([bob.id], ann.id);
    await rig.shares.openAll(bob.id);
    await rig.give(ann, box, bob.id, 'l');
    expect((await rig.shares.openAll(bob.id)).map(({ owner }) => owner.address)).toEqual(['ann@example.com']);
  });

  test('go with either account', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob, cid } = rig;
    await rig.directory.noteShares([bob.id, cid.id], ann.id);
    await rig.directory.removeAccount('ann@example.com');
    expect([rig.directory.sharersWith(bob.id), rig.directory.sharersWith(cid.id)]).toEqual([[], []]);
  });
});

describe('\\Seen', () => {
  test('is of each his own, and survives a rebuild from the log and from a snapshot', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob, cid } = rig;
    const box = await rig.make(ann, 'Plans');
    const [first, second] = [await rig.deliver(ann, box), await rig.deliver(ann, box)];
    const bobs = await rig.shared(ann, box, bob, 'lrs');
    const cids = await rig.shared(ann, box, cid, 'lrs');
    await bobs.transact((tx) => tx.changeFlags(box, [[first, first]], { add: ['$seen'] }));
    await ann.transact((tx) => tx.changeFlags(box, [[second, second]], { add: ['$seen', '$flagged'] }));
    const all = (...accounts: (SharedAccount | SharingRig['ann'])[]) =>
      accounts.map((one) => [flagsAt(one, box, first), flagsAt(one, box, second)]);
    const expected = [
      [[], ['$flagged', '$seen']],
      [['$seen'], ['$flagged']],
      [[], ['$flagged']],
    ];
    expect(all(ann, bobs, cids)).toEqual(expected);
    expect([bobs, cids].map((one) => one.read((reader) => reader.mailbox(box)!.unseen))).toEqual([1, 2]);
    const before = dump(await rig.node.accounts.open(ann.id));
    for (const withSnapshot of [false, true]) {
      if (withSnapshot) await rig.node.accounts.snapshot(await rig.node.accounts.open(ann.id));
      await using other = rig.bucket.node();
      const again = await other.accounts.open(ann.id);
      expect(dump(again)).toEqual(before);
      expect(again.read((reader) => [reader.seenMarks(bob.id).isSeen(1 as EmailNumber), reader.mailbox(box)!.seenModSeqs])).toEqual([
        true,
        ann.read((reader) => reader.mailbox(box)!.seenModSeqs),
      ]);
    }
  });

  test('is a change to its viewer and to nobody else', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob, cid } = rig;
    const box = await rig.make(ann, 'Plans');
    const uid = await rig.deliver(ann, box);
    const bobs = await rig.shared(ann, box, bob, 'lrs');
    const cids = await rig.shared(ann, box, cid, 'lrs');
    const modSeqs = () => [ann, bobs, cids].map((one) => one.read((reader) => reader.mailbox(box)!.highestModSeq));
    const told: Effect[][] = [[], []];
    using _bob = bobs.watch((effects) => told[0]!.push(...effects));
    using _cid = cids.watch((effects) => told[1]!.push(...effects));
    const before = modSeqs();
    const since = ann.read((reader) => reader.modSeq);
    await bobs.transact((tx) => tx.changeFlags(box, [[uid, uid]], { add: ['$seen'] }));
    expect(modSeqs()).toEqual([before[0], since + 1, before[2]]);
    expect(bobs.read((reader) => reader.membership(box, uid)!.modSeq)).toBe(since + 1);
    expect(told.map((effects) => effects.map(({ mailboxes }) => mailboxes.map(({ mailbox, changed }) => [mailbox, changed])))).toEqual([
      [[[box, [[uid, uid]]]]],
      [],
    ]);
    // Marked again it is no change.
    await bobs.transact((tx) => tx.changeFlags(box, [[uid, uid]], { add: ['$seen'] }));
    expect(ann.read((reader) => reader.modSeq)).toBe(since + 1);
    expect([...bobs.read((reader) => reader.effectsSince(since as ModSeq)!)]).toHaveLength(1);
  });

  test('goes along with copies, and is forgotten with the message', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const [box, other] = [await rig.make(ann, 'Plans'), await rig.make(ann, 'Done')];
    const uid = await rig.deliver(ann, box);
    await rig.give(ann, other, bob.id, 'lr');
    const bobs = await rig.shared(ann, box, bob, 'lrs');
    await bobs.transact((tx) => tx.changeFlags(box, [[uid, uid]], { add: ['$seen'] }));
    await ann.transact((tx) => tx.copy(box, [[uid, uid]], other));
    await ann.transact((tx) => tx.copy(box, [[uid, uid]], other));
    expect([1, 2].map((copy) => flagsAt(bobs, other, copy as Uid))).toEqual([['$seen'], ['$seen']]);
    await ann.transact((tx) => tx.expunge(other, [[2, 2]]));
    expect(ann.read((reader) => [1, 2].map((email) => reader.seenMarks(bob.id).isSeen(email as EmailNumber)))).toEqual([true, false]);
  });
});

describe('a shared account', () => {
  test('has what is visible, and of that what is readable, and nothing else', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const [box, listed, hidden] = [await rig.make(ann, 'Plans'), await rig.make(ann, 'Listed'), await rig.make(ann, 'Hidden')];
    const below = await rig.make(ann, 'Below', hidden);
    for (const mailbox of [box, listed, hidden, below]) await rig.deliver(ann, mailbox);
    await rig.give(ann, listed, bob.id, 'l');
    await rig.give(ann, hidden, bob.id, 'rs');
    await rig.give(ann, below, bob.id, 'lr');
    const bobs = await rig.shared(ann, box, bob, 'lr');
    bobs.read((reader) => {
      expect(reader.mailboxes().map(({ id, name, parent, total }) => [id, name, parent, total])).toEqual([
        [box, 'Plans', null, 1],
        [listed, 'Listed', null, 0],
        [below, 'Hidden/Below', null, 1],
      ]);
      expect([reader.mailbox(hidden), reader.mailboxByPath(['Hidden']), reader.mailboxByPath(['Hidden', 'Below'])?.id]).toEqual([
        undefined,
        undefined,
        below,
      ]);
      expect([box, listed, hidden].map((mailbox) => reader.uids(mailbox).length)).toEqual([1, 0, 0]);
      expect([...reader.emails()]).toEqual([1, 4]);
      const second = 2 as EmailNumber;
      const asked = [reader.email(second), reader.facts(second), reader.blob(second), reader.preview(second), reader.wireForms(second)];
      expect(asked.filter((answer) => answer !== undefined)).toEqual([]);
      expect(reader.text(second)).toBe('');
      expect([...reader.objects('mailboxAcl')]).toEqual([]);
    });
  });

  test('of an email that is also elsewhere shows the places that are visible, and changes no others', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const [box, secret] = [await rig.make(ann, 'Plans'), await rig.make(ann, 'Secret')];
    const uid = await rig.deliver(ann, box);
    await ann.transact((tx) => tx.copy(box, [[uid, uid]], secret));
    const bobs = await rig.shared(ann, box, bob, 'lrte');
    expect(bobs.read((reader) => reader.email(1 as EmailNumber)!.memberships.map(({ mailbox }) => mailbox))).toEqual([box]);
    await bobs.transact((tx) => tx.destroyEmails([[1, 1]]));
    expect(bobs.read((reader) => reader.email(1 as EmailNumber))).toBeUndefined();
    expect(ann.read((reader) => reader.email(1 as EmailNumber)!.memberships.map(({ mailbox }) => mailbox))).toEqual([secret]);
  });

  test('lets each right do its own and nothing more', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const [box, other] = [await rig.make(ann, 'Plans'), await rig.make(ann, 'Other')];
    await rig.give(ann, other, bob.id, 'lr');
    const bobs = await rig.shared(ann, box, bob, 'lr');
    const { raw, email } = newEmail(box);
    const upload = await ann.prepareBlob(raw);
    const attempts: Record<string, [needed: string, (tx: AccountTransactor) => unknown]> = {
      seen: ['s', (tx) => tx.changeKeywords([[1, 1]], { add: ['$seen'] })],
      keywords: ['w', (tx) => tx.changeKeywords([[1, 1]], { add: ['$flagged'] })],
      deleted: ['t', (tx) => tx.changeFlags(box, [[1, 1]], { deleted: true })],
      expunge: ['e', (tx) => tx.expunge(box, [[1, 1]])],
      create: ['k', (tx) => tx.createMailbox({ name: 'x', parent: box })],
      createAtTop: ['(never)', (tx) => tx.createMailbox({ name: 'x', parent: null })],
      rename: ['x', (tx) => tx.updateMailbox(box, { name: 'Planned' })],
      remove: ['x', (tx) => tx.removeMailbox(box)],
      role: ['(never)', (tx) => tx.updateMailbox(box, { role: 'archive' })],
      subscribe: ['', (tx) => tx.updateMailbox(box, { subscribed: true })],
      copyInto: ['i', (tx) => tx.copy(other, [[1, 1]], box)],
      moveOut: ['(never)', (tx) => tx.move(box, [[1, 1]], other)],
      append: ['i', (tx) => tx.addEmail({ ...email, blob: upload.ref })],
      acl: ['a', (tx) => tx.putObject('mailboxAcl', String(box), { rights: {} })],
      identity: ['(never)', (tx) => tx.putObject('Identity', 'x', {})],
      close: ['(never)', (tx) => tx.close()],
      take: ['(never)', (tx) => tx.rememberIngest('ses:1', null)],
    };
    await rig.deliver(ann, box);
    await rig.deliver(ann, other);
    class Undo extends Error {}
    for (const right of ['', ...'swipkxtea']) {
      await rig.give(ann, box, bob.id, `lr${right}`);
      for (const [name, [needed, attempt]] of Object.entries(attempts)) {
        const outcome = await bobs
          .transact(
            (tx) => {
              attempt(tx);
              throw new Undo();
            },
            { uploads: [upload] },
          )
          .catch((error: { code?: string }) => (error instanceof Undo ? 'may' : error.code));
        expect([right, name, outcome]).toEqual([right, name, needed === '' || needed === right ? 'may' : 'forbidden']);
      }
    }
  });

  test('leaves out flags that may not be set where messages come in', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const box = await rig.make(ann, 'Plans');
    const outcomes: unknown[] = [];
    for (const rights of ['lri', 'lris', 'lriw', 'lrit']) {
      const bobs = await rig.shared(ann, box, bob, rights);
      const { raw, email } = newEmail(box, ['$seen', '$flagged'], true);
      const upload = await bobs.prepareBlob(raw);
      const { uids } = await bobs.transact((tx) => tx.addEmail({ ...email, blob: upload.ref }), { uploads: [upload] });
      outcomes.push([flagsAt(bobs, box, uids[0]!), flagsAt(ann, box, uids[0]!)]);
    }
    expect(outcomes).toEqual([
      [[], []],
      [['$seen'], []],
      [['$flagged'], ['$flagged']],
      [['deleted'], ['deleted']],
    ]);
  });

  test('leaves flags behind that may not be set where a message is copied or moved to', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const [box, other] = [await rig.make(ann, 'Plans'), await rig.make(ann, 'Other')];
    for (const _ of 'abc') await rig.deliver(ann, box);
    await ann.transact((tx) => tx.changeFlags(box, [[2, 2]], { set: ['$seen', '$flagged'], deleted: true }));
    const bobs = await rig.shared(ann, box, bob, 'lrste');
    await bobs.transact((tx) => tx.changeFlags(box, [[3, 3]], { add: ['$seen'] }));
    const outcomes: unknown[] = [];
    for (const rights of ['lri', 'lriw', 'lris', 'lrit']) {
      await rig.give(ann, other, bob.id, rights);
      const pairs = await bobs.transact((tx) => tx.copy(box, [[1, 3]], other));
      outcomes.push([pairs.map(({ from }) => from), pairs.map(({ to }) => flagsAt(bobs, other, to))]);
    }
    expect(outcomes).toEqual([
      [
        [1, 2, 3],
        [[], [], []],
      ],
      [
        [1, 2, 3],
        [[], ['$flagged'], []],
      ],
      [
        [1, 2, 3],
        [[], [], ['$seen']],
      ],
      [
        [1, 2, 3],
        [[], ['deleted'], []],
      ],
    ]);
    const moved = await bobs.transact((tx) => tx.move(box, [[1, 3]], other));
    expect(moved.map(({ to }) => flagsAt(bobs, other, to))).toEqual([[], ['deleted'], []]);
    expect(ann.read((reader) => reader.uids(box).length)).toBe(0);
  });

  test('replaces only the flags that may be changed', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const box = await rig.make(ann, 'Plans');
    const uid = await rig.deliver(ann, box);
    await ann.transact((tx) => tx.changeFlags(box, [[uid, uid]], { set: ['$seen', '$flagged'], deleted: true }));
    const bobs = await rig.shared(ann, box, bob, 'lrw');
    await bobs.transact((tx) => tx.changeFlags(box, [[uid, uid]], { set: ['$answered', '$seen'], deleted: false }));
    expect([flagsAt(ann, box, uid), flagsAt(bobs, box, uid)]).toEqual([
      ['$answered', '$seen', 'deleted'],
      ['$answered', 'deleted'],
    ]);
  });

  test('shows no message that has gone where he does not see it, and tells its watchers so', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const box = await rig.make(ann, 'Plans');
    const uid = await rig.deliver(ann, box);
    const bobs = await rig.shared(ann, box, bob, 'lr');
    const told: Effect[] = [];
    using _ = bobs.watch((effects) => told.push(...effects));
    await rig.deliver(ann, rig.inbox(ann));
    await ann.transact((tx) => tx.move(box, [[uid, uid]], rig.inbox(ann)));
    expect(told.map(({ mailboxes, emails }) => [mailboxes.map(({ mailbox, removed }) => [mailbox, removed]), emails.removed])).toEqual([
      [[[box, [[uid, uid]]]], [[1, 1]]],
    ]);
  });

  test('refuses what is not there as it refuses what is not visible', async () => {
    await using rig = await SharingRig.open();
    const { ann, bob } = rig;
    const [box, hidden] = [await rig.make(ann, 'Plans'), await rig.make(ann, 'Hidden')];
    await rig.give(ann, hidden, bob.id, 'rswipkxtea');
    const bobs = await rig.shared(ann, box, bob, 'lr');
    for (const mailbox of [hidden, 999 as MailboxNumber]) {
      expect(await refusal(bobs, (tx) => tx.removeMailbox(mailbox))).toBe('mailboxNotFound');
      expect(await refusal(bobs, (tx) => tx.createMailbox({ name: 'x', parent: mailbox }))).toBe('mailboxNotFound');
      expect(await refusal(bobs, (tx) => tx.changeFlags(mailbox, [[1, 1]], { add: ['$seen'] }))).toBe('mailboxNotFound');
      expect(await refusal(bobs, (tx) => tx.putObject('mailboxAcl', String(mailbox), {}))).toBe('mailboxNotFound');
    }
  });
});
