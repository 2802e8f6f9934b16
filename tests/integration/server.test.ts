/** The whole server: a message dropped into the bucket is in the mailbox, a restart keeps it, verbs work beside a server and without one. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ImapFlow } from 'imapflow';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeServerFolder, type ServerFolder } from '../support/running-server.ts';
import { sesMessage } from '../support/ses-message.ts';

let folder: ServerFolder;
beforeEach(() => {
  folder = makeServerFolder();
});
afterEach(() => folder[Symbol.dispose]());

/** Selects the mailbox and resolves when it has `count` messages, woken by the server's own word. */
async function waitForMessages(client: ImapFlow, mailbox: string, count: number): Promise<void> {
  const heard = Promise.withResolvers<void>();
  client.on('exists', ({ count: now }: { count: number }) => {
    if (now >= count) heard.resolve();
  });
  const opened = await client.mailboxOpen(mailbox);
  if (opened.exists >= count) return;
  const idling = client.idle();
  await heard.promise;
  await client.noop();
  await idling;
}

async function sources(client: ImapFlow, mailbox: string): Promise<string[]> {
  await client.mailboxOpen(mailbox);
  const messages = await client.fetchAll('1:*', { source: true, uid: true, flags: true });
  return messages.map(({ source }) => source!.toString('latin1'));
}

describe('a message dropped into the bucket', () => {
  const good = sesMessage({ id: 'op118no2', to: 'me@localhost', subject: 'Intermezzo in A' });
  const spam = sesMessage({ id: 'spam0001', to: 'me@localhost', subject: 'Cheap pianos', spam: 'FAIL' });

  it('is in the INBOX of the account that it was received for, byte for byte, and an idling client hears of it', async () => {
    await using server = await folder.start();
    const client = await server.imap();
    const heard = waitForMessages(client, 'INBOX', 1);
    await folder.drop('op118no2', good);
    await heard;
    expect(await sources(client, 'INBOX')).toEqual([good.toString('latin1')]);
    await client.logout();
    expect(server.complaints).toEqual([]);
  });

  it('is in Junk by its verdict, and gone from inbound/', async () => {
    await using server = await folder.start();
    const client = await server.imap();
    await folder.drop('spam0001', spam);
    await waitForMessages(client, 'Junk', 1);
    expect(await sources(client, 'INBOX')).toEqual([]);
    await client.logout();
    await server[Symbol.asyncDispose]();
    expect(readdirSync(join(folder.path, 'data/bucket/inbound')).filter((name) => name === 'spam0001')).toEqual([]);
  });

  it('stays, with its flags, over a restart and over the loss of everything but the bucket', async () => {
    {
      await using server = await folder.start();
      const client = await server.imap();
      await folder.drop('op118no2', good);
      await waitForMessages(client, 'INBOX', 1);
      await client.messageFlagsAdd('1', ['\\Flagged', 'Piano']);
      await client.logout();
    }
    const look = async () => {
      await using server = await folder.start();
      const client = await server.imap();
      const { uidValidity, uidNext } = await client.mailboxOpen('INBOX');
      const [message] = await client.fetchAll('1:*', { uid: true, flags: true, envelope: true, emailId: true } as object);
      await client.logout();
      return {
        uidValidity,
        uidNext,
        uid: message!.uid,
        flags: [...message!.flags!].sort(),
        id: message!.emailId,
        subject: message!.envelope!.subject,
      };
    };
    const after = await look();
    expect(after).toMatchObject({ uid: 1, flags: expect.arrayContaining(['\\Flagged', 'piano']), subject: 'Intermezzo in A' });
    for (const name of readdirSync(join(folder.path, 'data'))) {
      if (name !== 'bucket') rmSync(join(folder.path, 'data', name), { recursive: true });
    }
    expect(await look()).toEqual(after);
  });

  it('for nobody is in failed/ with its reason, and comes in once its account is there and it is released', async () => {
    await using server = await folder.start();
    await folder.drop('noone001', sesMessage({ id: 'noone001', to: 'clara@localhost' }));
    const { held } = server.app.services;
    await expect.poll(async () => (await held.list()).messages, { timeout: 20_000 }).toMatchObject([{ name: 'noone001' }]);
    const shown = await folder.satchel(['failed', 'show', 'noone001']);
    expect(shown.out).toContain('clara@localhost');
    expect((await folder.satchel(['account', 'add', 'clara@localhost', '--password-stdin'], 'correct horse battery\n')).err).toBe('');
    expect((await folder.satchel(['failed', 'release', 'noone001'])).code).toBe(0);
    const client = await server.imap('clara@localhost');
    await waitForMessages(client, 'INBOX', 1);
    await client.logout();
  });
});

describe('the command line', () => {
  it('changes what a running server knows, by its socket', async () => {
    await using server = await folder.start();
    expect(await folder.satchel(['domain', 'add', 'example.com'])).toEqual({ code: 0, out: 'Added the domain example.com.\n', err: '' });
    const added = await folder.satchel(
      ['account', 'add', 'ada@example.com', '--name', 'Ada', '--password-stdin'],
      'correct horse battery\n',
    );
    expect(added).toEqual({ code: 0, out: 'Added the account ada@example.com.\n', err: '' });
    const client = await server.imap('ada@example.com');
    expect((await client.list()).map(({ path }) => path)).toContain('INBOX');
    await client.logout();
    const refused = await folder.satchel(['account', 'add', 'ada@example.com']);
    expect(refused).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^satchel: .*ada@example\.com.*\n$/) });
    const verified = await folder.satchel(['verify', '--json']);
    expect(verified.err).toBe('');
    expect(JSON.parse(verified.out)).toMatchObject({ isWhole: true });
    expect((await folder.satchel(['rebuild', 'ada@example.com'])).out).toMatch(/^Rebuilt the index of ada@example\.com/);
  });

  it('opens the store itself when no server runs, and what it did is there for the next', async () => {
    expect((await folder.satchel(['domain', 'add', 'example.com'])).code).toBe(0);
    expect((await folder.satchel(['account', 'add', 'ada@example.com', '--password-stdin'], 'correct horse battery\n')).code).toBe(0);
    const list = await folder.satchel(['account', 'list', '--json']);
    expect(JSON.parse(list.out)).toMatchObject({ accounts: [{ address: 'ada@example.com' }] });
    expect((await folder.satchel(['verify'])).out).toMatch(/^directory: whole .*\nada@example\.com: whole /);
    expect((await folder.satchel(['rebuild', 'ada@example.com'])).code).toBe(0);
    await using server = await folder.start();
    await (await server.imap('ada@example.com')).logout();
  });

  it('finds a message that was taken out of the bucket: exit code 1, and its name', async () => {
    {
      await using server = await folder.start();
      const client = await server.imap();
      // Large enough to be an object of its own.
      const message = Buffer.concat([sesMessage({ id: 'op118no2', to: 'me@localhost' }), Buffer.alloc(200_000, 'x')]);
      await folder.drop('op118no2', message);
      await waitForMessages(client, 'INBOX', 1);
      await client.logout();
    }
    const bucket = join(folder.path, 'data/bucket');
    const raw = readdirSync(bucket, { recursive: true, withFileTypes: true }).find(
      ({ parentPath, name }) => parentPath.endsWith('/raw') && name !== '',
    );
    rmSync(join(raw!.parentPath, raw!.name));
    const verified = await folder.satchel(['verify', 'me@localhost']);
    expect(verified).toMatchObject({ code: 1, err: '' });
    expect(verified.out).toContain('missing-blob');
    expect(verified.out).toContain(raw!.name);
  });

  it('tells a second server on the same folder to go elsewhere', async () => {
    await using _server = await folder.start();
    const second = await folder.satchel(['serve']);
    expect(second.code).toBe(1);
    expect(second.err).toMatch(new RegExp(`in use by process ${process.pid}`));
  });
});

describe('over HTTP', () => {
  it('health, readiness and metrics are there, by TLS as well', async () => {
    await using server = await folder.start();
    const at = (path: string) => `http://127.0.0.1:${server.addressOf('http').port}${path}`;
    expect(await (await fetch(at('/healthz'))).json()).toEqual({ status: 'alive' });
    expect(await (await fetch(at('/readyz'))).json()).toEqual({ status: 'ready' });
    const metrics = await (await fetch(at('/metrics'))).text();
    expect(metrics).toMatch(/^satchel_store_requests_total\{operation="putIfAbsent",cause="[a-z]+"\} \d+$/m);
    expect(server.addressOf('https').port).toBeGreaterThan(0);
    expect(existsSync(join(folder.path, 'data/tls/cert.pem'))).toBe(true);
  });
});
