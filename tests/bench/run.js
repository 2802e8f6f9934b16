// `npm run bench`, `npm run bench:idle`, `npm run bench:spike`: on the packaged Node.js 24 (npm itself may run on an older one).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const node = join(root, 'node_modules', 'node', 'bin', 'node');
const others = { idle: 'tests/bench/idle.ts', spike: 'tests/simulation/spike/main.ts' };
const [first, ...rest] = process.argv.slice(2);
const other = others[first ?? ''];
const args = [
  '--disable-warning=ExperimentalWarning',
  join(root, other ?? 'tests/bench/bench.ts'),
  ...(other ? rest : process.argv.slice(2)),
];
process.exitCode = spawnSync(node, args, { stdio: 'inherit' }).status ?? 1;
