/** What the ordinary events of a mailbox cost in requests to the bucket: the figures of docs/operations.md. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ImapFlow } from 'imapflow';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { StoreOperation } from '../../storage/objects/metered.ts';
import { makeServerFolder, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { sesMessage } from '../support/ses-message.ts';

let folder: ServerFolder;
let server: RunningServer;
let client: ImapFlow;

beforeEach(async () => {
  folder = makeServerFolder();
  server = await folder.start();
  client = await server.imap();
  await client.mailboxOpen('INBOX');
});
afterEach(async () => {
  await client.logout();
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const dear: readonly StoreOperation[] = ['put', 'putIfAbsent', 'copy', 'list'];

interface Cost {
  /** PUT, COPY and LIST: what S3 charges five dollars a million for. */
  readonly writes: number;
  /** GET and HEAD. */
  readonly reads: number;
  readonly deletes: number;
}

/** Requests while `run` runs, but for the listings that each node makes all the while: of what came in, and of the accounts with mail to send. */
async function costOf(run: () => Promise<unknown>): Promise<Cost> {
  const count = () => {
    const cost = { writes: 0, reads: 0, deletes: 0 };
    for (const { cause, operation, requests } of server.app.store.meter.snapshot().rows) {
      if (cause === 'sweep' || (cause === 'outbox' && operation === 'list')) continue;
      if (dear.includes(operation)) cost.writes += requests;
      else if (operation === 'delete') cost.deletes += requests;
      else cost.reads += requests;
    }
    return cost;
  };
  const before = count();
  await run();
  const after = count();
  return { writes: after.writes - before.writes, reads: after.reads - before.reads, deletes: after.deletes - before.deletes };
}

/** Drops `count` messages and waits until they are in the INBOX and gone from the queue. */
async function deliver(first: number, count: number): Promise<void> {
  const wanted = first + count - 1;
  const there = Promise.withResolvers<void>();
  const onExists = ({ count: now }: { count: number }) => {
    if (now >= wanted) there.resolve();
  };
  client.on('exists', onExists);
  for (let i = first; i <= wanted; i++) await folder.drop(`cost${i}`, sesMessage({ id: `cost${i}`, to: 'me@localhost' }));
  const idling = client.idle();
  await there.promise;
  await client.noop();
  await idling;
  client.off('exists', onExists);
  const { store } = server.app;
  await expect.poll(async () => (await store.of('sweep').listPage('inbound/')).objects.length).toBe(0);
}

it('a delivered message costs one commit, which it rides in', async () => {
  const cost = await costOf(() => deliver(1, 1));
  expect(cost.writes).toBe(1);
  expect(cost.deletes).toBe(1);
  expect(cost.reads).toBeLessThanOrEqual(4);
});

it('messages that come together share commits', async () => {
  const cost = await costOf(() => deliver(1, 20));
  expect(cost.writes).toBeLessThan(20);
  expect(cost.writes).toBeGreaterThan(0);
});

it('a flag change costs one commit, also for many messages at once', async () => {
  await deliver(1, 5);
  expect(await costOf(() => client.messageFlagsAdd('1:5', ['\\Seen']))).toMatchObject({ writes: 1, deletes: 0 });
});

it('an appended message costs one commit', async () => {
  expect(await costOf(() => client.append('Drafts', 'Subject: draft\r\n\r\nNot yet.\r\n'))).toMatchObject({ writes: 1, deletes: 0 });
});

it('one of more than 128 KiB costs an upload and a commit', async () => {
  const large = `Subject: large\r\n\r\n${'x'.repeat(70)}\r\n`.padEnd(129 * 1024, 'y');
  expect(await costOf(() => client.append('Drafts', large))).toMatchObject({ writes: 2, deletes: 0 });
});

it('a move costs one commit; a new mailbox one, and one for its subscription', async () => {
  await deliver(1, 2);
  expect(await costOf(() => client.mailboxCreate('Scores'))).toMatchObject({ writes: 2 });
  expect(await costOf(() => client.messageMove('1:2', 'Scores'))).toMatchObject({ writes: 1, deletes: 0 });
});

it('a login, a listing and reading what was just received cost nothing', async () => {
  await deliver(1, 1);
  const cost = await costOf(async () => {
    const other = await server.imap();
    await other.list({ statusQuery: { messages: true, unseen: true } });
    await other.mailboxOpen('INBOX', { readOnly: true });
    await other.fetchAll('1:*', { envelope: true, source: true });
    await other.logout();
  });
  // The look at the directory that happens every three seconds may fall in.
  expect(cost).toMatchObject({ writes: 0, deletes: 0 });
  expect(cost.reads).toBeLessThanOrEqual(1);
});

it('a login costs nothing either when the account was put away', async () => {
  await deliver(1, 1);
  await client.logout();
  const { accounts } = server.app;
  const isInMemory = () => accounts.openAccounts().some(({ id }) => id !== 'directory' && id !== 'outbox');
  const isStillInMemory = () => {
    accounts.putAwayIdle(0);
    return isInMemory();
  };
  await expect.poll(isStillInMemory).toBe(false);
  const cost = await costOf(async () => {
    client = await server.imap();
    await client.mailboxOpen('INBOX');
    await client.fetchAll('1:*', { envelope: true, source: true });
  });
  expect(isInMemory()).toBe(true);
  expect(cost).toMatchObject({ writes: 0, deletes: 0 });
  expect(cost.reads).toBeLessThanOrEqual(1);
});

it('the first login after a start costs a listing or two, with an index and without one', async () => {
  await deliver(1, 3);
  const costs: Cost[] = [];
  for (const isCold of [false, true]) {
    await client.logout();
    await server[Symbol.asyncDispose]();
    if (isCold) rmSync(join(folder.path, 'data/index'), { recursive: true });
    server = await folder.start();
    costs.push(
      await costOf(async () => {
        client = await server.imap();
        await client.mailboxOpen('INBOX');
      }),
    );
  }
  for (const { writes, deletes } of costs) expect({ writes: writes <= 2, deletes }).toEqual({ writes: true, deletes: 0 });
});
