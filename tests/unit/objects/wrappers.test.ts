/** retrying, metered, and the fault-injecting store that tests build on. */
import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { StoreMeter } from '../../../storage/objects/metered.ts';
import { ClockSkewError } from '../../../storage/objects/object-store.ts';
import { RetryingStore } from '../../../storage/objects/retrying.ts';
import { FaultyStore, SimulatedCrash, type StoreFault } from '../../support/faulty.ts';
import { seededRandom } from '../../support/faulty-random.ts';

/** A clock whose sleeps pass at once, and are written down. */
class JumpingClock {
  readonly slept: number[] = [];
  #ms = 1_000_000;
  now = () => this.#ms;
  monotonic = () => this.#ms;
  sleep = async (ms: number, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    this.slept.push(ms);
    this.#ms += ms;
  };
}

function setUp() {
  const clock = new JumpingClock();
  const memory = new MemoryStore({ clock });
  const faulty = new FaultyStore(memory, { clock, random: seededRandom(1) });
  return { clock, memory, faulty };
}

const body = Buffer.from('body');

describe('retrying', () => {
  const retrying = () => {
    const parts = setUp();
    return { ...parts, store: new RetryingStore(parts.faulty, { clock: parts.clock, random: { fraction: () => 1 } }) };
  };

  test('an operation that may be repeated is, with pauses that double', async () => {
    const { store, faulty, clock } = retrying();
    for (let i = 0; i < 3; i++) faulty.next('put', 'unavailable');
    await store.put('a', body);
    expect(clock.slept).toEqual([100, 200, 400]);
    expect((await store.get('a')).body).toEqual(body);
  });

  test('the fourth failure is the caller’s', async () => {
    const { store, faulty } = retrying();
    for (let i = 0; i < 4; i++) faulty.next('get', 'unavailable');
    await expect(store.get('a')).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('putIfAbsent is attempted once, whatever happens', async () => {
    const { store, faulty, clock, memory } = retrying();
    faulty.next('putIfAbsent', 'lostReply');
    await expect(store.putIfAbsent('a', body)).rejects.toMatchObject({ code: 'unavailable' });
    expect(clock.slept).toEqual([]);
    expect(memory.size).toBe(1);
  });

  test('what is missing or refused is not asked for again', async () => {
    const { store, clock } = retrying();
    await expect(store.get('a')).rejects.toMatchObject({ code: 'missing' });
    await expect(store.get('../a')).rejects.toMatchObject({ code: 'refused' });
    expect(clock.slept).toEqual([]);
  });

  test('a listing whose second page fails goes on with it', async () => {
    const { store, faulty, memory } = retrying();
    for (let i = 0; i < 1500; i++) await memory.put(`k${i + 1000}`, body);
    const keys: string[] = [];
    for await (const { key } of store.list('k')) {
      keys.push(key);
      if (keys.length === 1) faulty.next('list', 'unavailable');
    }
    expect(new Set(keys).size).toBe(1500);
    expect(keys).toHaveLength(1500);
  });
});

describe('metered', () => {
  test('requests, bytes, failures and dollars are counted by operation and cause', async () => {
    const { clock, faulty, memory } = setUp();
    const meter = new StoreMeter({ clock });
    const commit = meter.of(faulty, 'commit');
    const sweep = meter.of(faulty, 'sweep');
    await commit.putIfAbsent('a', body);
    await commit.putIfAbsent('a', body);
    faulty.next('putIfAbsent', 'unavailable');
    await commit.putIfAbsent('b', body).catch(() => {});
    await commit.get('a');
    await commit.getRange('a', 0, 2);
    await sweep.deleteMany(Array.from({ length: 1001 }, (_, i) => `gone${i}`));
    const row = (cause: string, operation: string) =>
      meter.snapshot().rows.find((one) => one.cause === cause && one.operation === operation);
    expect(row('commit', 'putIfAbsent')).toMatchObject({
      requests: 3,
      errors: 1,
      lostRaces: 1,
      bytesWritten: 12,
      dollars: expect.closeTo(15e-6),
    });
    expect(row('commit', 'get')).toMatchObject({ requests: 1, errors: 0, bytesRead: 4 });
    expect(row('commit', 'getRange')).toMatchObject({ bytesRead: 2 });
    await expect(commit.get('nowhere')).rejects.toThrow();
    expect(row('commit', 'get')).toMatchObject({ requests: 2, errors: 1, missing: 1 });
    expect(row('sweep', 'delete')).toMatchObject({ requests: 2, dollars: 0 });
    expect(meter.snapshot().requests).toBe(8);
    expect(memory.size).toBe(1);
  });

  test.each([
    [0, 1],
    [1000, 1],
    [1001, 2],
    [2500, 3],
  ])('a list of %i names counts as the %i requests that it takes on S3', async (names, requests) => {
    const { clock, memory } = setUp();
    const meter = new StoreMeter({ clock });
    for (let i = 0; i < names; i++) await memory.put(`k${i}`, body);
    let seen = 0;
    for await (const _ of meter.of(memory, 'sweep').list('k')) seen++;
    expect(seen).toBe(names);
    expect(meter.snapshot().requests).toBe(requests);
  });
});

describe('faulty', () => {
  test.each<[fault: StoreFault, isWritten: boolean, error: object]>([
    ['unavailable', false, { code: 'unavailable' }],
    ['lostReply', true, { code: 'unavailable' }],
    ['skew', false, new ClockSkewError('Simulated: put a was refused for its date.')],
    ['crashBefore', false, new SimulatedCrash()],
    ['crashAfter', true, new SimulatedCrash()],
  ])('%s: written is %s', async (fault, isWritten, error) => {
    const { faulty, memory } = setUp();
    faulty.next('put', fault);
    await expect(faulty.put('a', body)).rejects.toMatchObject(error);
    expect(memory.size).toBe(isWritten ? 1 : 0);
    expect(faulty.committed.get(fault)).toBe(1);
  });

  test('a late request fails for its sender and takes effect afterwards', async () => {
    const { faulty, memory } = setUp();
    faulty.next('putIfAbsent', 'late');
    await expect(faulty.putIfAbsent('a', body)).rejects.toMatchObject({ code: 'unavailable' });
    await faulty.settleLate();
    expect(memory.size).toBe(1);
  });

  test('a freeze lets time pass and then answers', async () => {
    const { faulty, clock } = setUp();
    const before = clock.now();
    faulty.next('putIfAbsent', 'freezeBefore');
    await faulty.putIfAbsent('a', body);
    expect(clock.now() - before).toBeGreaterThanOrEqual(60_000);
  });

  test('after a crash the node hears nothing any more, and others go on', async () => {
    const { faulty, memory } = setUp();
    faulty.crash();
    await expect(faulty.get('a')).rejects.toThrow(SimulatedCrash);
    await memory.put('a', body);
  });

  test('the same seed gives the same faults', async () => {
    const run = async (seed: number) => {
      const clock = new JumpingClock();
      const rates = { unavailable: 0.1, lostReply: 0.1, late: 0.1, freezeAfter: 0.1 };
      const store = new FaultyStore(new MemoryStore({ clock }), { clock, random: seededRandom(seed), rates, latencyMs: [5, 50] });
      const outcomes: string[] = [];
      for (let i = 0; i < 200; i++) {
        outcomes.push(
          await store.putIfAbsent(`k${i % 50}`, body).then(
            ({ outcome }) => outcome,
            (error: Error) => error.message,
          ),
        );
      }
      await store.settleLate();
      return [outcomes, clock.now(), [...store.committed]];
    };
    expect(await run(7)).toEqual(await run(7));
    expect(await run(7)).not.toEqual(await run(8));
  });
});
