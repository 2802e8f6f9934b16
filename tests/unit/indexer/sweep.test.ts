import { describe, expect, test } from 'vitest';
import type { InboundObject, IntakeOutcome } from '../../../indexer/pipeline.ts';
import { Sweep, type SweepOptions } from '../../../indexer/sources/sweep.ts';
import { StorageError } from '../../../protocol/mail/errors.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { sesMessage } from './fixtures.ts';
import { ada, keysUnder, lookAt, openRig } from './rig.ts';

/** A pipeline that only remembers. */
function fakePipeline(ingest: (object: InboundObject) => Promise<IntakeOutcome> = async () => ({ kind: 'dropped' })) {
  const taken: string[] = [];
  return {
    taken,
    hasRoom: () => true,
    ingest: (object: InboundObject) => {
      taken.push(object.key.slice('inbound/'.length));
      return ingest(object);
    },
  };
}

function openSweep(options: Partial<SweepOptions> = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const pipeline = fakePipeline();
  return {
    clock,
    store,
    pipeline,
    sweep: new Sweep({ store, pipeline, clock, inboundPrefix: 'inbound/', mustBeStill: false, ...options }),
  };
}

describe('a sweep', () => {
  test('delivers what waits, and reports it', async () => {
    const rig = await openRig();
    const { store, clock } = rig.bucket;
    for (let i = 0; i < 5; i++) await store.put(`inbound/m${i}`, sesMessage(`m${i}`, i === 3 ? 'eve@example.com' : 'ada@example.com'));
    const sweep = new Sweep({ store, pipeline: rig.pipeline, clock, inboundPrefix: 'inbound/', mustBeStill: true });
    expect(await sweep.run()).toEqual({ seen: 5, outcomes: { delivered: 4, held: 1 }, postponed: 0 });
    expect((await lookAt(rig.bucket, ada)).inbox).toHaveLength(4);
    expect(await keysUnder(store, 'inbound/')).toEqual([]);
  });

  test('sees every page', async () => {
    const { store, sweep, pipeline } = openSweep();
    for (let i = 0; i < 2500; i++) await store.put(`inbound/${String(i).padStart(5, '0')}`, Buffer.from('x'));
    expect((await sweep.run()).seen).toBe(2500);
    expect(new Set(pipeline.taken).size).toBe(2500);
  });

  test('has a bounded number of messages in flight', async () => {
    let inFlight = 0;
    let most = 0;
    const pipeline = fakePipeline(async () => {
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight--;
      return { kind: 'dropped' };
    });
    const { store, sweep } = openSweep({ pipeline });
    for (let i = 0; i < 500; i++) await store.put(`inbound/${i}`, Buffer.from('x'));
    await sweep.run();
    expect([pipeline.taken.length, most]).toEqual([500, 64]);
  });

  test('waits a second for a file to be still, and leaves one that still grows', async () => {
    const rig = openSweep({ mustBeStill: true });
    await rig.store.put('inbound/old', Buffer.from('old'));
    rig.clock.advance(5_000);
    await rig.store.put('inbound/whole', Buffer.from('whole'));
    await rig.store.put('inbound/growing', Buffer.from('gro'));
    const sleep = rig.clock.sleep.bind(rig.clock);
    let isFirst = true;
    rig.clock.sleep = async (ms) => {
      await sleep(ms);
      if (isFirst) await rig.store.put('inbound/growing', Buffer.from('growing'));
      isFirst = false;
    };
    await rig.sweep.run();
    expect(rig.pipeline.taken).toEqual(['old', 'whole']);
    await rig.sweep.run();
    expect(rig.pipeline.taken).toContain('growing');
  });

  test('leaves to an event source what is younger than an hour, or came since the source was last empty', async () => {
    let emptyAt: number | undefined;
    const rig = openSweep({ eventsEmptyAt: () => emptyAt });
    await rig.store.put('inbound/first', Buffer.from('x'));
    rig.clock.advance(3_700_000);
    // Nor does it list what it may not take.
    expect(await rig.sweep.run()).toEqual({ seen: 0, outcomes: {}, postponed: 0 });
    expect(rig.pipeline.taken).toEqual([]);
    emptyAt = rig.clock.now();
    await rig.store.put('inbound/second', Buffer.from('x'));
    await rig.sweep.run();
    expect(rig.pipeline.taken).toEqual(['first']);
    rig.clock.advance(3_700_000);
    rig.pipeline.taken.length = 0;
    await rig.store.deleteMany(['inbound/first']);
    await rig.sweep.run();
    expect(rig.pipeline.taken).toEqual([]);
  });

  test('ends its turn when the store is away, and has lost nothing at the next', async () => {
    let isAway = true;
    const pipeline = fakePipeline(async () => {
      if (isAway) throw new StorageError('unavailable', 'away');
      return { kind: 'dropped' };
    });
    const { store, sweep } = openSweep({ pipeline });
    for (let i = 0; i < 1000; i++) await store.put(`inbound/${i}`, Buffer.from('x'));
    const report = await sweep.run();
    expect(report.outcomes).toEqual({});
    expect(report.postponed).toBeLessThan(200);
    isAway = false;
    expect((await sweep.run()).outcomes).toEqual({ dropped: 1000 });
  });

  test('goes on past an account that is broken', async () => {
    const pipeline = fakePipeline(async ({ key }) => {
      if (key.endsWith('7')) throw new StorageError('corrupt', 'this account');
      return { kind: 'dropped' };
    });
    const { store, sweep } = openSweep({ pipeline });
    for (let i = 0; i < 1000; i++) await store.put(`inbound/${i}`, Buffer.from('x'));
    expect(await sweep.run()).toMatchObject({ outcomes: { dropped: 900 }, postponed: 100 });
  });

  test('lets others pass an account that is busy, and leaves none of its mail behind', async () => {
    const busy = 'busy' as AccountId;
    const done: string[] = [];
    let room = 4;
    const release: (() => void)[] = [];
    const pipeline = {
      hasRoom: () => room > 0,
      async ingest({ key, mayBePutOff }: InboundObject): Promise<IntakeOutcome> {
        if (key.includes('quick')) {
          done.push(key);
          // Once all the others are through, the busy account begins to move.
          if (done.length === 20) for (const go of release.splice(0)) go();
          return { kind: 'dropped' };
        }
        if (room === 0 && mayBePutOff) return { kind: 'busy', account: busy };
        room--;
        if (done.length < 20) await new Promise<void>((resolve) => release.push(resolve));
        room++;
        done.push(key);
        return { kind: 'dropped' };
      },
    };
    const { store, sweep } = openSweep({ pipeline });
    for (let i = 0; i < 300; i++) await store.put(`inbound/a${String(i).padStart(3, '0')}`, Buffer.from('x'));
    for (let i = 0; i < 20; i++) await store.put(`inbound/quick${i}`, Buffer.from('x'));
    expect((await sweep.run()).outcomes).toEqual({ dropped: 320 });
    expect(done.slice(0, 20).every((key) => key.includes('quick'))).toBe(true);
    expect(new Set(done).size).toBe(320);
  });

  test('passes over what is more than it may hold back, gets to the others behind it, and takes in all of it in the end', async () => {
    const busy = 'busy' as AccountId;
    const done: string[] = [];
    const release: (() => void)[] = [];
    let inFlight = 0;
    const isBusy = (key: string) => key.startsWith('inbound/a');
    const { store, sweep } = openSweep({
      parkedMax: 10,
      pipeline: {
        hasRoom: () => inFlight < 4,
        async ingest({ key, mayBePutOff }: InboundObject): Promise<IntakeOutcome> {
          if (!isBusy(key)) done.push(key);
          else {
            if (inFlight >= 4 && mayBePutOff) return { kind: 'busy', account: busy };
            inFlight++;
            // Nothing of the busy account ends before the last of the others.
            if (!done.includes('inbound/z')) await new Promise<void>((resolve) => release.push(resolve));
            inFlight--;
            done.push(key);
          }
          await store.deleteMany([key]);
          if (key === 'inbound/z') for (const go of release.splice(0)) go();
          return { kind: 'dropped' };
        },
      },
    });
    for (let i = 0; i < 3_000; i++) await store.put(`inbound/a${i}`, Buffer.from('x'));
    for (const name of ['b0', 'b1', 'z']) await store.put(`inbound/${name}`, Buffer.from('x'));
    expect(await sweep.run()).toEqual({ seen: 3_003, outcomes: { dropped: 3_003 }, postponed: 0 });
    expect(done.slice(0, 3)).toEqual(['inbound/b0', 'inbound/b1', 'inbound/z']);
    expect(new Set(done).size).toBe(3_003);
  });

  test('gets to what comes while it works off a busy account', async () => {
    const busy = 'busy' as AccountId;
    const done: string[] = [];
    let inFlight = 0;
    const { store, clock } = openSweep();
    const inTurn = new Sweep({
      store,
      clock,
      inboundPrefix: 'inbound/',
      mustBeStill: false,
      pipeline: {
        hasRoom: () => inFlight < 1,
        async ingest({ key, mayBePutOff }: InboundObject): Promise<IntakeOutcome> {
          if (key.includes('/a')) {
            if (inFlight >= 1 && mayBePutOff) return { kind: 'busy', account: busy };
            inFlight++;
            clock.advance(1_000);
            await new Promise((resolve) => setImmediate(resolve));
            inFlight--;
            if (done.length === 20) await store.put('inbound/late', Buffer.from('x'));
          }
          done.push(key);
          await store.deleteMany([key]);
          return { kind: 'dropped' };
        },
      },
    });
    for (let i = 0; i < 200; i++) await store.put(`inbound/a${i}`, Buffer.from('x'));
    await inTurn.run();
    expect(done.length).toBe(201);
    expect(done.indexOf('inbound/late')).toBeLessThan(40);
  });

  test('waits for a busy account although it has nothing under way itself', async () => {
    let isBusy = true;
    const { store, sweep } = openSweep({
      pipeline: {
        hasRoom: () => !isBusy,
        async ingest({ mayBePutOff }: InboundObject): Promise<IntakeOutcome> {
          if (isBusy && mayBePutOff) return { kind: 'busy', account: 'busy' as AccountId };
          // As the pipeline does, it waits for those who have the account busy.
          await new Promise((resolve) => setImmediate(resolve));
          isBusy = false;
          return { kind: 'dropped' };
        },
      },
    });
    for (const name of ['a', 'b']) await store.put(`inbound/${name}`, Buffer.from('x'));
    expect(await sweep.run()).toEqual({ seen: 2, outcomes: { dropped: 2 }, postponed: 0 });
  });

  test('stops when it is told to, and waits for what it began', async () => {
    const controller = new AbortController();
    let finished = 0;
    const pipeline = fakePipeline(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      if (++finished === 3) controller.abort();
      return { kind: 'dropped' };
    });
    const { store, sweep } = openSweep({ pipeline });
    for (let i = 0; i < 500; i++) await store.put(`inbound/${i}`, Buffer.from('x'));
    await expect(sweep.run(controller.signal)).rejects.toThrow();
    expect(finished).toBe(pipeline.taken.length);
    expect(finished).toBeLessThan(300);
  });
});
