/** The name of this node, by which others know its commits: drawn once and kept in the data folder. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../storage/random.ts';

const pattern = /^[a-z0-9][a-z0-9-]{0,63}$/;

export function nodeIdentity(dataDir: string, random: Pick<Random, 'hex'>): string {
  const file = join(dataDir, 'node-id');
  try {
    const kept = readFileSync(file, 'utf8').trim();
    if (pattern.test(kept)) return kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const drawn = random.hex(8);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeFileSync(file, `${drawn}\n`);
  return drawn;
}
