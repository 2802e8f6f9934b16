/** Mutations that share commits: what they cost, what each is answered, and what one that fails does to the others. */
import { describe, expect, test } from 'vitest';
import { MailError } from '../../../protocol/mail/errors.ts';
import { Account, add, opened } from './harness.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

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
