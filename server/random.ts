/** The process's own source of chance: the operating system's, for names and jitter alike. */
import { randomFillSync } from 'node:crypto';
import type { Random } from '../storage/random.ts';

/** Bytes drawn at once: a call to the system costs as much for a few. */
const pool = Buffer.alloc(8192);
let used = pool.length;

function take(count: number): Buffer {
  if (count > pool.length) return randomFillSync(Buffer.alloc(count));
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}

export const systemRandom: Random = {
  hex: (count) => take(count).toString('hex'),
  fraction: () => Math.random(),
};
