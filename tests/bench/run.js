// `npm run bench`, `npm run bench:idle`: bench.ts or idle.ts on the packaged Node.js 24 (npm itself may run on an older one).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const node = join(root, 'node_modules', 'node', 'bin', 'node');
const isIdle = process.argv[2] === 'idle';
const program = join(root, 'tests/bench', isIdle ? 'idle.ts' : 'bench.ts');
const args = ['--disable-warning=ExperimentalWarning', program, ...process.argv.slice(isIdle ? 3 : 2)];
process.exitCode = spawnSync(node, args, { stdio: 'inherit' }).status ?? 1;
