/** A process that has too many files open is told so by the index, and not ended by lmdb. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('an environment for which too few files may be opened is unavailable, and whole as soon as there are enough', {
  skip: process.platform === 'win32',
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'satchel-few-files-'));
  try {
    const child = join(import.meta.dirname, 'few-files-child.ts');
    const command = 'ulimit -n 64; exec "$0" --disable-warning=ExperimentalWarning "$1" "$2"';
    const { status, stdout } = spawnSync('sh', ['-c', command, process.execPath, child, folder], { encoding: 'utf8', timeout: 30_000 });
    const lines = stdout.trim().split('\n');
    expect({ status, first: lines[0], last: lines.at(-1) }).toEqual({ status: 0, first: 'no more files', last: 'value' });
    expect(lines.length).toBeGreaterThan(3);
    expect(new Set(lines.slice(1, -1))).toEqual(new Set(['unavailable']));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
