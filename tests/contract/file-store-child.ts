/**
 * A second process for the file store's tests: `node file-store-child.ts race FOLDER COUNT` creates `race/<i>` for each i and prints the
 * numbers it won; `… load FOLDER BYTES` puts `load/<i>` until it is killed and prints each number once its put resolved.
 */
import { writeSync } from 'node:fs';
import { openFileStore } from '../../storage/objects/file.ts';
import { realClock, realRandom } from '../support/faulty-random.ts';

const [mode, folder, argument] = process.argv.slice(2);
const store = await openFileStore({ path: folder!, clock: realClock, random: realRandom });

async function race(count: number): Promise<void> {
  // Both processes are told to start at once, by the line that says they are ready.
  writeSync(1, 'ready\n');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  process.stdin.unref();
  const won: number[] = [];
  const names = Array.from({ length: count }, (_, i) => i);
  await Promise.all(
    names.map(async (i) => {
      const { outcome } = await store.putIfAbsent(`race/${i}`, Buffer.from(String(process.pid)));
      if (outcome === 'created') won.push(i);
    }),
  );
  writeSync(1, `${JSON.stringify({ pid: process.pid, won })}\n`);
}

async function load(bytes: number): Promise<never> {
  let next = 0;
  const put = async (): Promise<never> => {
    for (;;) {
      const i = next++;
      const body = Buffer.alloc(bytes, `${i}.`);
      if (i % 2 === 0) await store.putIfAbsent(`load/${i}`, body);
      else await store.put(`load/${i}`, body);
      writeSync(1, `${i}\n`);
    }
  };
  return Promise.race(Array.from({ length: 8 }, put));
}

if (mode === 'race') await race(Number(argument));
else await load(Number(argument));
