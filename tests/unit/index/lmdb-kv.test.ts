import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Kv } from '../../../storage/index/kv.ts';
import { indexMappedBytesMax } from '../../../storage/index/limits.ts';
import { LmdbEnvironment } from '../../../storage/index/lmdb-environment.ts';
import { LmdbEnvironments } from '../../../storage/index/lmdb-kv.ts';
import { MemoryKv } from '../../../storage/index/memory-kv.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { deliver, dump, openProvisioned, openTestBucket, rawMessage, testAccount } from '../../support/open-accounts.ts';

let folder: string;
let discarded: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'satchel-index-'));
  discarded = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (bootId = 'boot-1') =>
  new LmdbEnvironments({ path: folder, bootId, clock: new ManualClock(), onDiscard: (_, reason) => discarded.push(reason) });

const put = (kv: Kv, ...keys: string[]) => kv.write(keys.map((key) => [key, Buffer.from(`value of ${key}`)]));
const keysOf = (entries: Iterable<{ key: string }>) => Array.from(entries, ({ key }) => key);

describe.each(['memory', 'lmdb'])('the %s map', (kind) => {
  test('ranges in byte order, both ways, with a limit, without its neighbours', async () => {
    await using environments = open();
    const kv = kind === 'memory' ? new MemoryKv() : environments.kv('one');
    put(environments.kv('other'), 'b1');
    put(kv, 'a', 'b\x01', 'b\x80', 'b\xff\xff', 'c');
    expect(keysOf(kv.range('b', 'c'))).toEqual(['b\x01', 'b\x80', 'b\xff\xff']);
    expect(keysOf(kv.range('a', 'c', { reverse: true }))).toEqual(['b\xff\xff', 'b\x80', 'b\x01', 'a']);
    expect(keysOf(kv.range('a', 'c', { reverse: true, limit: 2 }))).toEqual(['b\xff\xff', 'b\x80']);
    expect(keysOf(kv.range('a', 'd', { limit: 2 }))).toEqual(['a', 'b\x01']);
  });

  test('shows what was written last, wherever it still is', async () => {
    const clock = new ManualClock();
    await using environments = new LmdbEnvironments({ path: folder, bootId: 'boot-1', clock });
    const kv = kind === 'memory' ? new MemoryKv() : environments.kv('one');
    put(kv, 'a', 'b', 'd', 'f');
    await clock.advance(1000);
    kv.write([
      ['a', null],
      ['b', Buffer.from('new')],
      ['c', Buffer.from('new')],
      ['g', Buffer.from('new')],
    ]);
    const shown = () => Array.from(kv.range('a', 'z'), ({ key, value }) => `${key} ${value}`);
    const want = ['b new', 'c new', 'd value of d', 'f value of f', 'g new'];
    expect(shown()).toEqual(want);
    expect(Array.from(kv.range('a', 'z', { limit: 2 }), ({ key }) => key)).toEqual(['b', 'c']);
    expect(kv.get('a')).toBeUndefined();
    expect(kv.readInto('a', { bytes: Buffer.alloc(1) })).toBe(-1);
    const into = { bytes: Buffer.alloc(1) };
    expect(kv.readInto('b', into)).toBe(3);
    expect(into.bytes.toString('utf8', 0, 3)).toBe('new');
    await clock.advance(1000);
    expect(shown()).toEqual(want);
    expect(keysOf(kv.range('a', 'z', { reverse: true }))).toEqual(['g', 'f', 'd', 'c', 'b']);
  });

  test('a value that was read stays as it was', async () => {
    await using environments = open();
    const kv = kind === 'memory' ? new MemoryKv() : environments.kv('one');
    put(kv, 'a', 'b');
    const value = kv.get('a')!;
    kv.get('b');
    kv.write([['a', Buffer.from('changed to something longer')]]);
    kv.get('a');
    expect(value.toString()).toBe('value of a');
  });

  test('a snapshot sees its moment', async () => {
    await using environments = open();
    const kv = kind === 'memory' ? new MemoryKv() : environments.kv('one');
    put(kv, 'a', 'b');
    const snapshot = kv.snapshot();
    kv.write([
      ['a', null],
      ['b', Buffer.from('new')],
      ['c', Buffer.from('new')],
    ]);
    expect(Array.from(snapshot.range('a', 'd'), ({ key, value }) => `${key} ${value}`)).toEqual(['a value of a', 'b value of b']);
    expect(snapshot.get('b')!.toString()).toBe('value of b');
    snapshot.release();
    expect(keysOf(kv.range('a', 'd'))).toEqual(['b', 'c']);
  });

  test('clearing takes this account only', async () => {
    await using environments = open();
    const kv = kind === 'memory' ? new MemoryKv() : environments.kv('one');
    const other = environments.kv('other');
    put(other, 'x');
    put(kv, 'a', 'b');
    await kv.clear();
    expect(keysOf(kv.range('', '\xff'))).toEqual([]);
    expect(keysOf(other.range('', '\xff'))).toEqual(['x']);
  });
});

describe('the environments of an index', () => {
  test('keep what was written over a clean close, also after another boot', async () => {
    await using(open(), (environments) => put(environments.kv('one'), 'a'));
    await using(open('boot-2'), (environments) => expect(keysOf(environments.kv('one').range('', '\xff'))).toEqual(['a']));
    expect(discarded).toEqual([]);
  });

  test('are thrown away when the machine went down before they were closed', async () => {
    const unclosed = open();
    put(unclosed.kv('one'), 'a');
    await using(open('boot-2'), (environments) => expect(keysOf(environments.kv('one').range('', '\xff'))).toEqual([]));
    expect(discarded).toEqual(['it was not closed before the machine went down']);
  });

  describe('when too much is mapped', () => {
    const maps = (path: string) =>
      readFileSync('/proc/self/maps', 'utf8')
        .split('\n')
        .filter((line) => line.includes(path)).length;
    const mapped = () => {
      let bytes = 0;
      const environments = new LmdbEnvironments({ path: folder, bootId: 'boot-1', clock: new ManualClock(), mappedBytes: () => bytes });
      const unmap = async () => {
        bytes += indexMappedBytesMax + 1;
        await environments.unmapExcess();
      };
      const hasMapped = (value: number) => {
        bytes = value;
      };
      return { environments, unmap, hasMapped };
    };

    test('are unmapped, and read and written as before', async () => {
      const { environments, unmap } = mapped();
      await using _ = environments;
      const kv = environments.kv('one');
      const large = Buffer.alloc(40_000, 'x');
      put(kv, 'a', 'b');
      kv.write([['large', large]]);
      const value = Array.from(kv.range('large', 'm'))[0]!.value;
      for (let round = 0; round < 3; round++) {
        await unmap();
        if (process.platform === 'linux') expect(maps(folder)).toBe(0);
        expect(kv.get('a')!.toString()).toBe('value of a');
        const into = { bytes: Buffer.alloc(8) };
        expect(kv.readInto('large', into)).toBe(large.length);
        expect(into.bytes.subarray(0, large.length).equals(large)).toBe(true);
        put(kv, `round ${round}`);
      }
      expect(value.equals(large)).toBe(true);
      expect(keysOf(kv.range('', '\xff'))).toEqual(['a', 'b', 'large', 'round 0', 'round 1', 'round 2']);
    });

    test('stay mapped while somebody reads a range or a snapshot', async () => {
      const { environments, unmap } = mapped();
      await using _ = environments;
      const kv = environments.kv('one');
      put(kv, 'a', 'b', 'c');
      const snapshot = kv.snapshot();
      await unmap();
      put(kv, 'd');
      expect(keysOf(snapshot.range('a', 'z'))).toEqual(['a', 'b', 'c']);
      snapshot.release();
      const seen: string[] = [];
      for (const { key } of kv.range('a', 'z')) {
        await unmap();
        seen.push(key);
      }
      expect(seen).toEqual(['a', 'b', 'c', 'd']);
      await unmap();
      if (process.platform === 'linux') expect(maps(folder)).toBe(0);
    });

    test('are closed as clean while they are unmapped', async () => {
      const { environments, unmap } = mapped();
      put(environments.kv('one'), 'a');
      await unmap();
      await environments[Symbol.asyncDispose]();
      await using(open('boot-2'), (again) => expect(keysOf(again.kv('one').range('', '\xff'))).toEqual(['a']));
      expect(discarded).toEqual([]);
    });

    test('are left alone below the limit', async () => {
      const { environments, hasMapped } = mapped();
      await using _ = environments;
      put(environments.kv('one'), 'a');
      hasMapped(indexMappedBytesMax);
      await environments.unmapExcess();
      if (process.platform === 'linux') expect(maps(folder)).toBeGreaterThan(0);
    });
  });

  test('keep what the disk refuses, and say so to whoever writes next', async () => {
    const clock = new ManualClock();
    const environment = new LmdbEnvironment(join(folder, 'shard'), { bootId: 'boot-1', clock });
    const { database } = environment;
    const { transactionSync } = database;
    database.transactionSync = () => {
      throw new Error('ENOSPC');
    };
    environment.write('p', [['a', Buffer.from('1')]]);
    await clock.sleep(100);
    expect(() => environment.write('p', [['b', Buffer.from('2')]])).toThrow('the index on the local disk cannot be written');
    expect(environment.gathered.get('p', 'a')).toEqual(Buffer.from('1'));
    expect(environment.gathered.get('p', 'b')).toBeUndefined();
    await environment.unmap();
    expect(environment.database).toBe(database);
    database.transactionSync = transactionSync;
    environment.write('p', [['b', Buffer.from('2')]]);
    expect(database.get('pa')?.toString()).toBe('1');
    await environment.close();
  });

  test('take no key that would keep out what waits with it', async () => {
    await using environments = open();
    const kv = environments.kv('one');
    put(kv, 'a');
    expect(() => put(kv, 'k'.repeat(2000))).toThrow('a key is longer than the index takes');
    put(kv, 'k'.repeat(1900));
    kv.snapshot().release();
    expect(Array.from(kv.range('', '\xff'), ({ key }) => key.length)).toEqual([1, 1900]);
  });

  test('have one map each, however large they grow', { skip: process.platform !== 'linux' }, async () => {
    await using environments = open();
    const kv = environments.kv('one');
    for (let at = 0; at < 64; at++) kv.write([[`k${at}`, Buffer.alloc(100_000)]]);
    kv.snapshot().release();
    const maps = readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .filter((line) => line.includes(folder) && line.endsWith('data.mdb'));
    expect(maps).toHaveLength(1);
  });

  test('hold an account as the memory map does', async () => {
    const bucket = openTestBucket();
    await using environments = open();
    const node = bucket.node({ kv: (account) => environments.kv(account) });
    const account = await openProvisioned(node);
    const inbox = account.read((reader) => reader.mailboxByPath(['INBOX'])!.id);
    for (let at = 0; at < 70; at += 1)
      await deliver(account, inbox, rawMessage({ Subject: `message ${at % 7}`, 'Message-ID': `<${at}@x>` }));
    await account.transact((tx) => tx.expunge(inbox, [[3, 30]]));
    const want = dump(await node.accounts.open(testAccount));
    expect(dump(await bucket.node().accounts.open(testAccount))).toBe(want);
    expect(dump(await node.accounts.rebuild(testAccount))).toBe(want);
  });
});

async function using(environments: LmdbEnvironments, use: (environments: LmdbEnvironments) => void): Promise<void> {
  use(environments);
  await environments[Symbol.asyncDispose]();
}
