/** The real index through snapshots, verify and the scrubber: a year of an account's life. */
import { expect, test } from 'vitest';
import { AccountIndex } from '../../../storage/index/account-index.ts';
import { MemoryKv } from '../../../storage/index/memory-kv.ts';
import { accountPrefix } from '../../../storage/objects/object-keys.ts';
import { SnapshotLoader } from '../../../storage/snapshot/loader.ts';
import { scrubAccount } from '../../../storage/snapshot/scrubber.ts';
import { accountId, Life } from './life.ts';
import { dayMs } from './toy-account.ts';

test.each([1, 2, 3])('a year of commits, snapshots and scrubs leaves an account in which verify finds nothing (seed %i)', async (seed) => {
  const life = new Life(await AccountIndex.open(new MemoryKv()), seed);
  const { store, clock } = life;
  const mailboxes = await life.createMailboxes();
  let removed = 0;
  for (let day = 0; day < 365; day++) {
    await life.live(day, mailboxes);
    clock.pass(dayMs);
    if (day % 9 === 8) await life.snapshot();
    if (day % 30 === 29) {
      const report = await scrubAccount({ store, accountId, clock, view: async () => life.index.view() });
      expect(report.withheld).toEqual([]);
      removed += report.removed.raw.objects;
    }
    if (day % 61 === 60) expect(await life.errors(), `day ${day}`).toEqual([]);
  }
  expect(await life.errors()).toEqual([]);
  expect(removed).toBeGreaterThan(10);
  // Log that is older than what is kept stays only for the messages in it.
  const held = new Set<string>();
  const view = life.index.view();
  for (const { object } of view.blobs()) if (object.startsWith('log/')) held.add(`${accountPrefix(accountId)}${object}`);
  view.release();
  expect(held.size).toBeGreaterThan(10);
  const logObjects = new Set<string>();
  for await (const { key } of store.list(`${accountPrefix(accountId)}log/`)) logObjects.add(key);
  expect([...held].filter((key) => !logObjects.has(key))).toEqual([]);
  expect(logObjects.size).toBeLessThan(200 + held.size);

  const loaded = await AccountIndex.open(new MemoryKv());
  const position = await new SnapshotLoader({ store, accountId }).load(loaded);
  expect(position.seq).toBeGreaterThan(500);
});
