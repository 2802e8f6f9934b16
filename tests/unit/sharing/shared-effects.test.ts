/** What those are told with whom mailboxes are shared: exactly what came into their sight, changed in it, and went out of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EmailNumber, MailboxNumber, ModSeq } from '../../../protocol/mail/ids.ts';
import { eachOf } from '../../../protocol/mail/ranges.ts';
import type { Account, Effect } from '../../../storage/account/api.ts';
import type { LogAccount } from '../../../storage/account/log-account.ts';
import { sharedEffects } from '../../../storage/sharing/shared-effects.ts';
import { deliver, dump, rawMessage } from '../../support/open-accounts.ts';
import { SharingRig } from './rig.ts';

let rig: SharingRig;
let open: MailboxNumber;
let closed: MailboxNumber;
let count = 0;

beforeEach(async () => {
  rig = await SharingRig.open();
  open = await rig.make(rig.ann, 'Open');
  closed = await rig.make(rig.ann, 'Closed');
});
afterEach(() => rig[Symbol.asyncDispose]());

const now = (account: Account = rig.ann): ModSeq => account.read((reader) => reader.modSeq);
const put = async (mailbox: MailboxNumber, references = ''): Promise<EmailNumber> => {
  count += 1;
  const headers = { Subject: 'S', 'Message-ID': `<${count}@x>`, ...(references === '' ? {} : { References: references }) };
  return (await deliver(rig.ann, mailbox, rawMessage(headers))).id;
};
const give = (mailbox: MailboxNumber, letters: string) => rig.give(rig.ann, mailbox, rig.bob.id, letters);
const effectsOf = (since: ModSeq, account: Account = rig.ann): Effect[] =>
  account.read((reader) => sharedEffects(reader, rig.bob.id, since))!;

/** Numbers by how they were told, over all effects, in order. */
function told(since: ModSeq, of: 'emails' | 'threads' = 'emails'): string[] {
  return effectsOf(since).flatMap((effect) =>
    (['added', 'changed', 'removed'] as const).flatMap((how) => Array.from(eachOf(effect[of][how]), (number) => `${how} ${number}`)),
  );
}
const toldOfMailboxes = (since: ModSeq) =>
  effectsOf(since).flatMap(({ mailboxes }) => mailboxes.map(({ mailbox, record = 'counts' }) => `${record} ${mailbox}`));

describe('of a mailbox that is shared', () => {
  it('mail is told that comes, changes and goes', async () => {
    await give(open, 'lr');
    const since = now();
    const email = await put(open);
    await rig.ann.transact((tx) => tx.changeKeywords([[email, email]], { add: ['$flagged'] }));
    await rig.ann.transact((tx) => tx.destroyEmails([[email, email]]));
    expect(told(since)).toEqual([`added ${email}`, `changed ${email}`, `removed ${email}`]);
    expect(toldOfMailboxes(since)).toEqual([`counts ${open}`, `counts ${open}`, `counts ${open}`]);
  });

  it('mail that moves in from elsewhere is added, and what moves out is removed', async () => {
    await give(open, 'lr');
    const email = await put(closed);
    const since = now();
    await rig.ann.transact((tx) => tx.setMailboxes(email, [open]));
    await rig.ann.transact((tx) => tx.setMailboxes(email, [open, closed]));
    await rig.ann.transact((tx) => tx.setMailboxes(email, [closed]));
    await rig.ann.transact((tx) => tx.changeKeywords([[email, email]], { add: ['$flagged'] }));
    await rig.ann.transact((tx) => tx.destroyEmails([[email, email]]));
    expect(told(since)).toEqual([`added ${email}`, `removed ${email}`]);
    const thread = Number(told(since, 'threads')[0]!.split(' ')[1]);
    expect(told(since, 'threads')).toEqual([`added ${thread}`, `removed ${thread}`]);
  });

  it('a thread is told with what of it is seen', async () => {
    await give(open, 'lr');
    const first = await put(closed);
    const root = `<${count}@x>`;
    const since = now();
    const second = await put(open, root);
    const third = await put(open, root);
    const fourth = await put(closed, root);
    await rig.ann.transact((tx) => tx.destroyEmails([[first, second]]));
    await rig.ann.transact((tx) => tx.setMailboxes(third, [closed]));
    const thread = rig.ann.read((reader) => reader.email(fourth)!.thread);
    expect(told(since, 'threads')).toEqual([`added ${thread}`, `changed ${thread}`, `changed ${thread}`, `removed ${thread}`]);
    expect(told(since)).toEqual([`added ${second}`, `added ${third}`, `removed ${second}`, `removed ${third}`]);
  });

  it('what only the owner has seen is told to nobody, and what came with it is', async () => {
    await give(open, 'lr');
    const email = await put(open);
    const since = now();
    const ranges = [[email, email]] as const;
    await rig.ann.transact((tx) => tx.changeKeywords(ranges, { add: ['$seen'] }));
    await rig.ann.transact((tx) => {
      tx.changeKeywords(ranges, { remove: ['$seen'] });
      tx.changeKeywords(ranges, { add: ['$seen'] });
    });
    expect(effectsOf(since)).toEqual([]);
    await rig.ann.transact((tx) => tx.changeKeywords(ranges, { set: ['$flagged'] }));
    await rig.ann.transact((tx) => {
      tx.changeKeywords(ranges, { add: ['$seen'] });
      tx.changeKeywords(ranges, { remove: ['$flagged'] });
    });
    expect(told(since)).toEqual([`changed ${email}`, `changed ${email}`]);
  });

  it('what others have seen is told to nobody', async () => {
    await give(open, 'lrs');
    await rig.give(rig.ann, open, rig.cid.id, 'lrs');
    const email = await put(open);
    const since = now();
    await rig.ann.transact((tx) => tx.changeSeen(rig.cid.id, [[email, email]], true));
    expect(effectsOf(since)).toEqual([]);
    await rig.ann.transact((tx) => tx.changeSeen(rig.bob.id, [[email, email]], true));
    expect(told(since)).toEqual([`changed ${email}`]);
  });
});

describe('when rights change', () => {
  it('all that is in the mailbox comes into sight, or goes out of it', async () => {
    const [one, two] = [await put(open), await put(open)];
    await give(closed, 'lr');
    await rig.ann.transact((tx) => tx.setMailboxes(two, [open, closed]));
    const since = now();
    await give(open, 'lr');
    await give(open, 'l');
    await give(open, '');
    // What is seen elsewhere changes its mailboxes only.
    expect(told(since)).toEqual([`added ${one}`, `changed ${two}`, `changed ${two}`, `removed ${one}`]);
    expect(toldOfMailboxes(since)).toEqual([`added ${open}`, `changed ${open}`, `removed ${open}`]);
  });

  it('what came and went while nothing was shared is not named', async () => {
    await give(open, 'lr');
    const kept = await put(open);
    const since = now();
    await give(open, '');
    const hidden = await put(open);
    const late = await put(open);
    await rig.ann.transact((tx) => tx.setMailboxes(hidden, [closed]));
    await rig.ann.transact((tx) => tx.destroyEmails([[kept, kept]]));
    await give(open, 'lr');
    expect(told(since)).toEqual([`removed ${kept}`, `added ${late}`]);
  });

  it('a mailbox that is deleted takes its mail out of sight', async () => {
    await give(open, 'lr');
    const email = await put(open);
    const both = await put(open);
    await rig.ann.transact((tx) => tx.setMailboxes(both, [open, closed]));
    const since = now();
    await rig.ann.transact((tx) => tx.removeMailbox(open));
    expect(told(since)).toEqual([`removed ${email}`, `removed ${both}`]);
    expect(toldOfMailboxes(since)).toEqual([`removed ${open}`]);
  });
});

it('follows from the log: a node that begins with nothing tells the same', async () => {
  await give(open, 'lr');
  const email = await put(open);
  await give(open, 'lrs');
  await rig.ann.transact((tx) => tx.changeSeen(rig.bob.id, [[email, email]], true));
  await rig.ann.transact((tx) => tx.changeKeywords([[email, email]], { add: ['$seen'] }));
  await rig.ann.transact((tx) => tx.setMailboxes(email, [closed]));
  await give(open, '');
  await rig.ann.transact((tx) => tx.destroyEmails([[email, email]]));
  await using other = rig.bucket.node();
  const rebuilt = await other.accounts.open(rig.ann.id);
  expect(dump(rebuilt as LogAccount)).toBe(dump(rig.ann as LogAccount));
  for (let since = 0; since <= now(); since += 1) expect(effectsOf(since as ModSeq, rebuilt)).toEqual(effectsOf(since as ModSeq));
});
