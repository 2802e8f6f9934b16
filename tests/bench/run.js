// `npm run bench`: bench.ts on the packaged Node.js 24 (npm itself may run on an older one).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const node = join(root, 'node_modules', 'node', 'bin', 'node');
const args = ['--disable-warning=ExperimentalWarning', join(root, 'tests/bench/bench.ts'), ...process.argv.slice(2)];
process.exitCode = spawnSync(node, args, { stdio: 'inherit' }).status ?? 1;
