import { describe, expect, test } from 'vitest';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { StoreMeter } from '../../../storage/objects/metered.ts';
import { logKey, manifestKey } from '../../../storage/objects/object-keys.ts';
import { SnapshotLoader } from '../../../storage/snapshot/loader.ts';
import { type ScrubOptions, scrubAccount } from '../../../storage/snapshot/scrubber.ts';
import { verifyAccount } from '../../../storage/snapshot/verify.ts';
import { dayMs, putBlob, putItem, removeBlob, ToyAccount, ToyMachine } from './toy-account.ts';

function scrub(account: ToyAccount, options: Partial<ScrubOptions> = {}) {
  const { store, id: accountId, clock } = account;
  return scrubAccount({ store, accountId, clock, view: async () => account.machine.view(), ...options });
}

const objects = (report: Awaited<ReturnType<typeof scrub>>) =>
  Object.fromEntries(Object.entries(report.removed).map(([kind, counts]) => [kind, counts.objects]));

async function errorsOf(account: ToyAccount): Promise<string[]> {
  const errors: string[] = [];
  const { store, id: accountId, clock } = account;
  await verifyAccount({ store, accountId, clock, scratch: () => new ToyMachine() }, (finding) => {
    if (finding.severity === 'error') errors.push(`${finding.kind} ${finding.key}`);
  });
  return errors;
}

describe('raw objects', () => {
  test.each([
    ['an upload that nothing names, a moment before 7 days', 7 * dayMs - 1, true],
    ['an upload that nothing names, at 7 days', 7 * dayMs, false],
  ])('%s', async (_, age, stays) => {
    const account = new ToyAccount();
    await account.commit(putItem(1, 'x'));
    const { ref } = await account.blobs.put(Buffer.from('orphan'));
    account.clock.pass(age);
    await scrub(account);
    expect(await account.names('raw')).toEqual(stays ? [ref.object] : []);
  });

  /** A blob that was removed `ageDays` ago, with or without snapshots since. */
  test.each([
    ['of a living message stays for ever', { removedDaysAgo: undefined, snapshots: [] }, true],
    ['that a tombstone holds stays', { removedDaysAgo: 29, snapshots: [] }, true],
    ['that only the kept log names stays', { removedDaysAgo: 60, snapshots: [] }, true],
    ['that only the log 29 days behind a snapshot names stays', { removedDaysAgo: 100, snapshots: [29] }, true],
    ['that only log 30 days behind a snapshot names goes', { removedDaysAgo: 100, snapshots: [30] }, false],
    ['that a kept snapshot’s state names stays', { removedDaysAgo: 100, snapshots: [101, 20] }, true],
    ['that a kept snapshot’s state names, and no newer one, stays', { removedDaysAgo: 100, snapshots: [150, 29, 10, 5] }, true],
    ['that a removed snapshot’s state named goes', { removedDaysAgo: 100, snapshots: [150, 31, 10, 5] }, false],
  ])('a blob %s', async (_, { removedDaysAgo, snapshots }, stays) => {
    const account = new ToyAccount();
    const began = account.clock.now();
    const ref = await account.addBlob(1, 'message');
    const span = 400;
    const events: { daysAgo: number; run: () => Promise<unknown> }[] = snapshots.map((daysAgo) => {
      return { daysAgo, run: () => account.commit(putItem(1, daysAgo)).then(() => account.snapshot()) };
    });
    if (removedDaysAgo !== undefined) events.push({ daysAgo: removedDaysAgo, run: () => account.commit(removeBlob(1)) });
    for (const { daysAgo, run } of events.sort((a, b) => b.daysAgo - a.daysAgo)) {
      account.clock.wall = began + (span - daysAgo) * dayMs;
      await run();
    }
    account.clock.wall = began + span * dayMs;
    // Time passes for a state by its commits.
    await account.commit(putItem(2, 'today'));
    const report = await scrub(account);
    expect(report.withheld).toEqual([]);
    expect(await account.names('raw')).toEqual(stays ? [ref.object] : []);
    expect(await errorsOf(account)).toEqual([]);
  });

  test('one that is named between the listing and the reading stays', async () => {
    const account = new ToyAccount();
    await account.commit(putItem(1, 'x'));
    const { ref } = await account.blobs.put(Buffer.from('just in time'));
    account.clock.pass(8 * dayMs);
    const view = async () => {
      await account.commit(putBlob(1, ref));
      return account.machine.view();
    };
    await scrub(account, { view });
    expect(await account.names('raw')).toEqual([ref.object]);
  });

  test('one that is named after the reading is saved by the state being found behind, even when the listing comes second', async () => {
    const account = new ToyAccount();
    await account.commit(putItem(1, 'x'));
    const { ref } = await account.blobs.put(Buffer.from('too late'));
    const view = async () => {
      const early = account.machine.view();
      await account.commit(putBlob(1, ref));
      account.clock.pass(8 * dayMs);
      return early;
    };
    const bySecond = await scrub(account, { view, rules: { listsFirst: false, readsLog: false } });
    expect([objects(bySecond).raw, bySecond.withheld.length]).toEqual([0, 1]);
    expect(bySecond.withheld[0]).toContain('behind');
  });
});

describe('parts and manifests', () => {
  /** Snapshots written so many days ago, oldest first, each with one changed part. */
  async function withSnapshots(...daysAgo: number[]): Promise<ToyAccount> {
    const account = new ToyAccount();
    const began = account.clock.now();
    for (const id of [1, 11, 21]) await account.commit(putItem(id, id));
    for (const days of daysAgo) {
      account.clock.wall = began + (1000 - days) * dayMs;
      await account.commit(putItem(1, days));
      await account.snapshot();
    }
    account.clock.wall = began + 1000 * dayMs;
    return account;
  }

  test('a part goes with the last snapshot that names it', async () => {
    const account = await withSnapshots(100, 90, 80, 70);
    const report = await scrub(account);
    expect(objects(report)).toEqual({ manifest: 2, log: 6, part: 2, raw: 0 });
    expect(await account.numbers('manifest')).toEqual([6, 7]);
    expect(await account.numbers('log')).toEqual([7]);
    expect((await account.names('part')).length).toBe(4);
    expect(await errorsOf(account)).toEqual([]);
    expect(objects(await scrub(account)), 'again').toEqual({ manifest: 0, log: 0, part: 0, raw: 0 });
  });

  test('what is left after a scrub loads, also when the newest snapshot is damaged then', async () => {
    const account = await withSnapshots(100, 90, 80, 70);
    await scrub(account);
    await account.flip('manifest/0000000000000007.json');
    const machine = new ToyMachine();
    const position = await new SnapshotLoader({ store: account.store, accountId: account.id }).load(machine);
    expect(position.seq).toBe(6);
    expect(await account.numbers('log'), 'the log after it').toEqual([7]);
  });

  test('uploads of a snapshot that was never finished go after 7 days', async () => {
    const account = await withSnapshots(3);
    const before = await account.names('part');
    await account.store.put(account.key(`part/${'a'.repeat(64)}-0000000000000000.ndjson.zst`), Buffer.from('x'));
    account.clock.pass(7 * dayMs - 1);
    expect(objects(await scrub(account)).part).toBe(0);
    account.clock.pass(1);
    expect(objects(await scrub(account)).part).toBe(1);
    expect(await account.names('part')).toEqual(before);
  });

  test('a manifest that cannot be read withholds the parts it may name', async () => {
    const account = await withSnapshots(100, 90, 80);
    await account.flip(`manifest/${'6'.padStart(16, '0')}.json`);
    const parts = await account.names('part');
    const report = await scrub(account);
    expect(report.withheld).toEqual([expect.stringContaining(manifestKey(account.id, 6))]);
    expect(await account.names('part')).toEqual(parts);
    expect(await account.numbers('manifest')).toEqual([4, 5, 6]);
  });

  test('a dry run says the same and removes nothing', async () => {
    const account = await withSnapshots(100, 90, 80, 70);
    await account.blobs.put(Buffer.from('orphan'));
    account.clock.pass(8 * dayMs);
    const size = account.store.size;
    const said: string[] = [];
    const dry = await scrub(account, { isDryRun: true, onRemoval: ({ key }) => said.push(key) });
    expect(account.store.size).toBe(size);
    const removed: string[] = [];
    const wet = await scrub(account, { onRemoval: ({ key }) => removed.push(key) });
    expect({ ...dry, isDryRun: false }).toEqual(wet);
    expect(said).toEqual(removed);
    expect(removed.length).toBe(size - account.store.size);
    expect(wet.removed.raw).toEqual({ objects: 1, bytes: 6 });
  });

  test('with nothing to remove it costs a list, a get of each manifest and one of the log', async () => {
    const account = await withSnapshots(5, 4);
    await account.addBlob(1, 'message');
    const meter = new StoreMeter({ clock: account.clock });
    await scrub(account, { store: meter.of(account.store, 'scrub') });
    expect(meter.snapshot().rows.map(({ operation, requests }) => [operation, requests])).toEqual([
      ['get', 3],
      ['list', 1],
    ]);
  });
});

describe('an account that is not whole is left alone', () => {
  async function old(): Promise<ToyAccount> {
    const account = new ToyAccount();
    for (const id of [1, 2, 3]) await account.addBlob(id, `message ${id}`);
    await account.snapshot();
    for (const id of [4, 5, 6]) await account.addBlob(id, `message ${id}`);
    await account.blobs.put(Buffer.from('orphan'));
    account.clock.pass(100 * dayMs);
    return account;
  }

  test.each<[string, (account: ToyAccount) => Promise<Partial<ScrubOptions>>, string]>([
    [
      'a gap in the log',
      async (account) => {
        await account.store.deleteMany([logKey(account.id, 5)]);
        return {};
      },
      'lacks commit 5',
    ],
    ['a state without commits', async () => ({ view: async () => new ToyMachine().view() }), 'no commits'],
    [
      'a state that is behind',
      async (account) => {
        const view = account.machine.view();
        await account.commit(putItem(1, 'newer'));
        return { view: async () => view };
      },
      'behind',
    ],
    [
      'a state of another chain',
      async (account) => {
        account.machine.position = { ...account.machine.position, hash: 'f'.repeat(64) };
        return {};
      },
      "not the log's",
    ],
    [
      'a log that ends before the state',
      async (account) => {
        account.machine.position = { ...account.machine.position, seq: 9 };
        return {};
      },
      'Neither',
    ],
    [
      'a listing of a day ago',
      async (account) => ({
        view: async () => {
          account.clock.pass(dayMs);
          return account.machine.view();
        },
      }),
      'more than a day',
    ],
  ])('%s', async (_, damage, sentence) => {
    const account = await old();
    const options = await damage(account);
    const size = account.store.size;
    const report = await scrub(account, options);
    expect(report.withheld).toEqual([expect.stringContaining(sentence)]);
    expect(account.store.size).toBe(size);
  });

  test('a commit that cannot be read withholds raw objects', async () => {
    const account = await old();
    await account.flip('log/0000000000000005.ndjson.zst');
    const raw = await account.names('raw');
    const report = await scrub(account);
    expect(report.withheld).toEqual([expect.stringContaining(logKey(account.id, 5))]);
    expect(await account.names('raw')).toEqual(raw);
    expect(objects(report)).toEqual({ manifest: 0, log: 3, part: 0, raw: 0 });
  });

  test('a store that is away is not damage', async () => {
    const account = await old();
    const store = Object.create(account.store) as typeof account.store;
    store.get = async () => {
      throw new StorageError('unavailable', 'no answer');
    };
    store.listPage = (...args) => account.store.listPage(...args);
    const size = account.store.size;
    await expect(scrub(account, { store })).rejects.toMatchObject({ code: 'unavailable' });
    expect(account.store.size).toBe(size);
    expect(account.machine.viewsOpen).toBe(0);
  });
});
