/** The start-up probe against real servers that ignore conditions, and against stores with one broken promise each. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFauxqs } from 'fauxqs';
import { expect, test } from 'vitest';
import { MemoryStore } from '../../storage/objects/memory.ts';
import type { ListOptions, ObjectStore } from '../../storage/objects/object-store.ts';
import { probeStore } from '../../storage/objects/probe.ts';
import { S3Store } from '../../storage/objects/s3.ts';
import { FaultyStore } from '../support/faulty.ts';
import { realClock, realRandom, seededRandom } from '../support/faulty-random.ts';

interface S3rver {
  run(): Promise<{ port: number }>;
  close(): Promise<void>;
}
const S3rver = createRequire(import.meta.url)('s3rver') as new (options: object) => S3rver;

test('fauxqs, whose S3 ignores conditions, is refused', async () => {
  const server = await startFauxqs({ port: 0, host: '127.0.0.1', logger: false, init: { buckets: ['mail'] } });
  const endpoint = `http://127.0.0.1:${server.port}`;
  await using store = new S3Store({ bucket: 'mail', endpoint, credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, clock: realClock });
  try {
    await expect(probeStore(store, realRandom)).rejects.toMatchObject({ code: 'refused', message: /"create-if-absent"/ });
  } finally {
    await server.stop();
  }
});

test('s3rver, which ignores conditions, is refused', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'satchel-s3rver-'));
  const server = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory, configureBuckets: [{ name: 'mail' }] });
  const { port } = await server.run();
  const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
  await using store = new S3Store({ bucket: 'mail', endpoint: `http://127.0.0.1:${port}`, credentials, clock: realClock });
  try {
    await expect(probeStore(store, realRandom)).rejects.toMatchObject({ code: 'refused', message: /"create-if-absent"/ });
  } finally {
    await server.close();
    await rm(directory, { recursive: true });
  }
});

/** A memory store with some of its operations replaced. */
function broken(change: (store: MemoryStore) => Partial<ObjectStore>): ObjectStore {
  const store = new MemoryStore({ clock: realClock });
  return Object.assign(store, change(store));
}

test.each<[check: string, promise: string, store: () => ObjectStore]>([
  [
    'create-if-absent',
    'says "exists" but writes all the same',
    () => {
      let isFirst = true;
      return broken((store) => ({
        putIfAbsent: async (key, body) => {
          const outcome = isFirst ? 'created' : 'exists';
          isFirst = false;
          return { outcome, ...(await store.put(key, body)) };
        },
      }));
    },
  ],
  [
    'race',
    'looks before it writes, with a gap in between',
    () =>
      broken((store) => ({
        putIfAbsent: async (key, body) => {
          if ((await store.head(key)) !== undefined) return { outcome: 'exists', date: 0 };
          await new Promise(setImmediate);
          return { outcome: 'created', ...(await store.put(key, body)) };
        },
      })),
  ],
  ['read-after-write', 'drops every other put', () => dropsSome((count) => count % 2 === 0)],
  [
    'ranged-read',
    'sends the whole object for a range',
    () => broken((store) => ({ getRange: async (key) => (await store.get(key)).body })),
  ],
  [
    'list-after-write',
    'starts each page at the beginning',
    () =>
      broken((store) => {
        const listPage = store.listPage.bind(store);
        return { listPage: (prefix: string, options?: ListOptions) => listPage(prefix, { limit: options?.limit }) };
      }),
  ],
  ['copy', 'copies nothing', () => broken((store) => ({ copy: async (_from, to) => store.put(to, Buffer.alloc(0)) }))],
  ['delete', 'keeps what is removed', () => broken(() => ({ deleteMany: async () => {} }))],
])('the check %s finds a store that %s', async (check, _promise, open) => {
  const refusal = { code: 'refused', message: expect.stringContaining(`"${check}"`) };
  await expect(probeStore(open(), realRandom)).rejects.toMatchObject(refusal);
});

function dropsSome(isDropped: (count: number) => boolean): ObjectStore {
  let count = 0;
  return broken((store) => {
    const put = store.put.bind(store);
    return { put: async (key: string, body: Uint8Array) => (isDropped(++count) ? { date: 0 } : put(key, body)) };
  });
}

test('a store that cannot be reached is unavailable, not refused', async () => {
  const store = new FaultyStore(new MemoryStore({ clock: realClock }), { clock: realClock, random: seededRandom(1) });
  store.next('list', 'unavailable');
  await expect(probeStore(store, realRandom)).rejects.toMatchObject({ code: 'unavailable' });
});

test('a racer that is told to try again does not fail the race', async () => {
  const store = new FaultyStore(new MemoryStore({ clock: realClock }), { clock: realClock, random: seededRandom(1) });
  for (const fault of ['lostReply', 'unavailable', 'unavailable'] as const) store.next('putIfAbsent', fault, '/race');
  await probeStore(store, realRandom);
});
