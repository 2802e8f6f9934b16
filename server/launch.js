#!/usr/bin/env node
// Starts server/main.ts on the Node.js 24 that npm installed beside us, whatever Node.js runs this file: sources are TypeScript and need its type stripping.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const packagedNode = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const own = Number(process.versions.node.split('.')[0]) >= 24 ? process.execPath : undefined;
const node = existsSync(packagedNode) ? packagedNode : own;

if (node === undefined) {
  process.stderr.write(
    `Satchel needs Node.js 24, and the copy that npm installs is missing (${packagedNode}).\n` +
      'Run `npm ci` in the checkout. If npm was told not to run install scripts, run `npm rebuild node` after it.\n',
  );
  process.exitCode = 1;
} else {
  const env = {
    // The default pool of 4 threads would serialise the file store's fsyncs.
    UV_THREADPOOL_SIZE: '16',
    // glibc: a large allocation goes back to the system after it. By default each of those threads would keep what a password hash works on (19 MiB)
    // for good, and buffers of messages and commits would leave holes in the heap, which grows by them for as long as a spike of mail lasts. Half of
    // all bytes of mail are in messages above 32 KiB: at 128 KiB that heap took 120 MB after 40,000 messages of a spike, at 32 KiB 98, and what is free
    // at its end is given back from 1 MiB on, which is another 9 MB. Neither takes processor time that could be measured.
    MALLOC_MMAP_THRESHOLD_: String(32 * 1024),
    MALLOC_TRIM_THRESHOLD_: String(1024 * 1024),
    ...process.env,
  };
  const flags = [
    '--disable-warning=ExperimentalWarning',
    // Megabytes. Half of V8's default: its collections are as quick, and a busy server is smaller by 75 MB, and grows less while it is busy.
    '--max-semi-space-size=16',
    // V8's own threads, which collect garbage and compile. Node.js starts four whatever there is: on two cores they take the time of those who work.
    `--v8-pool-size=${Math.min(4, Math.max(1, availableParallelism() - 1))}`,
  ];
  const child = spawn(node, [...flags, join(root, 'server', 'main.ts'), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env,
  });
  // A terminal sends SIGINT to the whole group; a service manager only to us. The child decides when it is done.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`Could not start ${node}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}
