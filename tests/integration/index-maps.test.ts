/** A server that runs lets go of its index when too much is mapped into the process, and works on. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { indexMappedBytesMax } from '../../storage/index/limits.ts';
import { LmdbEnvironments } from '../../storage/index/lmdb-kv.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { makeServerFolder } from '../support/running-server.ts';
import { sesMessage } from '../support/ses-message.ts';

const mapsOf = (path: string) =>
  readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes(path)).length;

test('a server unmaps its index when others fill the memory, and takes mail in all the same', {
  skip: process.platform !== 'linux',
  timeout: 60_000,
}, async () => {
  using folder = makeServerFolder();
  await using server = await folder.start();
  const index = join(folder.path, 'data/index');
  await folder.drop('one', sesMessage({ id: 'one', to: 'me@localhost' }));
  const client = await server.imap();
  const messages = async () => ((await client.status('INBOX', { messages: true })) || undefined)?.messages;
  await expect.poll(messages, { timeout: 10_000 }).toBe(1);
  expect(mapsOf(index)).toBeGreaterThan(0);

  // What is mapped of another index counts as any file does.
  await using others = new LmdbEnvironments({ path: join(folder.path, 'other'), bootId: 'boot', clock: new ManualClock() });
  const kv = others.kv('one');
  const value = Buffer.alloc(100_000, 'x');
  const keys = Array.from({ length: Math.ceil((indexMappedBytesMax * 1.4) / value.length) }, (_, at) => `k${at}`);
  for (const key of keys) kv.write([[key, value]]);
  kv.snapshot().release();
  for (const key of keys) kv.get(key);
  await expect.poll(() => mapsOf(index), { timeout: 10_000, interval: 20 }).toBe(0);

  await folder.drop('two', sesMessage({ id: 'two', to: 'me@localhost' }));
  await expect.poll(messages, { timeout: 10_000 }).toBe(2);
  await client.logout();
  expect(server.complaints).toEqual([]);
});
