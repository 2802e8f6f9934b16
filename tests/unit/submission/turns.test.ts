import { expect, test } from 'vitest';
import { relayWaitMsMax } from '../../../indexer/outbox/limits.ts';
import { Turns } from '../../../server/submission/relay/turns.ts';

/** A clock whose sleepers wake when the test says so. */
function stillClock() {
  const sleepers: { readonly ms: number; readonly wake: () => void }[] = [];
  return {
    sleepers,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        sleepers.push({ ms, wake: resolve });
        signal?.addEventListener('abort', () => reject(new Error('aborted')));
      }),
  };
}

test('so many have a turn at once, and who waited gets the next that is given back', async () => {
  const turns = new Turns(2, stillClock());
  const [first] = [await turns.take(), await turns.take()];
  const got: string[] = [];
  const third = turns.take().then((turn) => {
    got.push('third');
    return turn;
  });
  const fourth = turns.take().then(() => got.push('fourth'));
  await Promise.resolve();
  expect(got).toEqual([]);
  first![Symbol.dispose]();
  (await third)![Symbol.dispose]();
  await fourth;
  expect(got).toEqual(['third', 'fourth']);
});

test('who waits longer than a claim allows gets none, and holds up nobody behind', async () => {
  const clock = stillClock();
  const turns = new Turns(1, clock);
  const first = await turns.take();
  const late = turns.take();
  const next = turns.take();
  expect(clock.sleepers.map(({ ms }) => ms)).toEqual([relayWaitMsMax, relayWaitMsMax]);
  clock.sleepers[0]!.wake();
  expect(await late).toBeUndefined();
  first![Symbol.dispose]();
  expect(await next).toBeDefined();
});
