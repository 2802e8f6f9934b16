import { describe, expect, test } from 'vitest';
import type { Clock } from '../../../storage/clock.ts';
import { carriedBytesMax } from '../../../storage/log/carried.ts';
import { type FaultyOperation, FaultyStore, type StoreFault } from '../../support/faulty.ts';
import { countingRandom, openTestBucket } from '../../support/open-accounts.ts';
import { sesMessage } from './fixtures.ts';
import { ada, ben, keysUnder, lookAt, openRig } from './rig.ts';

describe('a node that dies', () => {
  // Where it dies in the course of one message for two accounts.
  test.each<[string, FaultyOperation, StoreFault, string]>([
    ['before it read the object', 'get', 'crashBefore', 'inbound/'],
    ['before the upload', 'put', 'crashBefore', 'raw/'],
    ['after the upload', 'put', 'crashAfter', 'raw/'],
    ['before the commit', 'putIfAbsent', 'crashBefore', 'log/'],
    ['after the commit', 'putIfAbsent', 'crashAfter', 'log/'],
    ['before the removal', 'delete', 'crashBefore', 'inbound/'],
    ['after the removal', 'delete', 'crashAfter', 'inbound/'],
  ])('%s loses nothing, and nothing comes twice', async (_, operation, fault, keyPart) => {
    const bucket = openTestBucket();
    await lookAt(bucket, ada);
    await lookAt(bucket, ben);
    // Large enough to be an object of its own.
    const message = Buffer.concat([sesMessage('m1', 'team@example.com'), Buffer.alloc(carriedBytesMax, 'x')]);
    await bucket.store.put('inbound/m1', message);

    const crashed = Promise.withResolvers<void>();
    // With its node the clock stands still: what would be tried again is not.
    const clock: Clock = { now: () => bucket.clock.now(), monotonic: () => bucket.clock.monotonic(), sleep: () => new Promise(() => {}) };
    let faulty: FaultyStore | undefined;
    const dying = await openRig({
      bucket,
      clock,
      through: (store) => {
        faulty = new FaultyStore(store, { clock: bucket.clock, random: countingRandom(7), onCrash: () => crashed.resolve() });
        return faulty;
      },
    });
    faulty!.next(operation, fault, keyPart);
    void dying.pipeline.ingest({ key: 'inbound/m1' }).catch(() => {});
    await crashed.promise;

    const heir = await openRig({ bucket });
    const outcome = await heir.pipeline.ingest({ key: 'inbound/m1' });
    expect(['delivered', 'gone']).toContain(outcome.kind);
    for (const account of [ada, ben]) {
      const { inbox } = await lookAt(bucket, account);
      expect(inbox).toHaveLength(1);
      expect(inbox[0]!.bytes.equals(message)).toBe(true);
    }
    expect(await keysUnder(bucket.store, 'inbound/')).toEqual([]);
    expect(await keysUnder(bucket.store, 'failed/')).toEqual([]);
  });
});

describe('a store that fails', () => {
  test.each([1, 2, 3, 4, 5, 6])('in a tenth of all requests loses nothing and doubles nothing (seed %i)', async (seed) => {
    const bucket = openTestBucket();
    await lookAt(bucket, ada);
    const names = Array.from({ length: 40 }, (_, i) => `m${i}`);
    for (const name of names) await bucket.store.put(`inbound/${name}`, sesMessage(name, 'ada@example.com'));
    const rates = { unavailable: 0.05, lostReply: 0.05 };
    const rig = await openRig({
      bucket,
      through: (store) => new FaultyStore(store, { clock: bucket.clock, random: countingRandom(seed), rates }),
    });
    for (let round = 0; round < 50; round++) {
      const waiting = await keysUnder(bucket.store, 'inbound/');
      if (waiting.length === 0) break;
      await Promise.allSettled(waiting.map((key) => rig.pipeline.ingest({ key })));
    }
    expect(await keysUnder(bucket.store, 'inbound/')).toEqual([]);
    expect(await keysUnder(bucket.store, 'failed/')).toEqual([]);
    const subjects = (await lookAt(bucket, ada)).inbox.map((message) => message.subject);
    expect(subjects.sort()).toEqual(names.map((name) => `Message ${name}`).sort());
  });
});
