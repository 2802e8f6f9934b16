import { expect, it } from 'vitest';
import { Background } from '../../../server/background.ts';
import { systemClock } from '../../../server/clock.ts';
import { silentLogger } from '../../../server/logger.ts';

const random = { fraction: () => 1 };

/** Sleeps end at once, and are counted. */
function quickClock() {
  const slept: number[] = [];
  return { slept, clock: { ...systemClock, sleep: async (ms: number) => void slept.push(ms) } };
}

it('a task runs again after its pause, also when it failed, which is logged', async () => {
  const { clock, slept } = quickClock();
  const warnings: unknown[] = [];
  const logger = { ...silentLogger, warn: (_: string, fields?: object) => void warnings.push(fields) };
  const third = Promise.withResolvers<void>();
  let runs = 0;
  await using background = new Background({ clock, random, logger });
  background.repeat({
    name: 'task',
    pauseMs: 100,
    firstMs: 7,
    run: async (signal) => {
      runs++;
      if (runs === 2) throw new Error('once');
      if (runs < 3) return;
      third.resolve();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
  });
  await third.promise;
  expect(slept).toEqual([7, 100, 100]);
  expect(warnings).toMatchObject([{ task: 'task', error: { message: 'once' } }]);
});

it('stopping gives a turn up, waits for its end, and starts no other', async () => {
  const { clock } = quickClock();
  const started = Promise.withResolvers<void>();
  const background = new Background({ clock, random, logger: silentLogger });
  let hasEnded = false;
  let runs = 0;
  background.repeat({
    name: 'task',
    pauseMs: 1,
    run: async (signal) => {
      runs++;
      started.resolve();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      hasEnded = true;
    },
  });
  await started.promise;
  await background[Symbol.asyncDispose]();
  expect({ hasEnded, runs }).toEqual({ hasEnded: true, runs: 1 });
});
