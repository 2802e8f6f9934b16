/** What a listing by pages costs the file store, counted in readings of folders, and what it sees of files that come and go meanwhile. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type FileStore, openFileStore } from '../../storage/objects/file.ts';
import type { ListPage } from '../../storage/objects/object-store.ts';
import { realClock, realRandom } from '../support/faulty-random.ts';

const reads = vi.hoisted(() => ({ paths: [] as string[] }));
vi.mock('../../storage/objects/file-system.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../storage/objects/file-system.ts')>();
  const readdir = (path: string, ...rest: never[]) => {
    reads.paths.push(path);
    return original.readdir(path, ...rest);
  };
  return { ...original, readdir };
});

let folder: string;
let store: FileStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'satchel-file-listing-'));
  store = await openFileStore({ path: folder, clock: realClock, random: realRandom });
  await mkdir(join(folder, 'inbound'));
  await Promise.all(names(0, 95).map((name) => writeFile(join(folder, name), 'x')));
  reads.paths = [];
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const name = (number: number) => `inbound/${String(number).padStart(3, '0')}`;
const names = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => name(from + index));

/** All keys by pages of ten; `between` is run after each page. */
async function byPages(between: (page: ListPage) => Promise<void> = async () => {}): Promise<string[]> {
  const found: string[] = [];
  let page: ListPage | undefined;
  do {
    page = await store.listPage('inbound/', { limit: 10, startAfter: page?.next, pageBefore: page });
    found.push(...page.objects.map(({ key }) => key));
    await between(page);
  } while (page.next !== undefined);
  return found;
}

test('ten pages read their folder once, though each is removed before the next is asked for', async () => {
  expect(await byPages(({ objects }) => store.deleteMany(objects.map(({ key }) => key)))).toEqual(names(0, 95));
  expect(reads.paths).toEqual([`${folder}/inbound/`]);
});

test('what was removed since is not listed, what has stayed is, each once', async () => {
  const removed = [...names(10, 30), name(94)];
  expect(await byPages(() => store.deleteMany(removed))).toEqual([...names(0, 10), ...names(30, 94)]);
});

test('a name alone to go on from reads the folder anew, and sees what has come', async () => {
  const page = await store.listPage('inbound/', { limit: 10 });
  await store.put(`${name(50)}-new`, Buffer.from('x'));
  const next = async (pageBefore?: ListPage) =>
    (await store.listPage('inbound/', { startAfter: page.next, pageBefore })).objects.map(({ key }) => key);
  expect(await next()).toContain(`${name(50)}-new`);
  // A page goes on once: whoever asks again gets a whole answer, not the end of another's.
  expect(await next(page)).toEqual(names(10, 95));
  expect(await next(page)).toEqual(await next());
  expect(reads.paths).toHaveLength(4);
});

test('a page of another prefix or another place is no page before', async () => {
  const page = await store.listPage('inbound/', { limit: 10 });
  const keys = async (prefix: string, startAfter: string) =>
    (await store.listPage(prefix, { startAfter, pageBefore: page })).objects.map(({ key }) => key);
  expect(await keys('inbound/09', page.next!)).toEqual(names(90, 95));
  expect(await keys('inbound/', name(80))).toEqual(names(81, 95));
});
