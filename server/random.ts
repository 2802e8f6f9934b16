/** The process's own source of chance: the operating system's, for names and jitter alike. */
import { randomBytes } from 'node:crypto';
import type { Random } from '../storage/random.ts';

export const systemRandom: Random = {
  hex: (count) => randomBytes(count).toString('hex'),
  fraction: () => Math.random(),
};
