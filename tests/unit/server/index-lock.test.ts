import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockIndexFolder } from '../../../server/index-lock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'satchel-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function take(): Disposable {
  const result = lockIndexFolder(folder);
  if (!('lock' in result)) throw new Error(`held by ${result.heldBy}`);
  return result.lock;
}

it('one folder is one owner, and the refusal names the process', () => {
  using _lock = take();
  expect(lockIndexFolder(folder)).toEqual({ heldBy: process.pid });
});

it('is free again once its owner lets go', () => {
  take()[Symbol.dispose]();
  take()[Symbol.dispose]();
});

it('is free again when its owner was killed', async () => {
  const module = pathToFileURL(join(import.meta.dirname, '../../../server/index-lock.ts')).href;
  const script = `import { lockIndexFolder } from ${JSON.stringify(module)};
    globalThis.kept = lockIndexFolder(${JSON.stringify(folder)});
    process.stdout.write('lock' in kept ? 'mine' : 'not mine');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script]);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(said.toString()).toBe('mine');
  expect(lockIndexFolder(folder)).toEqual({ heldBy: child.pid });
  child.kill('SIGKILL');
  await once(child, 'exit');
  take()[Symbol.dispose]();
});
