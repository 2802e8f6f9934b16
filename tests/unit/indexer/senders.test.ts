import { describe, expect, test } from 'vitest';
import { sendersMax } from '../../../indexer/limits.ts';
import { lessonsOfMoves, listSenders, removeSender, setSender } from '../../../indexer/senders.ts';
import type { EmailNumber, Uid } from '../../../protocol/mail/ids.ts';
import type { Account } from '../../../storage/account/api.ts';
import { fixture, idOf } from './fixtures.ts';
import { ada, openRig, type Rig } from './rig.ts';

type Role = 'inbox' | 'junk' | 'trash' | 'archive';

let drops = 0;

async function openAda() {
  const rig = await openRig({ onJoin: lessonsOfMoves((account, address) => account === ada && address === 'ada.alias@example.com') });
  return { rig, account: await rig.node.accounts.open(ada) };
}

/** A message by noor@sender.example, handed in under a name of its own; resolves to where it went. */
async function receive(rig: Rig, account: Account, { from = 'Noor <noor@sender.example>', extra = '' } = {}): Promise<Role | undefined> {
  const key = `inbound/ada@example.com/m${++drops}`;
  await rig.bucket.store.put(key, Buffer.from(`From: ${from}\r\n${extra}Subject: ${drops}\r\n\r\nHello.\r\n`));
  await rig.pipeline.ingest({ key });
  return (['inbox', 'junk'] as const).find((role) => emails(account, role).some((email) => email === newest(account)));
}

const newest = (account: Account) => account.read((reader) => [...reader.emails()].at(-1)!);

function emails(account: Account, role: Role): readonly EmailNumber[] {
  return account.read((reader) => {
    const { id } = reader.mailboxByRole(role)!;
    return [...reader.uids(id)].map((uid) => reader.membership(id, uid as Uid)!.email);
  });
}

/** As IMAP moves. */
function move(account: Account, email: EmailNumber, to: Role): Promise<unknown> {
  return account.transact((tx) => {
    const { mailbox, uid } = tx.email(email)!.memberships[0]!;
    return tx.move(mailbox, [[uid, uid]], tx.mailboxByRole(to)!.id);
  });
}

const list = (account: Account) => account.read(listSenders).map(({ address, kind, by }) => [address, kind, by]);

describe("the owner's move", () => {
  test('into Junk sends what the sender sends next to Junk, and shows in the list', async () => {
    const { rig, account } = await openAda();
    expect(await receive(rig, account)).toBe('inbox');
    await move(account, newest(account), 'junk');
    expect(list(account)).toEqual([['noor@sender.example', 'blocked', 'move']]);
    expect(await receive(rig, account)).toBe('junk');
    expect(await receive(rig, account, { from: 'other@sender.example' })).toBe('inbox');
  });

  test('teaches nothing of an address of their own, whoever the mail was for', async () => {
    const { rig, account } = await openAda();
    await receive(rig, account, { from: 'ada.alias@example.com' });
    await move(account, newest(account), 'junk');
    expect(list(account)).toEqual([]);
  });

  test('and back again takes the lesson back', async () => {
    const { rig, account } = await openAda();
    await receive(rig, account);
    const email = newest(account);
    await move(account, email, 'junk');
    await move(account, email, 'inbox');
    expect(list(account)).toEqual([]);
    expect(await receive(rig, account)).toBe('inbox');
  });

  test('out of Junk lets the sender in although scanners call his mail spam', async () => {
    const { rig, account } = await openAda();
    const spam = fixture('spam.eml');
    await rig.bucket.store.put(`inbound/${idOf(spam)}`, spam);
    await rig.pipeline.ingest({ key: `inbound/${idOf(spam)}` });
    await account.transact((tx) => tx.setMailboxes(newestOf(tx), [tx.mailboxByRole('inbox')!.id]));
    expect(list(account)).toMatchObject([[expect.any(String), 'safe', 'move']]);
    const again = Buffer.from(spam.toString('latin1').replaceAll(idOf(spam), `${idOf(spam).slice(0, -2)}zz`), 'latin1');
    await rig.bucket.store.put(`inbound/${idOf(again)}`, again);
    await rig.pipeline.ingest({ key: `inbound/${idOf(again)}` });
    expect(emails(account, 'inbox')).toContain(newest(account));
    expect(account.read((reader) => reader.email(newest(account))!.keywords)).toEqual([]);
  });

  test.each<[Role, Role]>([
    ['inbox', 'archive'],
    ['junk', 'trash'],
  ])('from %s to %s teaches nothing', async (from, to) => {
    const { rig, account } = await openAda();
    await receive(rig, account);
    if (from === 'junk') await move(account, newest(account), 'junk');
    const before = list(account);
    await move(account, newest(account), to);
    expect(list(account)).toEqual(before);
  });

  test('of a message that pretends to come from its recipient blocks nobody', async () => {
    const { rig, account } = await openAda();
    await receive(rig, account, { from: 'Ada <ADA@example.com>' });
    await move(account, newest(account), 'junk');
    expect(list(account)).toEqual([]);
  });

  test('of a message with several authors, or none, blocks nobody', async () => {
    const { rig, account } = await openAda();
    for (const from of ['a@x.example, b@x.example', 'nobody']) {
      await receive(rig, account, { from });
      await move(account, newest(account), 'junk');
    }
    expect(list(account)).toEqual([]);
  });
});

describe('the list', () => {
  test('is changed by an administrator, and forgets when told to', async () => {
    const { rig, account } = await openAda();
    await account.transact((tx) => setSender(tx, 'noor@sender.example', 'blocked'));
    expect(await receive(rig, account)).toBe('junk');
    expect(await account.transact((tx) => removeSender(tx, 'noor@sender.example'))).toBe(true);
    expect(await receive(rig, account)).toBe('inbox');
    expect(await account.transact((tx) => removeSender(tx, 'noor@sender.example'))).toBe(false);
  });

  test('is bounded: what was taught longest ago goes, what an administrator set stays', async () => {
    const { rig, account } = await openAda();
    await receive(rig, account);
    await move(account, newest(account), 'junk');
    for (let from = 1; from < sendersMax; from += 500) {
      await account.transact((tx) => {
        for (let i = from; i < Math.min(from + 500, sendersMax); i++) setSender(tx, `s${i}@example.org`, 'safe');
      });
    }
    expect(list(account)).toHaveLength(sendersMax);
    await account.transact((tx) => setSender(tx, 'one-more@example.org', 'safe'));
    expect(list(account)).toHaveLength(sendersMax);
    expect(list(account).some(([, kind]) => kind === 'blocked')).toBe(false);
    await expect(account.transact((tx) => setSender(tx, 'too-many@example.org', 'safe'))).rejects.toThrow(/at most/);
  });
});

const newestOf = (tx: { emails(): Iterable<EmailNumber> }) => [...tx.emails()].at(-1)!;
