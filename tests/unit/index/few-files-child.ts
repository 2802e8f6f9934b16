/** Opens an environment of the index at `argv[2]` while all files but a few are taken, and says what came of it. For few-files.test.ts. */
import { closeSync, openSync } from 'node:fs';
import { LmdbEnvironments } from '../../../storage/index/lmdb-kv.ts';
import { realClock } from '../../support/faulty-random.ts';

const options = { path: process.argv[2]!, bootId: 'boot', clock: realClock };
const before = new LmdbEnvironments(options);
before.kv('one').write([['key', Buffer.from('value')]]);
await before[Symbol.asyncDispose]();

await using environments = new LmdbEnvironments({ ...options, onDiscard: (_, reason) => console.log(`thrown away: ${reason}`) });
const taken: number[] = [];
try {
  for (;;) taken.push(openSync('/dev/null', 'r'));
} catch {
  console.log('no more files');
}
while (taken.length > 0) {
  try {
    console.log(environments.kv('one').get('key')?.toString());
    break;
  } catch (error) {
    console.log((error as { readonly code?: string }).code);
    closeSync(taken.pop()!);
  }
}
for (const file of taken) closeSync(file);
