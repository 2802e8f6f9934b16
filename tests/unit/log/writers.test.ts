/** Puts whose outcome nobody knows, two writers on one log, and a writer that slept: who has won is read from the store. */
import { describe, expect, test } from 'vitest';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { Account, dayMs, HandClock, hourMs, opened } from './harness.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('a put whose outcome is unknown', () => {
  test('is sent again, and its number being taken by ourselves is success', async () => {
    const { world, first } = await opened('a');
    world.store.next('PUT', 'lostReply');
    expect(await first.add('T1')).toBe(1);
    expect(world.store.requests).toEqual(['PUT 1', 'PUT 1', 'GET 1']);
    expect(first.tokens).toEqual(['T1']);
  });

  test('holds up everybody until it is settled, and nobody joins it', async () => {
    const { world, first } = await opened('a');
    world.store.next('PUT', 'unavailable', 'unavailable', 'held');
    const one = first.add('T1');
    await turn();
    const two = first.add('T2');
    await turn();
    world.store.release();
    expect(await Promise.all([one, two])).toEqual([1, 2]);
    expect((await world.commit(1)).mutations).toHaveLength(1);
    expect(world.store.requests.filter((request) => request === 'PUT 1')).toHaveLength(3);
  });

  test('is known where nothing was sent: callers are told once the store was away for a while', async () => {
    const { world, first } = await opened('a');
    world.store.next('PUT', ...Array.from({ length: 60 }, () => 'unreached' as const));
    await expect(first.add('T1')).rejects.toMatchObject({ code: 'unavailable', message: 'ECONNREFUSED' });
    expect(first.tokens).toEqual([]);
    expect(await world.commit(1).catch(() => undefined)).toBeUndefined();
  });

  test('stays unknown when an attempt before it may have landed, wherever the later ones went', async () => {
    const { world, first } = await opened('a');
    world.store.next('PUT', 'lostReply', ...Array.from({ length: 60 }, () => 'unreached' as const));
    expect(await first.add('T1')).toBe(1);
    expect(first.tokens).toEqual(['T1']);
  });

  test('is never answered "no" while it may still land, however long that takes', async () => {
    const { world, first } = await opened('a');
    world.store.next('PUT', ...Array.from({ length: 60 }, () => 'unavailable' as const), 'held');
    let isAnswered = false;
    const one = first.add('T1').finally(() => {
      isAnswered = true;
    });
    for (let wait = 0; wait < 200; wait++) await turn();
    expect(isAnswered).toBe(false);
    world.store.release();
    expect(await one).toBe(1);
  });

  test('gives back what waits behind it in time: nothing of that was written', async () => {
    const { world, first } = await opened('a');
    let behind: Promise<unknown> | undefined;
    const alsoAsk = () => {
      behind = first.add('T2').catch((error: StorageError) => error);
      throw new StorageError('unavailable', '503');
    };
    world.store.next('PUT', alsoAsk, ...Array.from({ length: 60 }, () => 'unavailable' as const), 'held');
    const one = first.add('T1');
    await turn();
    expect(await behind).toMatchObject({ code: 'unavailable', message: expect.stringContaining('nothing was written') });
    world.store.release();
    await one;
    expect(first.tokens).toEqual(['T1']);
  });

  test('that another writer settles is run again on what that one wrote', async () => {
    const { world, first, second } = await opened('a', 'b');
    world.store.next('PUT', 'unavailable', async () => void (await second.add('T2')));
    expect(await first.add('T1')).toBe(2);
    expect(first.tokens).toEqual(['T2', 'T1']);
    expect(first.kinds()).toContain('lostRace');
  });

  test('is told as unknown when the process is stopped meanwhile', async () => {
    const { world, first } = await opened('a');
    world.store.next('PUT', 'lostReply', 'held');
    const one = first.add('T1');
    await turn();
    const two = first.add('T2');
    const answered = Promise.allSettled([one, two]);
    const closing = first.log.close({ signal: AbortSignal.abort() });
    world.store.next('PUT', 'unavailable');
    world.store.release();
    world.store.release();
    const results = await answered;
    await closing;
    expect(results[0]).toMatchObject({ status: 'fulfilled' });
    expect(results[1]).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  });

  test('that was refused for good, and was never unknown, is answered with the reason', async () => {
    const { world, first } = await opened('a');
    world.store.next('PUT', 'refused');
    await expect(first.add('T1')).rejects.toMatchObject({ code: 'refused' });
    expect(await first.add('T2')).toBe(1);
  });
});

describe('two writers', () => {
  test('the loser applies what won, and runs again', async () => {
    const { world, first, second } = await opened('a', 'b');
    await first.add('T1');
    expect(await second.add('T2')).toBe(2);
    expect(world.store.requests).toEqual(['PUT 1', 'PUT 1', 'GET 1', 'GET 2', 'PUT 2']);
    expect(second.effects.length).toBeGreaterThan(1);
    await first.log.refresh();
    expect(first.machine.contents()).toBe(second.machine.contents());
  });

  test('a mutation may be refused on the state that won', async () => {
    const { first, second } = await opened('a', 'b');
    await first.add('T1');
    await second.log.refresh();
    await first.log.transact((tx) => tx.remove('item', '1'));
    await expect(second.log.transact((tx) => tx.remove('item', '1'))).rejects.toMatchObject({ code: 'notFound' });
  });

  test('after three lost rounds the batch may be handed to the winner', async () => {
    const { world, writers } = await opened('b');
    const other = writers[0]!;
    const asked: string[] = [];
    const first = world.writer('a', {
      handOver: (by) => {
        asked.push(by);
        return new StorageError('conflict', `ask ${by}`);
      },
    });
    await first.log.open();
    let number = 0;
    const overtaken = async () => {
      await other.add(`T${++number}`);
      world.store.next('PUT', overtaken);
    };
    world.store.next('PUT', overtaken);
    await expect(first.add('T9')).rejects.toThrow('ask b');
    expect(number).toBe(3);
    expect(asked).toEqual(['b']);
    expect(other.tokens).not.toContain('T9');
  });

  test('refresh costs one GET while the tail was seen within the hour, and one LIST after', async () => {
    const { world, first } = await opened('a');
    await first.add('T1');
    world.store.requests.length = 0;
    await first.log.refresh();
    expect(world.store.requests).toEqual(['GET 2']);
    world.clock.pass(hourMs);
    await first.log.refresh();
    expect(world.store.requests).toEqual(['GET 2', 'LIST']);
    await first.log.refresh();
    expect(world.store.requests).toEqual(['GET 2', 'LIST', 'GET 2']);
  });

  test('a fence makes a put fail that is based on an older state', async () => {
    const { world, first, second } = await opened('a', 'b');
    await first.add('T1');
    await second.log.refresh();
    world.store.next('PUT', 'held');
    const late = first.add('T2');
    await turn();
    expect((await second.log.fence()).seq).toBe(2);
    expect((await world.commit(2)).mutations).toEqual([]);
    world.store.release();
    await late;
    expect((await world.commit(3)).mutations).toHaveLength(1);
  });
});

describe('a writer that slept', () => {
  for (const [clocks, pass] of [
    ['all clocks', (clock: HandClock, ms: number) => clock.pass(ms)],
    ['the wall clock alone', (clock: HandClock, ms: number) => void (clock.wall += ms)],
    ['the monotonic clock alone', (clock: HandClock, ms: number) => void (clock.mono += ms)],
  ] as const) {
    test(`looks at the tail before it writes, by ${clocks}`, async () => {
      const world = new Account();
      const clock = new HandClock();
      const writer = world.writer('a', { clock });
      await writer.log.open();
      await writer.add('T1');
      world.store.requests.length = 0;
      pass(clock, hourMs);
      await writer.add('T2');
      expect(world.store.requests).toEqual(['LIST', 'PUT 2']);
    });
  }

  test('looks at the tail after it wrote, when the store says that it was late', async () => {
    const world = new Account();
    // Its own clocks stand still.
    const writer = world.writer('a', { clock: new HandClock() });
    await writer.log.open();
    await writer.add('T1');
    world.store.requests.length = 0;
    world.clock.pass(40 * dayMs);
    expect(await writer.add('T2')).toBe(2);
    expect(world.store.requests).toEqual(['PUT 2', 'LIST', 'GET 2']);
    expect(writer.events).toContainEqual({ kind: 'lateAnswer', seq: 2, verdict: 'ours' });
  });

  test('whose number was collected has written a stray: it is not acknowledged, and run again on the chain', async () => {
    const world = new Account();
    const sleeper = world.writer('a', { clock: new HandClock() });
    const other = world.writer('b');
    await sleeper.log.open();
    await sleeper.add('T1');
    for (let number = 2; number <= 6; number++) await other.add(`T${number}`);
    await other.snapshot();
    world.clock.pass(40 * dayMs);
    await world.remove(1, 2, 3);
    await other.add('T7');
    expect(await sleeper.add('T8').catch((error: StorageError) => error.message)).toContain('outcome is unknown');
    // What stands at 2 now proves nothing: commit 3 is gone. But nothing of it is in the chain, and the next change goes to its end.
    expect(await sleeper.add('T9')).toBe(8);
    expect(sleeper.tokens).toEqual(['T1', 'T2', 'T3', 'T4', 'T5', 'T6', 'T7', 'T9']);
    expect(sleeper.resets).toBeGreaterThan(1);
  });

  test('whose number alone was collected is shown by the next commit to be off the chain, and runs again', async () => {
    const world = new Account();
    const sleeper = world.writer('a', { clock: new HandClock() });
    const other = world.writer('b');
    await sleeper.log.open();
    await sleeper.add('T1');
    for (let number = 2; number <= 4; number++) await other.add(`T${number}`);
    await other.snapshot();
    world.clock.pass(40 * dayMs);
    await world.remove(1, 2);
    expect(await sleeper.add('T8')).toBe(5);
    expect(sleeper.tokens).toEqual(['T1', 'T2', 'T3', 'T4', 'T8']);
    expect(sleeper.events).toContainEqual({ kind: 'lateAnswer', seq: 2, verdict: 'lost' });
  });

  test('looks at the tail when the store refuses its clock', async () => {
    const { world, first } = await opened('a');
    world.store.next('PUT', 'skew');
    expect(await first.add('T1')).toBe(1);
    expect(world.store.requests).toEqual(['PUT 1', 'LIST', 'PUT 1']);
  });
});
