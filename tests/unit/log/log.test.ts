import { describe, expect, test } from 'vitest';
import { MailError, StorageError } from '../../../protocol/mail/errors.ts';
import { encodeCommit } from '../../../storage/log/commit-codec.ts';
import type { Mutation } from '../../../storage/log/record.ts';
import { logKey } from '../../../storage/objects/object-keys.ts';
import { ToyMachine } from '../../simulation/toy-machine.ts';
import { Account, account, add, dayMs, HandClock, hourMs } from './harness.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function opened(...nodes: string[]) {
  const world = new Account();
  const writers = nodes.map((node) => world.writer(node));
  for (const { log } of writers) await log.open();
  world.store.requests.length = 0;
  return { world, writers, first: writers[0]!, second: writers[1]! };
}

describe('group commit', () => {
  test('mutations given in one turn share a commit, each with its own modSeq and answer', async () => {
    const { world, first } = await opened('a');
    expect(await Promise.all([first.add('T1'), first.add('T2'), first.add('T3')])).toEqual([1, 2, 3]);
    expect(world.store.requests).toEqual(['PUT 1']);
    expect((await world.commit(1)).mutations.map(({ modSeq }) => modSeq)).toEqual([1, 2, 3]);
  });

  test('what is given while a put is under way goes into the next commit', async () => {
    const { world, first } = await opened('a');
    world.store.next('PUT', 'held');
    const one = first.add('T1');
    await turn();
    const others = [first.add('T2'), first.add('T3')];
    await turn();
    expect(world.store.requests).toEqual(['PUT 1']);
    world.store.release();
    expect(await Promise.all([one, ...others])).toEqual([1, 2, 3]);
    expect(world.store.requests).toEqual(['PUT 1', 'PUT 2']);
  });

  test('a commit costs one PUT, and reading nothing', async () => {
    const { world, first } = await opened('a');
    for (let number = 1; number <= 20; number++) await first.add(`T${number}`);
    expect(world.store.requests).toEqual(Array.from({ length: 20 }, (_, index) => `PUT ${index + 1}`));
  });

  test('a mutation that throws is refused alone', async () => {
    const { world, first } = await opened('a');
    const refused = first.log.transact((tx) => {
      add(tx, 'T2');
      throw new MailError('overQuota', 'full');
    });
    const results = await Promise.allSettled([first.add('T1'), refused, first.add('T3')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(first.tokens).toEqual(['T1', 'T3']);
    expect((await world.commit(1)).mutations).toHaveLength(2);
  });

  test('one that changes nothing alone makes no commit', async () => {
    const { world, first } = await opened('a');
    expect(await first.log.transact((tx) => tx.nextItem)).toBe(1);
    expect(world.store.requests).toEqual([]);
  });

  test('one that changed nothing, or was refused, on top of a change is answered when that change is true', async () => {
    const { world, first } = await opened('a');
    world.store.next('PUT', 'held');
    const answers: string[] = [];
    const change = first.add('T1').then(() => answers.push('changed'));
    const unchanged = first.log.transact((tx) => tx.nextItem).then((next) => answers.push(`unchanged, next is ${next}`));
    const refused = first.log
      .transact((tx) => {
        throw new MailError('alreadyExists', `item ${tx.nextItem - 1}`);
      })
      .catch((error: Error) => answers.push(error.message));
    await turn();
    expect(answers).toEqual([]);
    world.store.release();
    await Promise.all([change, unchanged, refused]);
    expect(answers).toEqual(['changed', 'unchanged, next is 2', 'item 1']);
  });

  test('what does not fit in a commit waits for the next, in order', async () => {
    const world = new Account();
    const writer = world.writer('a', { limits: { commitBytesMax: 17_000 } });
    await writer.log.open();
    const value = 'x'.repeat(200);
    const put = (token: string) =>
      writer.log.transact((tx) => {
        tx.put('item', String(tx.nextItem), { touches: 0, value });
        tx.put('token', token, 0);
        return tx.nextItem;
      });
    expect(await Promise.all([put('T1'), put('T2'), put('T3'), put('T4')])).toEqual([1, 2, 3, 4]);
    expect((await world.commit(1)).mutations).toHaveLength(1);
    expect((await world.commit(2)).mutations).toHaveLength(1);
    expect(writer.tokens).toEqual(['T1', 'T2', 'T3', 'T4']);
  });

  test('one that fits in no commit is refused alone, and leaves nothing', async () => {
    const { first } = await opened('a');
    const huge = first.log.transact((tx) => tx.put('item', '7', { touches: 0, value: 'x'.repeat(5 << 20) }));
    const [large, small] = await Promise.allSettled([huge, first.add('T1')]);
    expect(large).toMatchObject({ status: 'rejected', reason: { code: 'tooLarge' } });
    expect(small).toMatchObject({ status: 'fulfilled', value: 1 });
  });

  test('too many waiting are told to come back', async () => {
    const world = new Account();
    const writer = world.writer('a', { limits: { queuedMutationsMax: 2 } });
    await writer.log.open();
    const results = await Promise.allSettled([writer.add('T1'), writer.add('T2'), writer.add('T3')]);
    expect(results[2]).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  });

  test('the time of a commit never goes back', async () => {
    const { world, first } = await opened('a');
    await first.add('T1');
    world.clock.wall -= 10_000;
    await first.add('T2');
    expect((await world.commit(2)).at).toBe((await world.commit(1)).at);
  });

  test('callers are resolved before watchers are told, in one turn', async () => {
    const order: string[] = [];
    const world = new Account();
    const writer = world.writer('a', { onEffects: () => order.push(`effects at ${writer.log.position.seq}`) });
    await writer.log.open();
    await writer.add('T1').then(() => order.push('caller'));
    expect(order.toSorted()).toEqual(['caller', 'effects at 1']);
  });

  test('a watcher that throws harms nobody', async () => {
    const world = new Account();
    const writer = world.writer('a', {
      onEffects: () => {
        throw new Error('a watcher');
      },
    });
    await writer.log.open();
    expect(await writer.add('T1')).toBe(1);
    expect(writer.kinds()).toContain('watcherFailed');
  });
});

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

describe('uploads', () => {
  const ref = (digit: string) => ({ object: `raw/${digit.repeat(64)}-00112233`, offset: 0, length: 1, sha256: digit.repeat(64) });

  test('of a day ago are uploaded anew before the mutation runs', async () => {
    const { world, first } = await opened('a');
    const date = world.clock.now();
    let upload = { ref: ref('a'), date };
    world.clock.pass(dayMs);
    await first.log.transact((tx) => tx.put('item', '1', { touches: 0, blob: upload.ref }), {
      uploads: [upload],
      reupload: async () => {
        upload = { ref: ref('b'), date: world.clock.now() };
        return [upload];
      },
    });
    expect(first.machine.items.get('1')?.blob?.object).toBe(ref('b').object);
  });

  test('of a day ago are refused where they cannot be uploaded anew, and the others go on', async () => {
    const { world, first } = await opened('a');
    const date = world.clock.now();
    world.clock.pass(dayMs);
    const [old, other] = await Promise.allSettled([
      first.log.transact((tx) => add(tx, 'T1'), { uploads: [{ ref: ref('a'), date }] }),
      first.add('T2'),
    ]);
    expect(old).toMatchObject({ status: 'rejected', reason: { code: 'conflict' } });
    expect(other).toMatchObject({ status: 'fulfilled', value: 1 });
  });

  test('younger than a day cost nothing', async () => {
    const { world, first } = await opened('a');
    const date = world.clock.now();
    world.clock.pass(dayMs - hourMs);
    await first.log.refresh();
    world.store.requests.length = 0;
    await first.log.transact((tx) => add(tx, 'T1'), {
      uploads: [{ ref: ref('a'), date }],
      reupload: () => expect.unreachable('too early'),
    });
    expect(world.store.requests).toEqual(['PUT 1']);
  });
});

describe('opening', () => {
  async function written(count: number) {
    const world = new Account();
    const writer = world.writer('a');
    for (let number = 1; number <= count; number++) await writer.add(`T${number}`);
    return { world, writer };
  }

  test('a state that is current costs one LIST', async () => {
    const { world, writer } = await written(5);
    const again = world.writer('b', {}, new ToyMachine({ disk: writer.machine.dump() }));
    world.store.requests.length = 0;
    await again.log.open();
    expect(world.store.requests).toEqual(['LIST']);
  });

  test('a state that is behind costs one LIST and the commits that it lacks', async () => {
    const { world, writer } = await written(3);
    const disk = writer.machine.dump();
    await writer.add('T4');
    await writer.add('T5');
    const again = world.writer('b', {}, new ToyMachine({ disk }));
    world.store.requests.length = 0;
    await again.log.open();
    expect(world.store.requests).toEqual(['LIST', 'GET 4', 'GET 5']);
    expect(again.machine.contents()).toBe(writer.machine.contents());
  });

  test('without a state, the log from its first commit is as good as a snapshot', async () => {
    const { world, writer } = await written(150);
    const again = world.writer('b');
    await again.log.open();
    expect(again.machine.contents()).toBe(writer.machine.contents());
  });

  test('without a state, the newest snapshot and the log after it', async () => {
    const { world, writer } = await written(5);
    await writer.snapshot();
    await writer.add('T6');
    const again = world.writer('b');
    world.store.requests.length = 0;
    await again.log.open();
    expect(world.store.requests.filter((request) => request.startsWith('GET') && request !== 'GET')).toEqual(['GET 5', 'GET 6']);
    expect(again.machine.contents()).toBe(writer.machine.contents());
    expect(again.resets).toBe(1);
  });

  test('a stray in the way of a sleeping state is not taken for the chain', async () => {
    const { world, writer } = await written(1);
    const disk = writer.machine.dump();
    const hash = writer.log.position.hash;
    for (let number = 2; number <= 4; number++) await writer.add(`T${number}`);
    await writer.snapshot();
    const stray: Mutation[] = [{ modSeq: 2 as Mutation['modSeq'], changes: [{ do: 'object.put', type: 'token', id: 'T99', value: 0 }] }];
    const { bytes } = encodeCommit(account, { seq: 2, id: 'stray', prev: hash, at: world.clock.now(), by: 'z', mutations: stray });
    await world.store.put(logKey(account, 2), bytes);
    const beside = world.writer('b', {}, new ToyMachine({ disk }));
    await beside.log.open();
    expect(beside.machine.contents()).toBe(writer.machine.contents());
    const credulous = world.writer('e', { rules: { checkPrev: false } }, new ToyMachine({ disk, checksPrev: false }));
    await credulous.log.open();
    expect(credulous.tokens, 'without the rule that a commit continues the one before it').toContain('T99');
    await world.remove(3);
    const alone = world.writer('c', {}, new ToyMachine({ disk }));
    await alone.log.open();
    expect(alone.machine.contents()).toBe(writer.machine.contents());
    expect(alone.events).toContainEqual({ kind: 'stray', seq: 2 });
    await world.remove(3, 4);
    const last = world.writer('d', {}, new ToyMachine({ disk }));
    await last.log.open();
    expect(last.machine.contents()).toBe(writer.machine.contents());
  });

  test('a stray at the very number of the newest snapshot is told from it by its hash', async () => {
    const { world, writer } = await written(1);
    const disk = writer.machine.dump();
    const hash = writer.log.position.hash;
    await writer.add('T2');
    await writer.snapshot();
    const { bytes } = encodeCommit(account, { seq: 2, id: 'stray', prev: hash, at: world.clock.now(), by: 'z', mutations: [] });
    await world.store.put(logKey(account, 2), bytes);
    const again = world.writer('b', {}, new ToyMachine({ disk }));
    await again.log.open();
    expect(again.machine.contents()).toBe(writer.machine.contents());
  });

  test('a log that ends before the state refuses service and says so', async () => {
    const { world, writer } = await written(3);
    const disk = writer.machine.dump();
    await world.remove(2, 3);
    const again = world.writer('b', {}, new ToyMachine({ disk }));
    await expect(again.log.open()).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('ends before the index') });
    await expect(again.add('T9')).rejects.toMatchObject({ code: 'corrupt' });
    expect(again.log.position.seq).toBe(3);
  });

  test('a hole in the log that no snapshot covers refuses service and names the number', async () => {
    const { world } = await written(5);
    await world.remove(3);
    const again = world.writer('b');
    await expect(again.log.open()).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('lacks commit 3') });
  });

  test('a damaged commit that a snapshot covers does no harm; another does', async () => {
    const { world, writer } = await written(1);
    const disk = writer.machine.dump();
    await writer.add('T2');
    await writer.snapshot();
    await world.store.put(logKey(account, 2), Buffer.from('garbage'));
    const covered = world.writer('b', {}, new ToyMachine({ disk }));
    await covered.log.open();
    expect(covered.machine.contents()).toBe(writer.machine.contents());
    await writer.add('T3');
    await world.store.put(logKey(account, 3), Buffer.from('garbage'));
    await expect(world.writer('c').log.open()).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('can be tried again when the store was away', async () => {
    const { world } = await written(2);
    const again = world.writer('b');
    world.store.next('LIST', 'unavailable');
    await expect(again.log.open()).rejects.toMatchObject({ code: 'unavailable' });
    await again.log.open();
    expect(again.tokens).toEqual(['T1', 'T2']);
  });
});

describe('an index that fails', () => {
  test('does not change the answer, and is rebuilt before anything else runs', async () => {
    const world = new Account();
    let failures = 1;
    const writer = world.writer('a', {}, new ToyMachine({ fails: () => failures-- > 0 }));
    await writer.log.open();
    expect(await writer.add('T1')).toBe(1);
    expect(await writer.add('T2')).toBe(2);
    expect(writer.kinds()).toContain('settleFailed');
    expect(writer.tokens).toEqual(['T1', 'T2']);
  });
});

describe('closing', () => {
  test('answers what was given, and takes no more', async () => {
    const { first } = await opened('a');
    const given = [first.add('T1'), first.add('T2')];
    await first.log.close();
    expect(await Promise.all(given)).toEqual([1, 2]);
    await expect(first.add('T3')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(first.log.refresh()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
