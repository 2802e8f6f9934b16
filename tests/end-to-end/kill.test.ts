/**
 * The server is killed at random moments while mail comes in and a client appends, flags and moves. Whatever was acknowledged is there afterwards,
 * once; UIDs only rise; no two mutations share a modSeq. One index survives all the kills; in the end a rebuilt one says the same.
 */
import { hash, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ImapFlow } from 'imapflow';
import { expect, it } from 'vitest';
import { makeServerFolder } from '../support/running-server.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { sesMessage } from '../support/ses-message.ts';

const kills = Number(process.env['SATCHEL_TEST_KILLS'] ?? 20);

/** What clients were told. */
class Acknowledged {
  /** UID by Message-ID of appended messages. */
  readonly appended = new Map<string, number>();
  readonly flagged = new Set<number>();
  readonly moved = new Set<string>();
  uidMax = 0;
}

it(`kill -9 at ${kills} random moments under load loses and doubles nothing`, { timeout: 280_000 }, async () => {
  using folder = makeServerFolder({
    listen: {
      http: null,
      https: null,
      imap: null,
      imaps: '127.0.0.1:0',
      lmtp: null,
      submission: null,
      submissions: null,
      managesieve: null,
    },
  });
  const acknowledged = new Acknowledged();
  const dropped = new Set<string>();
  let server = await startServerProcess(folder);
  const password = server.password!;
  for (let round = 1; round <= kills; round += 1) {
    const stop = new AbortController();
    const work = Promise.all([
      drop(stop.signal, async (id) => {
        dropped.add(id);
        await folder.drop(id, sesMessage({ id, to: 'me@localhost', spam: dropped.size % 5 === 0 ? 'FAIL' : 'PASS' }));
      }),
      ...[1, 2, 3].map((client) => useMailbox(server, password, acknowledged, `${round}-${client}`, stop.signal)),
    ]);
    await sleep(randomInt(200, 1200));
    await server.kill();
    stop.abort();
    await work;
    server = await startServerProcess(folder);
  }
  try {
    const client = await server.connect(password);
    await expect.poll(async () => (await inspect(client)).dropped.size, { timeout: 60_000, interval: 250 }).toBe(dropped.size);
    const found = await inspect(client);
    expect(found.dropped).toEqual(new Map([...dropped].map((id) => [id, 1])));
    const times = new Map([...acknowledged.appended.keys()].map((id) => [id, found.appended.get(id) ?? 0]));
    expect([...times].filter(([, count]) => count !== 1)).toEqual([]);
    const misplaced = [...acknowledged.appended].filter(
      ([id, uid]) => !acknowledged.moved.has(id) && found.uids.get(id) !== uid && found.places.get(id) === 'INBOX',
    );
    expect(misplaced).toEqual([]);
    expect([...acknowledged.moved].filter((id) => found.places.get(id) !== 'Archive')).toEqual([]);
    expect([...acknowledged.flagged].filter((uid) => found.unflagged.has(uid))).toEqual([]);
    expect(acknowledged.appended.size).toBeGreaterThan(kills);
    await client.logout();
    const verified = await folder.satchel(['verify', '--json']);
    expect({ code: verified.code, err: verified.err }).toEqual({ code: 0, err: '' });
  } finally {
    await server.kill();
  }
});

async function drop(signal: AbortSignal, put: (id: string) => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await put(hash('sha256', `${Math.random()}`).slice(0, 40));
    await sleep(5);
  }
}

/** Appends, flags and moves until the server dies. What is in the air then is neither true nor false. */
async function useMailbox(
  server: ServerProcess,
  password: string,
  acknowledged: Acknowledged,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    const client = await server.connect(password);
    await client.mailboxOpen('INBOX');
    for (let at = 0; !signal.aborted; at += 1) {
      const id = `${name}-${at}@append.example`;
      const appended = await client.append(
        'INBOX',
        `Message-ID: <${id}>\r\nFrom: a@example.com\r\nSubject: ${id}\r\n\r\nbody of ${id}\r\n`,
      );
      if (appended === false || appended.uid === undefined) return;
      expect(acknowledged.appended.has(id)).toBe(false);
      acknowledged.appended.set(id, appended.uid);
      if (at % 3 === 1 && (await client.messageFlagsAdd(String(appended.uid), ['\\Flagged'], { uid: true })))
        acknowledged.flagged.add(appended.uid);
      if (at % 3 === 2 && (await client.messageMove(String(appended.uid), 'Archive', { uid: true })) !== false) acknowledged.moved.add(id);
    }
  } catch (error) {
    if (error instanceof Error && error.name === 'AssertionError') throw error;
  }
}

interface Found {
  readonly dropped: Map<string, number>;
  readonly appended: Map<string, number>;
  readonly uids: Map<string, number>;
  readonly places: Map<string, string>;
  readonly unflagged: Set<number>;
}

async function inspect(client: ImapFlow): Promise<Found> {
  const found: Found = { dropped: new Map(), appended: new Map(), uids: new Map(), places: new Map(), unflagged: new Set() };
  for (const mailbox of ['INBOX', 'Junk', 'Archive']) {
    const { exists } = await client.mailboxOpen(mailbox);
    if (exists === 0) continue;
    let last = 0;
    for await (const { uid, envelope, flags } of client.fetch('1:*', { uid: true, envelope: true, flags: true })) {
      expect(uid).toBeGreaterThan(last);
      last = uid;
      const id = envelope!.messageId!.replace(/[<>]/g, '');
      const counts = id.endsWith('@append.example') ? found.appended : found.dropped;
      const key = id.replace(/@music\.example$/, '');
      counts.set(key, (counts.get(key) ?? 0) + 1);
      found.uids.set(key, uid);
      found.places.set(key, mailbox);
      if (mailbox === 'INBOX' && !flags!.has('\\Flagged')) found.unflagged.add(uid);
    }
  }
  return found;
}
