// `npm test`: format, lint and types, then the tests, all on the packaged Node.js 24 (npm itself may run on an older one).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', 'node', 'bin');
if (!existsSync(bin)) {
  process.stderr.write('Node.js 24 is missing from node_modules; run `npm ci` first.\n');
  process.exit(1);
}
const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, UV_THREADPOOL_SIZE: '16' };
const only = process.argv.slice(2);
const steps = [
  ...(only.length > 0
    ? []
    : [
        ['node_modules/@biomejs/biome/bin/biome', 'ci', '.'],
        ['node_modules/typescript/bin/tsc', '--noEmit'],
      ]),
  ['node_modules/vitest/vitest.mjs', 'run', ...only],
];
for (const [script, ...args] of steps) {
  const { status } = spawnSync(join(bin, 'node'), [script, ...args], { cwd: root, env, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
