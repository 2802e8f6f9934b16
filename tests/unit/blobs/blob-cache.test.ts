import { expect, test } from 'vitest';
import { MemoryBlobCache } from '../../../storage/blobs/blob-cache.ts';
import { blobCacheUnreadMax } from '../../../storage/blobs/limits.ts';

const bytes = (length: number) => Buffer.from(new ArrayBuffer(length));
const read = (cache: MemoryBlobCache, name: string, length = 100) => cache.read(name, async () => bytes(length));

test('what was used last is kept, up to the bytes that there are', async () => {
  const cache = new MemoryBlobCache({ bytesMax: 1_000 });
  for (let i = 0; i < 10; i++) await read(cache, `read${i}`);
  cache.peek('read0');
  await read(cache, 'another');
  expect(cache.bytes).toBe(1_000);
  expect(cache.peek('read0')).toBeDefined();
  expect(cache.peek('read1')).toBeUndefined();
});

test('a spike of new mail drives out none of what clients read', async () => {
  const cache = new MemoryBlobCache({ bytesMax: 1_000 });
  for (let i = 0; i < 7; i++) await read(cache, `read${i}`);
  for (let i = 0; i < 1_000; i++) cache.keep(`new${i}`, bytes(50));
  for (let i = 0; i < 7; i++) expect(cache.peek(`read${i}`), `read${i}`).toBeDefined();
  expect(cache.bytes).toBe(950);
  expect(cache.peek('new994')).toBeUndefined();
  expect(cache.peek('new995')).toBeDefined();
});

test('of what was written and not read, no more than clients wait for are kept, however small', () => {
  const cache = new MemoryBlobCache({ bytesMax: 1_000_000 });
  for (let i = 0; i < 1_000; i++) cache.keep(`new${i}`, bytes(50));
  expect(cache.bytes).toBe(50 * blobCacheUnreadMax);
  expect(cache.peek(`new${999 - blobCacheUnreadMax}`)).toBeUndefined();
  expect(cache.peek(`new${1_000 - blobCacheUnreadMax}`)).toBeDefined();
});

test('what was written and then read stays as what was read', async () => {
  const cache = new MemoryBlobCache({ bytesMax: 1_000 });
  cache.keep('wanted', bytes(200));
  expect(await cache.read('wanted', () => Promise.reject(new Error('asked')))).toHaveLength(200);
  for (let i = 0; i < 100; i++) cache.keep(`new${i}`, bytes(100));
  expect(cache.peek('wanted')).toBeDefined();
  expect(cache.bytes).toBe(400);
});

test('what is written again counts once, and what is too large not at all', async () => {
  const cache = new MemoryBlobCache({ bytesMax: 1_000 });
  cache.keep('same', bytes(100));
  await read(cache, 'same');
  cache.keep('same', bytes(120));
  expect(cache.bytes).toBe(120);
  cache.keep('large', bytes(251));
  await read(cache, 'large', 251);
  expect(cache.bytes).toBe(120);
  for (let i = 0; i < 20; i++) await read(cache, `read${i}`);
  expect(cache.bytes).toBeLessThanOrEqual(1_000);
});
