/** The process: what it says at a first start, and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeServerFolder, type ServerFolder } from '../support/running-server.ts';

let folder: ServerFolder;
let child: ChildProcess | undefined;
beforeEach(() => {
  folder = makeServerFolder();
});
afterEach(() => {
  child?.kill('SIGKILL');
  folder[Symbol.dispose]();
});

const checkout = join(import.meta.dirname, '../..');
const launcher = join(checkout, 'server/launch.js');

/** Starts the server as a process, and resolves with what it said once it says how to drop a message in. */
async function serve(
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<{ readonly process: ChildProcess; said: () => string }> {
  return ready(spawn(process.execPath, [launcher, 'serve', ...args], { cwd: folder.path, env: { PATH: process.env.PATH, ...env } }));
}

async function ready(spawned: ChildProcess): Promise<{ readonly process: ChildProcess; said: () => string }> {
  child = spawned;
  let said = '';
  const isReady = Promise.withResolvers<void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk) => {
      said += chunk;
      if (said.includes('Drop a message in')) isReady.resolve();
    });
  }
  child.on('exit', () => isReady.reject(new Error(`ended early:\n${said}`)));
  await isReady.promise;
  return { process: child, said: () => said };
}

it('says where everything listens, and prints the first account’s password once', async () => {
  const first = await serve();
  expect(first.said()).toMatch(/IMAP \(TLS\) +127\.0\.0\.1:\d+/);
  expect(first.said()).toMatch(/IMAP \(STARTTLS\) +127\.0\.0\.1:\d+/);
  expect(first.said()).toMatch(/LMTP +127\.0\.0\.1:\d+/);
  expect(first.said()).not.toMatch(/Submission|ManageSieve/);
  expect(first.said()).toMatch(/Account: +me@localhost\nPassword: +(\w{4}-){4}\w{4} /);
  expect(first.said()).toContain(join(folder.path, 'data/bucket/inbound'));
  first.process.kill('SIGTERM');
  expect(await once(first.process, 'exit')).toEqual([0, null]);
  const second = await serve();
  expect(second.said()).not.toContain('Password:');
  second.process.kill('SIGINT');
  expect(await once(second.process, 'exit')).toEqual([0, null]);
});

it('by `npm start` ends when npm is told to, and npm waits until it has', {
  skip: process.platform === 'win32',
  timeout: 30_000,
}, async () => {
  const { PATH, HOME } = process.env;
  const npm = spawn('npm', ['start', '--', '--config', folder.configFile], { cwd: checkout, env: { PATH, HOME } });
  const { process: started } = await ready(npm);
  started.kill('SIGTERM');
  expect(await once(started, 'exit')).toEqual([0, null]);
  // Whoever starts next finds the folder free: nobody is left behind.
  const next = await serve(['--config', folder.configFile]);
  next.process.kill('SIGTERM');
  expect(await once(next.process, 'exit')).toEqual([0, null]);
});

it('with --demo hands in some dozens of messages', async () => {
  const { process: server, said } = await serve(['--demo']);
  await expect.poll(said).toMatch(/[2-9]\d sample messages are on their way to me@localhost\./);
  await expect
    .poll(async () => JSON.parse((await folder.satchel(['verify', 'me@localhost', '--json'])).out).accounts[0].summary.blobs, {
      timeout: 30_000,
    })
    .toBeGreaterThan(24);
  expect(JSON.parse((await folder.satchel(['failed', 'list', '--json'])).out)).toMatchObject({ messages: [] });
  server.kill('SIGTERM');
  expect(await once(server, 'exit')).toEqual([0, null]);
});

it('without a configuration that can be used says which key is wrong, and ends with 1', async () => {
  const refused = await folder.satchel(['account', 'list', '--config', join(folder.path, 'none.json')]);
  expect(refused.code).toBe(1);
  await expect(serve([], { SATCHEL_LISTEN_IMAP: 'nowhere' })).rejects.toThrow(/satchel: listen\.imap must be of another form/);
});
