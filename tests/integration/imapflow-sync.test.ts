/**
 * imapflow keeps a copy of an account of 5,000 real messages: reads it all, changes it while another client does too, and comes back with QRESYNC. The
 * copy is then what a first look would see, byte for byte and flag for flag.
 */
import { createHash } from 'node:crypto';
import { ImapFlow } from 'imapflow';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { spamAssassinMessages } from '../support/corpus.ts';
import { type ImapApp, password, startImapApp, user } from '../support/imap/app.ts';

const messages = spamAssassinMessages().slice(0, 5000);
const batch = 100;

let app: ImapApp;
let port: number;
beforeAll(async () => {
  app = await startImapApp({ messageBytesMax: 32 * 1024 * 1024 });
  port = (await app.listen()).port;
  const client = await app.connect();
  await client.command(`LOGIN ${user} "${password}"`);
  for (let at = 0; at < messages.length; at += batch) {
    const parts: Buffer[] = [];
    for (const { raw } of messages.slice(at, at + batch)) parts.push(Buffer.from(` {${raw.length}+}\r\n`), raw);
    client.write(Buffer.concat([Buffer.from('t APPEND INBOX'), ...parts, Buffer.from('\r\n')]));
    expect((await client.until('t')).at(-1)).toMatch(/^t OK/);
  }
  client.close();
}, 120_000);
afterAll(() => app[Symbol.asyncDispose]());

interface Copy {
  readonly flags: Map<number, string>;
  readonly hashes: Map<number, string>;
}

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const sorted = (flags: Iterable<string>) =>
  [...flags]
    .filter((flag) => flag !== '\\Recent')
    .sort()
    .join(' ');

async function open(): Promise<ImapFlow> {
  const auth = { user, pass: password };
  const client = new ImapFlow({ host: '127.0.0.1', port, secure: false, auth, logger: false, qresync: true });
  await client.connect();
  return client;
}

async function readAll(client: ImapFlow, into: Copy, range = '1:*'): Promise<void> {
  for await (const { uid, flags, source } of client.fetch(range, { uid: true, flags: true, source: true }, { uid: true })) {
    into.flags.set(uid, sorted(flags!));
    into.hashes.set(uid, hashOf(source!));
  }
}

it('keeps 5,000 messages in step without a difference', { timeout: 120_000 }, async () => {
  const copy: Copy = { flags: new Map(), hashes: new Map() };
  const first = await open();
  const { uidValidity, exists } = await first.mailboxOpen('INBOX');
  expect(exists).toBe(messages.length);
  await readAll(first, copy);
  expect([...copy.hashes.values()]).toEqual(messages.map(({ raw }) => hashOf(raw)));

  // What it changes itself.
  expect(await first.messageFlagsAdd('1:1500', ['\\Seen'], { uid: true })).toBe(true);
  for (let uid = 1; uid <= 1500; uid += 1) copy.flags.set(uid, sorted([...copy.flags.get(uid)!.split(' ').filter(Boolean), '\\Seen']));
  expect(await first.messageMove('4001:4200', 'Archive', { uid: true })).toMatchObject({ destination: 'Archive' });
  for (let uid = 4001; uid <= 4200; uid += 1) for (const map of [copy.flags, copy.hashes]) map.delete(uid);
  const { highestModseq } = first.mailbox as { highestModseq?: bigint };
  await first.logout();

  // What another does meanwhile.
  const other = await open();
  await other.mailboxOpen('INBOX');
  await other.messageFlagsAdd('1000:2000', ['\\Flagged', '$work'], { uid: true });
  await other.messageFlagsRemove('1:200', ['\\Seen'], { uid: true });
  await other.messageDelete('3001:3100,4900', { uid: true });
  await other.append('INBOX', 'Subject: late\r\n\r\nx', ['\\Draft']);
  await other.logout();

  // It comes back.
  const again = await open();
  again.on('expunge', ({ uid, vanished }: { uid?: number; vanished?: boolean }) => {
    expect(vanished).toBe(true);
    for (const map of [copy.flags, copy.hashes]) map.delete(uid!);
  });
  again.on('flags', ({ uid, flags }: { uid?: number; flags: Set<string> }) => copy.flags.set(uid!, sorted(flags)));
  const lastUid = Math.max(...copy.hashes.keys());
  await again.mailboxOpen('INBOX', { changedSince: highestModseq!, uidValidity } as object);
  await readAll(again, copy, `${lastUid + 1}:*`);
  await again.logout();

  const fresh: Copy = { flags: new Map(), hashes: new Map() };
  const newcomer = await open();
  await newcomer.mailboxOpen('INBOX');
  await readAll(newcomer, fresh);
  const lines = ({ flags, hashes }: Copy) => [...flags].sort(([a], [b]) => a - b).map(([uid, own]) => `${uid} ${own} ${hashes.get(uid)}`);
  expect(lines(copy)).toEqual(lines(fresh));
  expect(fresh.flags.size).toBe(messages.length - 200 - 101 + 1);
  await newcomer.mailboxOpen('Archive');
  const archived: Copy = { flags: new Map(), hashes: new Map() };
  await readAll(newcomer, archived);
  expect([...archived.hashes.values()]).toEqual(messages.slice(4000, 4200).map(({ raw }) => hashOf(raw)));
  await newcomer.logout();
});
