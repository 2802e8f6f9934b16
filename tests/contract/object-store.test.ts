/** What every ObjectStore promises. A driver or wrapper that passes may carry mail. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFileStore } from '../../storage/objects/file.ts';
import { MemoryStore } from '../../storage/objects/memory.ts';
import { StoreMeter } from '../../storage/objects/metered.ts';
import { compareKeys, type ObjectInfo, type ObjectStore } from '../../storage/objects/object-store.ts';
import { probeStore } from '../../storage/objects/probe.ts';
import { RetryingStore } from '../../storage/objects/retrying.ts';
import { S3Store } from '../../storage/objects/s3.ts';
import { realClock, realRandom } from '../support/faulty-random.ts';
import { startStrictS3 } from '../support/s3/strict-s3.ts';

interface Subject extends AsyncDisposable {
  readonly store: ObjectStore;
}

const clock = realClock;
const endpoint = process.env['S3_ENDPOINT'];
const bucket = process.env['S3_BUCKET'];
const whyNoEndpoint = endpoint && bucket ? '' : ' (skipped: S3_ENDPOINT and S3_BUCKET name no store to try)';

const subjects: readonly [name: string, open: () => Promise<Subject>, isSkipped?: boolean][] = [
  ['memory', async () => subject(new MemoryStore({ clock }))],
  ['file', openFile],
  ['s3 on the strict server', openStrict],
  ['memory, retrying and metered', async () => subject(wrapped(new MemoryStore({ clock })))],
  [
    'file, retrying and metered',
    async () => {
      const file = await openFile();
      return { store: wrapped(file.store), [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() };
    },
  ],
  [`the endpoint of the environment${whyNoEndpoint}`, openEnvironment, whyNoEndpoint !== ''],
];

function subject(store: ObjectStore): Subject {
  return { store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

function wrapped(store: ObjectStore): ObjectStore {
  return new RetryingStore(new StoreMeter({ clock }).of(store, 'contract'), { clock, random: realRandom });
}

async function openFile(): Promise<Subject> {
  const folder = await mkdtemp(join(tmpdir(), 'satchel-contract-'));
  const store = await openFileStore({ path: folder, clock, random: realRandom });
  return {
    store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

async function openStrict(): Promise<Subject> {
  const server = await startStrictS3();
  const store = new S3Store({
    bucket: server.bucket,
    endpoint: server.endpoint,
    credentials: server.credentials,
    prefix: 'some/where/',
    clock,
  });
  return {
    store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function openEnvironment(): Promise<Subject> {
  const region = process.env['AWS_REGION'] ?? 'us-east-1';
  return subject(new S3Store({ bucket: bucket!, endpoint, region, forcePathStyle: true, prefix: `contract-${realRandom.hex(4)}/`, clock }));
}

describe.each(subjects)('%s', (_name, open, isSkipped = false) => {
  let subject: Subject;
  let store: ObjectStore;
  let count = 0;
  /** A folder of names that no other test uses. */
  const folder = () => `t${count++}/`;
  const text = async (key: string) => (await store.get(key)).body.toString();

  describe.skipIf(isSkipped)('keeps the contract', () => {
    beforeAll(async () => {
      subject = await open();
      store = subject.store;
    });
    afterAll(async () => {
      const left: string[] = [];
      for await (const { key } of store.list('')) left.push(key);
      await store.deleteMany(left);
      await subject[Symbol.asyncDispose]();
    });

    test.each([0, 1, 1000, 70_000, 5_000_000])('%i bytes are read as they were written', async (size) => {
      const key = `${folder()}bytes`;
      const body = Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 31) ^ (i >> 8)));
      await store.put(key, body);
      const got = await store.get(key);
      expect(got.body.equals(body)).toBe(true);
      expect(await store.head(key)).toMatchObject({ key, size });
    });

    test('a put replaces what was there', async () => {
      const key = `${folder()}replaced`;
      await store.put(key, Buffer.from('a longer first body'));
      await store.put(key, Buffer.from('second'));
      expect(await text(key)).toBe('second');
      expect((await store.head(key))?.size).toBe(6);
    });

    test('times are the store’s, near ours here, and whole-second resolution is the coarsest', async () => {
      const key = `${folder()}dated`;
      const before = Date.now();
      const { date } = await store.put(key, Buffer.from('x'));
      const got = await store.get(key);
      for (const time of [date, got.date, got.lastModified, (await store.head(key))!.lastModified, (await store.listPage(key)).date]) {
        expect(time).toBeGreaterThan(before - 2_000);
        expect(time).toBeLessThan(Date.now() + 2_000);
      }
    });

    test('only the first putIfAbsent creates, and the second leaves it alone', async () => {
      const key = `${folder()}once`;
      expect(await store.putIfAbsent(key, Buffer.from('first'))).toMatchObject({ outcome: 'created' });
      const second = await store.putIfAbsent(key, Buffer.from('second'));
      expect(second.outcome).toBe('exists');
      expect(Math.abs(second.date - Date.now())).toBeLessThan(2_000);
      expect(await text(key)).toBe('first');
      await store.deleteMany([key]);
      expect(await store.putIfAbsent(key, Buffer.from('third'))).toMatchObject({ outcome: 'created' });
    });

    test('of 50 writers that race for a name exactly one creates it, and its bytes are kept', async () => {
      const race = folder();
      for (let round = 0; round < 5; round++) {
        const key = `${race}${round}`;
        const receipts = await Promise.all(Array.from({ length: 50 }, (_, i) => store.putIfAbsent(key, Buffer.from(`racer ${i}`))));
        const winners = receipts.flatMap(({ outcome }, i) => (outcome === 'created' ? [i] : []));
        expect(winners).toHaveLength(1);
        expect(await text(key)).toBe(`racer ${winners[0]}`);
      }
    });

    test('what is absent is missing to readers and nothing to deleteMany', async () => {
      const key = `${folder()}absent`;
      await expect(store.get(key)).rejects.toMatchObject({ code: 'missing' });
      await expect(store.getRange(key, 0, 10)).rejects.toMatchObject({ code: 'missing' });
      await expect(store.copy(key, `${key}-2`)).rejects.toMatchObject({ code: 'missing' });
      expect(await store.head(key)).toBeUndefined();
      await store.deleteMany([key]);
      await store.deleteMany([]);
    });

    test('a folder of names is not an object', async () => {
      const parent = folder();
      await store.put(`${parent}a/b`, Buffer.from('x'));
      expect(await store.head(`${parent}a`)).toBeUndefined();
      await expect(store.get(`${parent}a`)).rejects.toMatchObject({ code: 'missing' });
    });

    test.each([
      [0, 10, '0123456789'],
      [0, 1, '0'],
      [3, 4, '3456'],
      [9, 1, '9'],
      [8, 100, '89'],
      [10, 1, ''],
      [50, 5, ''],
      [4, 0, ''],
    ])('bytes from %i, %i of them, of ten are %j', async (offset, length, want) => {
      const key = 'ranges/ten';
      await store.put(key, Buffer.from('0123456789'));
      expect((await store.getRange(key, offset, length)).toString()).toBe(want);
    });

    test('a range of an empty object is empty, and a nonsensical range is an error', async () => {
      const key = `${folder()}empty`;
      await store.put(key, Buffer.alloc(0));
      expect(await store.getRange(key, 0, 5)).toHaveLength(0);
      await expect(store.getRange(key, -1, 5)).rejects.toThrow(RangeError);
      await expect(store.getRange(key, 0, 1.5)).rejects.toThrow(RangeError);
    });

    test('names are listed in order of their UTF-8 bytes, folders among files', async () => {
      const parent = folder();
      const names = ['a', 'a-b', 'a0', 'B', 'b/c/d', 'b.', 'b/c-', 'b/c0', 'é', '\u{ff5e}', '\u{1f600}', '\u{e000}'];
      const keys = names.map((name) => parent + name);
      for (const key of keys) await store.put(key, Buffer.from('x'));
      const want = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(keys.toSorted(compareKeys)).toEqual(want);
      expect(await listed(store, parent)).toEqual(want);
      for (const [i, startAfter] of want.entries()) {
        const page = await store.listPage(parent, { startAfter });
        expect(page.objects.map(({ key }) => key)).toEqual(want.slice(i + 1));
      }
    });

    test('a prefix may end in the middle of a segment, and startAfter need not exist', async () => {
      const parent = folder();
      for (const name of ['ab/1', 'abc', 'abd/2/3', 'ac', 'b']) await store.put(parent + name, Buffer.from(name));
      const names = async (prefix: string, startAfter?: string) => {
        const page = await store.listPage(parent + prefix, { startAfter: startAfter && parent + startAfter });
        return page.objects.map(({ key }) => key.slice(parent.length));
      };
      expect(await names('ab')).toEqual(['ab/1', 'abc', 'abd/2/3']);
      expect(await names('ab/')).toEqual(['ab/1']);
      expect(await names('', 'abb')).toEqual(['abc', 'abd/2/3', 'ac', 'b']);
      expect(await names('', 'abd/')).toEqual(['abd/2/3', 'ac', 'b']);
      expect(await names('', 'abd/2/4')).toEqual(['ac', 'b']);
      expect(await names('ac', 'aa')).toEqual(['ac']);
      expect(await names('aa', 'b')).toEqual([]);
      expect(await names('zz')).toEqual([]);
    });

    test('2,100 names come in pages of at most 1,000, each once, and go in one deleteMany', async () => {
      const parent = folder();
      const keys = Array.from({ length: 2100 }, (_, i) => `${parent}${String(i).padStart(5, '0')}`);
      await inFlight(32, keys, (key) => store.put(key, Buffer.from(key)));
      const sizes: number[] = [];
      const got: string[] = [];
      let startAfter: string | undefined;
      do {
        const page = await store.listPage(parent, { startAfter });
        sizes.push(page.objects.length);
        got.push(...page.objects.map(({ key }) => key));
        startAfter = page.next;
      } while (startAfter !== undefined);
      expect(sizes).toEqual([1000, 1000, 100]);
      expect(got).toEqual(keys);
      expect(await listed(store, parent)).toEqual(keys);
      expect(await listed(store, parent, { startAfter: keys[499], limit: 1200 })).toEqual(keys.slice(500, 1700));
      expect((await store.listPage(parent, { startAfter: keys[9], limit: 3 })).next).toBe(keys[12]);
      expect((await store.listPage(parent, { startAfter: keys[2096], limit: 3 })).next).toBeUndefined();
      await store.deleteMany(keys);
      expect(await listed(store, parent)).toEqual([]);
    });

    test('what was just written is in the next listing', async () => {
      const parent = folder();
      for (let i = 0; i < 30; i++) {
        await store.putIfAbsent(`${parent}${i + 10}`, Buffer.from('x'));
        expect((await store.listPage(parent)).objects).toHaveLength(i + 1);
      }
    });

    test('a copy is its own object, with its own time, and replaces what was there', async () => {
      const parent = folder();
      await store.put(`${parent}from`, Buffer.from('original'));
      await store.put(`${parent}to`, Buffer.from('something else'));
      const { date } = await store.copy(`${parent}from`, `${parent}to`);
      expect(Math.abs(date - Date.now())).toBeLessThan(2_000);
      await store.put(`${parent}from`, Buffer.from('changed'));
      expect(await text(`${parent}to`)).toBe('original');
      const [from, to] = [await store.head(`${parent}from`), await store.head(`${parent}to`)];
      expect(Math.abs(from!.lastModified - to!.lastModified)).toBeLessThan(2_000);
    });

    test.each([
      'with space and + plus',
      '100%25 & <tag> "quoted" \'too\'',
      'semi;colon,comma:colon@at=equals$dollar!(parens)*~',
      'question?mark#hash[brackets]{braces}|^`\\',
      'Grüße/日本語/😀',
      'line\nbreak\tand tab',
      'me@example.com/a.eml',
      'x'.repeat(200),
    ])('the name %j works in every operation', async (name) => {
      const parent = folder();
      const key = parent + name;
      expect((await store.putIfAbsent(key, Buffer.from('body'))).outcome).toBe('created');
      expect((await store.putIfAbsent(key, Buffer.from('other'))).outcome).toBe('exists');
      expect(await text(key)).toBe('body');
      expect((await store.head(key))?.key).toBe(key);
      expect(await listed(store, parent)).toEqual([key]);
      expect(await listed(store, Array.from(key).slice(0, -1).join(''))).toEqual([key]);
      await store.copy(key, `${key}2`);
      expect((await store.listPage(parent, { startAfter: key })).objects.map((one) => one.key)).toEqual([`${key}2`]);
      await store.deleteMany([key, `${key}2`]);
      expect(await listed(store, parent)).toEqual([]);
    });

    test.each(['', '/a', 'a/', 'a//b', '.', 'a/./b', '../a', 'a/..', 'a\0b', '\ud800', 'é'.repeat(513)])(
      'the name %j is refused',
      async (key) => {
        const refused = { code: 'refused' };
        await expect(store.get(key)).rejects.toMatchObject(refused);
        await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject(refused);
        await expect(store.putIfAbsent(key, Buffer.from('x'))).rejects.toMatchObject(refused);
        await expect(store.head(key)).rejects.toMatchObject(refused);
        await expect(store.deleteMany(['fine', key])).rejects.toMatchObject(refused);
        await expect(store.copy('fine', key)).rejects.toMatchObject(refused);
      },
    );

    test('a prefix that climbs out is refused', async () => {
      await expect(store.listPage('../')).rejects.toMatchObject({ code: 'refused' });
      await expect(listed(store, 'a/../')).rejects.toMatchObject({ code: 'refused' });
    });

    test('an aborted request rejects with the reason, and an aborted write that had not begun does not happen', async () => {
      const key = `${folder()}aborted`;
      const signal = AbortSignal.abort(new Error('the caller left'));
      await expect(store.get(key, { signal })).rejects.toThrow('the caller left');
      await expect(store.putIfAbsent(key, Buffer.from('x'), { signal })).rejects.toThrow('the caller left');
      expect(await store.head(key)).toBeUndefined();
    });

    test('bytes handed out and handed in are the caller’s to change', async () => {
      const key = `${folder()}mine`;
      const body = Buffer.from('written');
      await store.put(key, body);
      body.fill(0);
      (await store.get(key)).body.fill(0);
      expect(await text(key)).toBe('written');
    });

    test('no metadata is an empty record', async () => {
      const key = `${folder()}plain`;
      await store.put(key, Buffer.from('x'));
      expect((await store.get(key)).metadata).toEqual({});
    });

    test('the start-up probe accepts it and leaves nothing behind', async () => {
      await probeStore(store, realRandom);
      expect(await listed(store, 'cluster/')).toEqual([]);
    });
  });
});

async function listed(store: ObjectStore, prefix: string, options?: { startAfter?: string; limit?: number }): Promise<string[]> {
  const objects: ObjectInfo[] = [];
  for await (const object of store.list(prefix, options)) objects.push(object);
  return objects.map(({ key }) => key);
}

async function inFlight<T>(width: number, items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of queue) await run(item);
    }),
  );
}
