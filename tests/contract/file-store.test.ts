/** What the file store promises beyond the contract: several processes, death at any moment, files put there by hand. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FileStore, openFileStore } from '../../storage/objects/file.ts';
import { FileWriter } from '../../storage/objects/file-writer.ts';
import { UnreachedError } from '../../storage/objects/object-store.ts';
import { realClock, realRandom } from '../support/faulty-random.ts';

const child = fileURLToPath(new URL('./file-store-child.ts', import.meta.url));
let folder: string;
let store: FileStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'satchel-file-store-'));
  store = await open();
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const open = () => openFileStore({ path: folder, clock: realClock, random: realRandom });

async function keys(prefix = ''): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(prefix)) found.push(key);
  return found;
}

function start(...args: string[]): { process: ChildProcess; lines: Interface } {
  const started = spawn(process.execPath, [child, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  return { process: started, lines: createInterface({ input: started.stdout! }) };
}

test('two processes that race for 300 names win each name exactly once between them', async () => {
  const children = [start('race', folder, '300'), start('race', folder, '300')];
  await Promise.all(children.map(({ lines }) => once(lines, 'line')));
  const results = children.map(async ({ process, lines }) => {
    const line = once(lines, 'line');
    process.stdin!.end('go\n');
    return JSON.parse((await line)[0] as string) as { pid: number; won: number[] };
  });
  const [first, second] = (await Promise.all(results)) as [{ pid: number; won: number[] }, { pid: number; won: number[] }];
  expect([...first.won, ...second.won].sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i));
  for (const { pid, won } of [first, second]) {
    for (const i of won) expect((await store.get(`race/${i}`)).body.toString()).toBe(String(pid));
  }
});

test('a process killed in the middle of puts leaves whole objects, every acknowledged one, and nothing else', async () => {
  const bytes = 20_000;
  for (const acknowledgedMin of [5, 60, 150]) {
    const { process: killed, lines } = start('load', folder, String(bytes));
    const acknowledged: number[] = [];
    lines.on('line', (line) => {
      acknowledged.push(Number(line));
      if (acknowledged.length === acknowledgedMin) killed.kill('SIGKILL');
    });
    await once(killed, 'exit');
    const found = await keys();
    for (const key of found) {
      const i = Number(key.slice('load/'.length));
      expect((await store.get(key)).body.equals(Buffer.alloc(bytes, `${i}.`))).toBe(true);
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(acknowledgedMin);
    expect(acknowledged.filter((i) => !found.includes(`load/${i}`))).toEqual([]);
    await store.deleteMany(found);
  }
});

test('temporary files are no objects, and an open removes those that are an hour old', async () => {
  await store.put('a/b', Buffer.from('x'));
  const [old, fresh] = [join(folder, '.tmp', 'old'), join(folder, '.tmp', 'fresh')];
  for (const path of [old, fresh]) await writeFile(path, 'half');
  await utimes(old, new Date(), new Date(Date.now() - 3_700_000));
  await open();
  expect(await readdir(join(folder, '.tmp'))).toEqual(['fresh']);
  expect(await keys()).toEqual(['a/b']);
  expect(await keys('.tmp/')).toEqual([]);
  await expect(store.get('.tmp/fresh')).rejects.toMatchObject({ code: 'refused' });
});

test('puts leave no temporary file behind', async () => {
  for (let i = 0; i < 3; i++) await store.putIfAbsent('once', Buffer.from('x'));
  await store.put('twice', Buffer.from('x'));
  await store.copy('twice', 'thrice');
  await store.copy('nothing', 'nowhere').catch(() => {});
  await store[Symbol.asyncDispose]();
  expect(await readdir(join(folder, '.tmp'))).toEqual([]);
});

test('a file put there by hand is an object, what is no regular file is none', async () => {
  await mkdir(join(folder, 'inbound', 'me@localhost'), { recursive: true });
  await writeFile(join(folder, 'inbound', 'me@localhost', 'Hello there.eml'), 'Subject: hello\r\n\r\n');
  await symlink('/etc/hostname', join(folder, 'inbound', 'link'));
  expect(await keys('inbound/')).toEqual(['inbound/me@localhost/Hello there.eml']);
  const { mtimeMs } = await stat(join(folder, 'inbound', 'me@localhost', 'Hello there.eml'));
  expect((await store.head('inbound/me@localhost/Hello there.eml'))?.lastModified).toBe(Math.floor(mtimeMs));
});

test('a folder that somebody removed is made anew by the next put', async () => {
  await store.put('a/b/c', Buffer.from('x'));
  await rm(join(folder, 'a'), { recursive: true });
  await store.putIfAbsent('a/b/d', Buffer.from('y'));
  expect(await keys()).toEqual(['a/b/d']);
});

test('a name below an object, and a segment too long for the file system, are refused in a sentence', async () => {
  await store.put('a', Buffer.from('x'));
  await expect(store.put('a/b', Buffer.from('x'))).rejects.toMatchObject({ code: 'refused', message: /another object/ });
  await expect(store.put('x'.repeat(300), Buffer.from('x'))).rejects.toMatchObject({
    code: 'refused',
    message: /longer than the file system/,
  });
});

test('many puts into many folders at once are all there', async () => {
  const names = Array.from({ length: 400 }, (_, i) => `f${i % 7}/g${i % 3}/${i}`);
  const outcomes = await Promise.all(names.map((name) => store.putIfAbsent(name, Buffer.from(name))));
  expect(outcomes.every(({ outcome }) => outcome === 'created')).toBe(true);
  expect((await keys()).sort()).toEqual(names.toSorted());
});

test('a writer thread that ends leaves its writes with an unknown outcome, and the next write has another thread', async () => {
  const program = `
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ id, path }) => path === '/end' ? process.exit(3) : parentPort.postMessage([{ id, outcome: 'created' }]));`;
  await using writer = new FileWriter(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
  const write = (path: string) => writer.write({ kind: 'create', path, temporary: '/t', body: Buffer.from('x') });
  await expect(write('/end')).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('may have been written') });
  await expect(write('/stay')).resolves.toBe('created');
});

// As a full disk or too many open files do: nobody needs to wait for the outcome.
test.each([20, 2_000_000])(
  'a file of %i bytes that could not be written anywhere is told from one that may have its name',
  async (bytes) => {
    await rename(join(folder, '.tmp'), join(folder, '.away'));
    await expect(store.putIfAbsent('a', Buffer.alloc(bytes))).rejects.toBeInstanceOf(UnreachedError);
    await rename(join(folder, '.away'), join(folder, '.tmp'));
    await expect(store.putIfAbsent('a', Buffer.alloc(bytes))).resolves.toMatchObject({ outcome: 'created' });
  },
);
