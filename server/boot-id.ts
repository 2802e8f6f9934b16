/** What tells this boot of the machine from every other: an index that was not synced does not survive one. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Random } from '../storage/random.ts';

/** Where the system has none to give, each start counts as a boot: an index that was left unclean is then rebuilt, which is always right. */
export function bootId(random: Pick<Random, 'hex'>): string {
  try {
    if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    if (process.platform === 'darwin') return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim();
  } catch {
    // As if the system had none.
  }
  return random.hex(16);
}
