import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../storage/clock.ts';
import type { Random } from '../../storage/random.ts';

/** Chance from a seed (mulberry32): the same seed gives the same numbers, so a failing run can be had again. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const byte = () =>
    Math.floor(fraction() * 256)
      .toString(16)
      .padStart(2, '0');
  return { fraction, hex: (count) => Array.from({ length: count }, byte).join('') };
}

/** The system's, for tests of what touches disks and sockets. */
export const realRandom: Random = { fraction: Math.random, hex: (count) => randomBytes(count).toString('hex') };

export const realClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, { signal });
  },
};
