import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MemoryBlobCache } from '../../../storage/blobs/blob-cache.ts';
import { BlobStore } from '../../../storage/blobs/blob-store.ts';
import { blobPieceBytes } from '../../../storage/blobs/limits.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { StoreMeter } from '../../../storage/objects/metered.ts';
import { accountPrefix } from '../../../storage/objects/object-keys.ts';

const clock = { now: () => 1_700_000_000_000, monotonic: () => 0 };

function setUp(options: { cacheBytesMax?: number; accountId?: string; memory?: MemoryStore } = {}) {
  const memory = options.memory ?? new MemoryStore({ clock });
  const meter = new StoreMeter({ clock });
  let serial = 0;
  const random = { hex: (count: number) => (++serial).toString(16).padStart(count * 2, '0') };
  const cache = new MemoryBlobCache({ bytesMax: options.cacheBytesMax ?? 64 << 20 });
  const accountId = options.accountId ?? 'acc1';
  const blobs = new BlobStore({ store: meter.of(memory, 'test'), accountId, clock, random, cache });
  const requests = () => Object.fromEntries(meter.snapshot().rows.map(({ operation, requests }) => [operation, requests]));
  return { memory, blobs, cache, requests, prefix: accountPrefix(accountId) };
}

const pattern = (length: number) => Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff));

describe('BlobStore', () => {
  test('an upload that took long counts from its beginning, whichever clock says so', async () => {
    const memory = new MemoryStore({ clock });
    const time = { wall: clock.now(), monotonic: 0 };
    const cache = new MemoryBlobCache({ bytesMax: 0 });
    const store = Object.assign(Object.create(memory), {
      put: async (key: string, bytes: Uint8Array) => {
        const receipt = await memory.put(key, bytes);
        time.monotonic += 5_000;
        time.wall += 86_400_000;
        return receipt;
      },
    });
    const blobs = new BlobStore({
      store,
      accountId: 'acc1',
      clock: { now: () => time.wall, monotonic: () => time.monotonic },
      random: { hex: () => '00112233' },
      cache,
    });
    expect((await blobs.put(Buffer.from('x'))).date).toBe(clock.now() - 86_400_000);
  });

  test('the same bytes uploaded twice are two objects, each under its own name', async () => {
    const { blobs, memory, prefix } = setUp();
    const first = await blobs.put(Buffer.from('From: a\r\n\r\nhello'));
    const second = await blobs.put(Buffer.from('From: a\r\n\r\nhello'));
    expect(first.ref.sha256).toBe(second.ref.sha256);
    expect(first.ref.object).not.toBe(second.ref.object);
    expect(first.ref).toMatchObject({ offset: 0, length: 16 });
    expect(first.date).toBe(clock.now());
    expect((await memory.get(prefix + first.ref.object)).body.toString()).toBe('From: a\r\n\r\nhello');
  });

  test('what was put a moment ago is read without asking the store', async () => {
    const { blobs, requests } = setUp();
    const { ref } = await blobs.put(Buffer.from('hello'));
    expect((await blobs.get(ref)).toString()).toBe('hello');
    expect(requests()).toEqual({ put: 1 });
  });

  test('concurrent reads of one blob are one request', async () => {
    const { memory, blobs } = setUp();
    const { ref } = await blobs.put(Buffer.from('hello'));
    const reader = setUp({ memory });
    const read = await Promise.all([reader.blobs.get(ref), reader.blobs.get(ref), reader.blobs.getRange(ref, 1, 3)]);
    expect(read.map(String)).toEqual(['hello', 'hello', 'ell']);
    expect(reader.requests()).toEqual({ get: 1 });
  });

  test('a failed read is not remembered', async () => {
    const { memory, blobs, prefix } = setUp({ cacheBytesMax: 0 });
    const { ref } = await blobs.put(Buffer.from('hello'));
    const { body } = await memory.get(prefix + ref.object);
    await memory.deleteMany([prefix + ref.object]);
    await expect(blobs.get(ref)).rejects.toMatchObject({ code: 'missing' });
    await memory.put(prefix + ref.object, body);
    expect((await blobs.get(ref)).toString()).toBe('hello');
  });

  test.each([
    ['another byte', 'hellO'],
    ['a byte less', 'hell'],
    ['a byte more', 'hello!'],
  ])('a blob that has %s is corrupt, and named', async (_, stored) => {
    const { memory, blobs, prefix } = setUp({ cacheBytesMax: 0 });
    const { ref } = await blobs.put(Buffer.from('hello'));
    await memory.put(prefix + ref.object, Buffer.from(stored));
    await expect(blobs.get(ref)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(ref.object) });
    await expect(blobs.getRange(ref, 0, 1)).rejects.toMatchObject({ code: 'corrupt' });
  });

  test.each([
    ['a name outside raw/', 'part/x'],
    ['a way out of the account', '../../other/raw/x'],
    ['a name that is not a hash', 'raw/hello'],
  ])('a reference with %s is corrupt', async (_, object) => {
    const { blobs } = setUp();
    expect(() => blobs.keyOf({ object, offset: 0, length: 1, sha256: '' })).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });

  test('a blob packed into a larger object is read and verified by its range', async () => {
    const { memory, blobs, prefix, requests } = setUp();
    const pack = Buffer.from('first|second|third');
    const object = `raw/${hash('sha256', pack)}-0123456789abcdef`;
    await memory.put(prefix + object, pack);
    const ref = { object, offset: 6, length: 6, sha256: hash('sha256', 'second') };
    expect((await blobs.get(ref)).toString()).toBe('second');
    expect((await blobs.getRange(ref, 3, 100)).toString()).toBe('ond');
    expect(requests()).toEqual({ getRange: 1 });
    await expect(blobs.get({ ...ref, offset: 5 })).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('ranges of a small blob are one request, and any range is right', async () => {
    const { memory, blobs } = setUp();
    const bytes = pattern(1000);
    const { ref } = await blobs.put(bytes);
    const reader = setUp({ memory });
    for (const [offset, length] of [
      [0, 10],
      [990, 10],
      [990, 100],
      [1000, 5],
      [2000, 5],
      [0, 0],
      [0, 1000],
      [1, 998],
    ] as const) {
      expect(
        (await reader.blobs.getRange(ref, offset, length)).equals(bytes.subarray(offset, offset + length)),
        `${offset}+${length}`,
      ).toBe(true);
    }
    expect(reader.requests()).toEqual({ get: 1 });
  });

  test('a large blob read in small pieces costs one request per 4 MiB', async () => {
    const { memory, blobs } = setUp();
    const bytes = pattern(2.5 * blobPieceBytes);
    const { ref } = await blobs.put(bytes);
    const reader = setUp({ memory, cacheBytesMax: 64 << 20 });
    const step = 65_536;
    const read: Buffer[] = [];
    for (let offset = 0; offset < bytes.length; offset += step) read.push(await reader.blobs.getRange(ref, offset, step));
    expect(Buffer.concat(read).equals(bytes)).toBe(true);
    expect(reader.requests()).toEqual({ getRange: 3 });
    const across = await reader.blobs.getRange(ref, blobPieceBytes - 7, blobPieceBytes + 20);
    expect(across.equals(bytes.subarray(blobPieceBytes - 7, 2 * blobPieceBytes + 13))).toBe(true);
  });

  test('a large blob that ends early is corrupt where it ends', async () => {
    const { memory, blobs, prefix } = setUp({ cacheBytesMax: 0 });
    const bytes = pattern(2 * blobPieceBytes);
    const { ref } = await blobs.put(bytes);
    await memory.put(prefix + ref.object, bytes.subarray(0, blobPieceBytes + 5));
    expect((await blobs.getRange(ref, 0, 4)).equals(bytes.subarray(0, 4))).toBe(true);
    await expect(blobs.getRange(ref, blobPieceBytes, 4)).rejects.toMatchObject({ code: 'corrupt' });
  });

  test('an inbound object is taken over by a copy in the store', async () => {
    const { memory, blobs, prefix, requests } = setUp();
    await memory.put('inbound/m1', Buffer.from('raw mail'));
    const { ref } = await blobs.copyFrom('inbound/m1', hash('sha256', 'raw mail'), 8);
    expect(requests()).toEqual({ copy: 1, head: 1 });
    expect((await memory.get(prefix + ref.object)).body.toString()).toBe('raw mail');
    expect((await blobs.get(ref)).toString()).toBe('raw mail');
  });

  test('an inbound object that was replaced after it was hashed is a conflict', async () => {
    const { memory, blobs } = setUp();
    await memory.put('inbound/m1', Buffer.from('raw mail, longer'));
    await expect(blobs.copyFrom('inbound/m1', hash('sha256', 'raw mail'), 8)).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('MemoryBlobCache', () => {
  const fetchOf = (text: string) => async () => Buffer.from(text);

  test('one entry may not take more than a quarter', async () => {
    const cache = new MemoryBlobCache({ bytesMax: 40 });
    expect((await cache.read('big', fetchOf('x'.repeat(11)))).length).toBe(11);
    expect(cache.peek('big')).toBeUndefined();
    expect(cache.bytes).toBe(0);
  });

  test('keeping a name again replaces what it had', () => {
    const cache = new MemoryBlobCache({ bytesMax: 100 });
    cache.keep('a', Buffer.from(new Uint8Array(10).buffer));
    cache.keep('a', Buffer.from(new Uint8Array(20).buffer));
    expect(cache.bytes).toBe(20);
  });

  test('a short view does not keep the large allocation behind it', () => {
    const cache = new MemoryBlobCache({ bytesMax: 1000 });
    cache.keep('a', Buffer.alloc(100_000).subarray(0, 10));
    expect(cache.peek('a')!.buffer.byteLength).toBe(10);
    expect(cache.bytes).toBe(10);
  });
});
