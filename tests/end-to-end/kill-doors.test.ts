/**
 * The server is killed at random moments while mail comes by LMTP to two accounts, a client copies by IMAP, another changes mail and filter scripts by
 * JMAP, and the administrator makes accounts. Whatever was acknowledged is there afterwards, once; and the index that survived all the kills says of
 * every account what one says that is built anew from the bucket.
 */
import { randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { AccountId } from '../../protocol/mail/ids.ts';
import { callAdmin } from '../support/admin-call.ts';
import { LineClient } from '../support/line-client.ts';
import { dump } from '../support/open-accounts.ts';
import { makeServerFolder, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';

const kills = Number(process.env['SATCHEL_TEST_KILLS'] ?? 6);
const any = '127.0.0.1:0';
const other = 'other@localhost';

/** What the doors said yes to. */
class Acknowledged {
  readonly mine = new Set<string>();
  readonly others = new Set<string>();
  readonly copied = new Set<string>();
  readonly created = new Set<string>();
  readonly keyworded = new Set<string>();
  readonly destroyed = new Set<string>();
  /** What was being changed by JMAP at a kill: the change that had no answer may have been made. */
  readonly last = new Set<string>();
  readonly scripts = new Map<string, string>();
  readonly accounts = new Set<string>();
}

it(`kill -9 at ${kills} random moments at every door loses and doubles nothing, and the index stays true`, {
  timeout: 240_000,
}, async () => {
  using folder = makeServerFolder({
    listen: { http: any, https: null, imap: null, imaps: any, lmtp: any, submission: null, submissions: null, managesieve: null },
  });
  const acknowledged = new Acknowledged();
  let server = await startServerProcess(folder);
  const password = server.password!;
  await callAdmin(adminSocket(folder), '/accounts', { address: other, password });
  for (let round = 1; round <= kills; round += 1) {
    const stop = new AbortController();
    const work = Promise.all([
      ...[1, 2].map((client) => deliver(server, acknowledged, `${round}-${client}`, stop.signal)),
      copy(server, password, acknowledged, `${round}`, stop.signal),
      changeByJmap(server, password, acknowledged, `${round}`, stop.signal),
      addAccounts(folder, acknowledged, `${round}`, stop.signal),
    ]);
    await sleep(randomInt(200, 1000));
    await server.kill();
    stop.abort();
    await work;
    server = await startServerProcess(folder);
  }
  await inspect(server, password, acknowledged);
  await server.kill();

  let before: Map<string, string>;
  {
    await using survivor = await folder.start();
    before = await dumps(survivor);
    const addresses = new Set(survivor.app.services.directory.listAccounts().map(({ address }) => address));
    expect([...acknowledged.accounts].filter((address) => !addresses.has(address))).toEqual([]);
  }
  rmSync(join(folder.path, 'data/index'), { recursive: true });
  await using rebuilt = await folder.start();
  expect(await dumps(rebuilt)).toEqual(before);
});

const adminSocket = (folder: ServerFolder) => join(folder.path, 'data/admin.sock');

async function dumps({ app }: RunningServer): Promise<Map<string, string>> {
  const ids = ['directory' as AccountId, ...app.services.directory.listAccounts().map(({ id }) => id)];
  return new Map(await Promise.all(ids.map(async (id) => [id, dump(await app.accounts.open(id))] as const)));
}

/** What is in the air when the server dies is neither true nor false; what the test itself finds wrong counts. */
async function untilKilled(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Error && error.name === 'AssertionError') throw error;
  }
}

function deliver(server: ServerProcess, acknowledged: Acknowledged, name: string, signal: AbortSignal): Promise<void> {
  return untilKilled(async () => {
    const client = LineClient.connect({ host: '127.0.0.1', port: server.lmtpPort });
    client.socket.on('error', () => undefined);
    await client.send('', /^220 /);
    await client.send('LHLO mta\r\n', /^250 .*\r\n/m);
    for (let at = 0; !signal.aborted; at += 1) {
      const id = `${name}-${at}@lmtp.example`;
      // Some of them are objects of their own.
      const padding = at % 4 === 3 ? `${'x'.repeat(76)}\r\n`.repeat(2000) : '';
      await client.send(`MAIL FROM:<a@example.org>\r\nRCPT TO:<me@localhost>\r\nRCPT TO:<${other}>\r\nDATA\r\n`, /^354 .*\r\n/m);
      const answers = await client.send(
        `Message-ID: <${id}>\r\nFrom: a@example.org\r\nSubject: ${id}\r\n\r\n${padding}.\r\n`,
        /^\d{3} .*\r\n\d{3} .*\r\n/,
      );
      const [first, second] = answers.split('\r\n').map((line) => line.startsWith('250'));
      if (first) acknowledged.mine.add(id);
      if (second) acknowledged.others.add(id);
    }
  });
}

function copy(server: ServerProcess, password: string, acknowledged: Acknowledged, name: string, signal: AbortSignal): Promise<void> {
  return untilKilled(async () => {
    const client = await server.connect(password);
    await client.mailboxOpen('Drafts');
    for (let at = 0; !signal.aborted; at += 1) {
      const id = `${name}-${at}@copy.example`;
      const appended = await client.append('Drafts', `Message-ID: <${id}>\r\nFrom: a@example.com\r\nSubject: ${id}\r\n\r\nbody\r\n`);
      if (appended === false || appended.uid === undefined) return;
      if ((await client.messageCopy(String(appended.uid), 'Archive', { uid: true })) !== false) acknowledged.copied.add(id);
    }
  });
}

const using = ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail', 'urn:ietf:params:jmap:sieve'];

/** What is read here of an answer; of what was asked for, something else is there. */
interface Answer {
  readonly ids: readonly string[];
  readonly list: readonly {
    readonly id: string;
    readonly name: string;
    readonly role: string | null;
    readonly blobId: string;
    readonly messageId: readonly string[];
    readonly mailboxIds: Readonly<Record<string, true>>;
    readonly keywords: Readonly<Record<string, true>>;
  }[];
  readonly created: Readonly<Record<string, { readonly id: string }>> | null;
  readonly updated: object | null;
  readonly destroyed: readonly string[] | null;
}

async function connectJmap({ httpPort }: ServerProcess, user: string, password: string) {
  const base = `http://127.0.0.1:${httpPort}`;
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const session = (await (await fetch(`${base}/jmap/session`, { headers })).json()) as { primaryAccounts: Record<string, string> };
  const accountId = session.primaryAccounts['urn:ietf:params:jmap:mail']!;
  return {
    async call(method: string, parameters: object): Promise<Answer> {
      const body = JSON.stringify({ using, methodCalls: [[method, { accountId, ...parameters }, '0']] });
      const answer = await fetch(`${base}/jmap/api`, { method: 'POST', headers, body });
      return ((await answer.json()) as { methodResponses: [[string, Answer, string]] }).methodResponses[0][1];
    },
    async upload(bytes: string): Promise<string> {
      const answer = await fetch(`${base}/jmap/upload/${accountId}`, { method: 'POST', headers: { authorization }, body: bytes });
      return ((await answer.json()) as { blobId: string }).blobId;
    },
    async download(blobId: string): Promise<string> {
      return await (await fetch(`${base}/jmap/download/${accountId}/${blobId}/x`, { headers: { authorization } })).text();
    },
  };
}

/** Drafts that are made, marked and some of them removed; scripts by way of an upload. */
function changeByJmap(
  server: ServerProcess,
  password: string,
  acknowledged: Acknowledged,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  let key = '';
  return untilKilled(async () => {
    const client = await connectJmap(server, 'me@localhost', password);
    const mailboxes = await client.call('Mailbox/get', { properties: ['role'] });
    const drafts = mailboxes.list.find(({ role }) => role === 'drafts')!.id;
    for (let at = 0; !signal.aborted; at += 1) {
      key = `${name}-${at}@jmap.example`;
      const made = await client.call('Email/set', { create: { a: { mailboxIds: { [drafts]: true }, messageId: [key], subject: key } } });
      const { id } = made.created!.a!;
      acknowledged.created.add(key);
      const marked = await client.call('Email/set', { update: { [id]: { 'keywords/$flagged': true } } });
      if (id in marked.updated!) acknowledged.keyworded.add(key);
      if (at % 3 === 2 && (await client.call('Email/set', { destroy: [id] })).destroyed!.includes(id)) acknowledged.destroyed.add(key);
      if (at % 4 === 0) {
        const script = `require "fileinto"; # ${key}\r\nfileinto "Archive";\r\n`;
        const blobId = await client.upload(script);
        const stored = await client.call('SieveScript/set', { create: { s: { name: key, blobId } } });
        if (stored.created?.['s'] !== undefined) acknowledged.scripts.set(key, script);
      }
    }
  }).finally(() => acknowledged.last.add(key));
}

function addAccounts(folder: ServerFolder, acknowledged: Acknowledged, name: string, signal: AbortSignal): Promise<void> {
  return untilKilled(async () => {
    for (let at = 0; !signal.aborted; at += 1) {
      const address = `a${name}-${at}@localhost`;
      await callAdmin(adminSocket(folder), '/accounts', { address });
      acknowledged.accounts.add(address);
      await sleep(100);
    }
  });
}

/** Message-IDs with the roles of the mailboxes that they are in, each as often as it is there. */
async function found(server: ServerProcess, user: string, password: string): Promise<Map<string, string[]>> {
  const client = await connectJmap(server, user, password);
  const roles = new Map((await client.call('Mailbox/get', {})).list.map(({ id, role }) => [id, role]));
  const places = new Map<string, string[]>();
  for (let position = 0; ; ) {
    const { ids } = await client.call('Email/query', { position, limit: 200 });
    if (ids.length === 0) return places;
    position += ids.length;
    for (const email of (await client.call('Email/get', { ids, properties: ['messageId', 'mailboxIds', 'keywords'] })).list) {
      const is = Object.keys(email.mailboxIds).map((id) => `${roles.get(id)}${email.keywords['$flagged'] ? ' flagged' : ''}`);
      const key = email.messageId[0]!;
      places.set(key, [...(places.get(key) ?? []), ...is].sort());
    }
  }
}

async function inspect(server: ServerProcess, password: string, acknowledged: Acknowledged): Promise<void> {
  const mine = await found(server, 'me@localhost', password);
  const others = await found(server, other, password);
  const misplaced = (of: Map<string, string[]>, keys: Iterable<string>, want: string) =>
    [...keys].filter((key) => String(of.get(key)) !== want).map((key) => `${key}: ${of.get(key)}`);
  expect(misplaced(mine, acknowledged.mine, 'inbox')).toEqual([]);
  expect(misplaced(others, acknowledged.others, 'inbox')).toEqual([]);
  expect(misplaced(mine, acknowledged.copied, 'archive,drafts')).toEqual([]);
  const { created, destroyed, last } = acknowledged;
  const kept = [...acknowledged.keyworded].filter((key) => !destroyed.has(key) && !last.has(key));
  expect(misplaced(mine, kept, 'drafts flagged')).toEqual([]);
  expect([...created].filter((key) => mine.has(key) === destroyed.has(key) && !last.has(key))).toEqual([]);
  expect([...mine.values(), ...others.values()].filter((places) => new Set(places).size < places.length)).toEqual([]);

  const client = await connectJmap(server, 'me@localhost', password);
  const scripts = new Map((await client.call('SieveScript/get', {})).list.map(({ name, blobId }) => [name, blobId]));
  for (const [name, script] of acknowledged.scripts) expect(await client.download(scripts.get(name)!)).toBe(script);
  for (const size of [acknowledged.mine.size, acknowledged.others.size, acknowledged.copied.size, created.size, acknowledged.scripts.size])
    expect(size).toBeGreaterThan(0);
}
