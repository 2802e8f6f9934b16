/** A log from its opening to its closing: what opening costs, uploads that are too old, and an index that fails. */
import { describe, expect, test } from 'vitest';
import { encodeCommit } from '../../../storage/log/commit-codec.ts';
import type { Mutation } from '../../../storage/log/record.ts';
import { logKey } from '../../../storage/objects/object-keys.ts';
import { ToyMachine } from '../../simulation/toy-machine.ts';
import { Account, account, add, dayMs, hourMs, opened } from './harness.ts';

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
