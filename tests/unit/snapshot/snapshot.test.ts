import { describe, expect, test } from 'vitest';
import { StorageError } from '../../../protocol/mail/errors.ts';
import type { StateMachine } from '../../../storage/log/machine.ts';
import type { SnapshotLoader as TailLoader } from '../../../storage/log/tail.ts';
import { StoreMeter } from '../../../storage/objects/metered.ts';
import { logKey, manifestKey } from '../../../storage/objects/object-keys.ts';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import { snapshotDue } from '../../../storage/snapshot/limits.ts';
import { type SnapshotDamage, SnapshotLoader } from '../../../storage/snapshot/loader.ts';
import { decodeManifest, listManifests, readManifest } from '../../../storage/snapshot/manifest.ts';
import { decodePart, encodePart, hashOfLines, partLines } from '../../../storage/snapshot/part.ts';
import { writeSnapshot } from '../../../storage/snapshot/writer.ts';
import { dayMs, hourMs, putItem, removeBlob, ToyAccount, ToyMachine } from './toy-account.ts';

/** An account with 3 parts of items, 1 of blobs, 1 of tombstones. */
async function filled(): Promise<ToyAccount> {
  const account = new ToyAccount();
  for (const id of [1, 2, 11, 21]) await account.commit(putItem(id, `item ${id}`));
  await account.addBlob(1, 'first message');
  await account.addBlob(2, 'second message');
  await account.commit(removeBlob(1));
  return account;
}

async function load(account: ToyAccount, store: ObjectStore = account.store) {
  const machine = new ToyMachine();
  const damages: SnapshotDamage[] = [];
  const loader: TailLoader<never, unknown> = new SnapshotLoader({
    store,
    accountId: account.id,
    onDamage: (damage) => damages.push(damage),
  });
  const position = await loader.load(machine as unknown as StateMachine<never, unknown>);
  return { machine, position, damaged: damages.map(({ key, seq, error }) => [key, seq, error.code]) };
}

async function partsOf(account: ToyAccount, seq: number) {
  return (await readManifest(account.store, account.id, { key: manifestKey(account.id, seq), seq })).parts;
}

function metered(account: ToyAccount) {
  const meter = new StoreMeter({ clock: account.clock });
  const requests = () => Object.fromEntries(meter.snapshot().rows.map(({ operation, requests }) => [operation, requests]));
  return { store: meter.of(account.store, 'test'), requests };
}

/** `store` with some methods replaced. */
function over(store: ObjectStore, methods: Partial<ObjectStore>): ObjectStore {
  return new Proxy(store, {
    get: (target, name) => {
      const own = (methods as Record<PropertyKey, unknown>)[name] ?? Reflect.get(target, name);
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

describe('writing and loading', () => {
  test('what is loaded is what was written', async () => {
    const account = await filled();
    expect(await account.snapshot()).toMatchObject({ outcome: 'written', partsUploaded: 5, partsReused: 0, position: { seq: 7 } });
    const { machine, position, damaged } = await load(account);
    expect(machine.contents()).toEqual(account.machine.contents());
    expect(position).toEqual(account.machine.position);
    expect(damaged).toEqual([]);
    expect(account.machine.viewsOpen).toBe(0);
  });

  test('a part that is cut into several objects is loaded whole, in order', async () => {
    const account = await filled();
    await account.commit(...[3, 4, 5, 6, 7].map((id) => putItem(id, 'x'.repeat(100))));
    const result = await account.snapshot({ partBytesTarget: 150 });
    expect(result).toMatchObject({ outcome: 'written' });
    expect((await partsOf(account, 8)).filter(({ kind, range }) => kind === 'item' && range === 0).length).toBe(5);
    const { machine } = await load(account);
    expect(machine.contents()).toEqual(account.machine.contents());
    expect(machine.partsRestored, 'each part is given whole').toBe(5);
    await account.commit(putItem(8, 'x'.repeat(100)));
    expect(await account.snapshot({ partBytesTarget: 150 }), 'only the last cut is new').toMatchObject({ partsUploaded: 1 });
    expect((await load(account)).machine.contents()).toEqual(account.machine.contents());
  });

  test('only changed parts are uploaded, with these requests', async () => {
    const account = await filled();
    await account.snapshot();
    await account.commit(putItem(11, 'changed'));
    const { store, requests } = metered(account);
    expect(await account.snapshot({ store })).toMatchObject({ outcome: 'written', partsUploaded: 1, partsReused: 4 });
    // The newest manifest; parts that are there.
    expect(requests()).toEqual({ list: 2, get: 1, put: 1, putIfAbsent: 1 });
    const [before, after] = [await partsOf(account, 7), await partsOf(account, 8)];
    expect(after.filter(({ object }) => before.some((part) => part.object === object)).length).toBe(4);
    expect((await load(account)).machine.contents()).toEqual(account.machine.contents());
  });

  test('the first snapshot costs a list, a put for each part and one for the manifest', async () => {
    const account = await filled();
    const { store, requests } = metered(account);
    await account.snapshot({ store });
    expect(requests()).toEqual({ list: 1, put: 5, putIfAbsent: 1 });
  });

  test('a load costs a list and a get for the manifest and each part', async () => {
    const account = await filled();
    await account.snapshot();
    const { store, requests } = metered(account);
    await load(account, store);
    expect(requests()).toEqual({ list: 1, get: 6 });
  });

  test('a part that changed back is not uploaded again', async () => {
    const account = await filled();
    await account.snapshot();
    await account.commit(putItem(11, 'changed'));
    await account.commit(putItem(11, 'item 11'));
    expect(await account.snapshot()).toMatchObject({ outcome: 'written', partsUploaded: 0, partsReused: 5 });
    expect((await partsOf(account, 9)).find(({ kind, range }) => kind === 'item' && range === 1)?.changedAt).toBe(9);
  });

  test('a state that was loaded reuses the parts it was loaded from', async () => {
    const account = await filled();
    await account.snapshot();
    const { machine } = await load(account);
    const { commit, commitHash } = account.encode(machine.position, [putItem(21, 'by the other node')]);
    machine.apply(commit, commitHash);
    const { store, id: accountId, clock, random } = account;
    const result = await writeSnapshot(machine.view(), { store, accountId, clock, random, by: 'node-2' });
    expect(result).toMatchObject({ outcome: 'written', partsUploaded: 1, partsReused: 4 });
  });

  test('nothing is written for a state that has a manifest, or for none at all', async () => {
    const account = await filled();
    const old = account.machine.view();
    await account.commit(putItem(1, 'newer'));
    await account.snapshot();
    const { store, requests } = metered(account);
    const { id: accountId, clock, random } = account;
    expect(await account.snapshot({ store })).toMatchObject({ outcome: 'current', partsUploaded: 0 });
    expect(await writeSnapshot(old, { store, accountId, clock, random, by: 'node-2' })).toMatchObject({ outcome: 'current' });
    expect(requests()).toEqual({ list: 2 });
    expect(await new ToyAccount().snapshot()).toMatchObject({ outcome: 'current' });
  });

  test('a snapshot is due after many commits or many bytes, and never after none', () => {
    const quiet = { isInSpate: false, bytesSince: 100_000 };
    expect(snapshotDue({ ...quiet, commitsSince: 255 })).toBe(false);
    expect(snapshotDue({ ...quiet, commitsSince: 256 })).toBe(true);
    expect(snapshotDue({ ...quiet, commitsSince: 5, bytesSince: 16 * 1024 * 1024 })).toBe(true);
    expect(snapshotDue({ ...quiet, commitsSince: 0, bytesSince: 1e9 })).toBe(false);
    const spate = { isInSpate: true, bytesSince: 100_000 };
    expect(snapshotDue({ ...spate, commitsSince: 511 })).toBe(false);
    expect(snapshotDue({ ...spate, commitsSince: 512 })).toBe(true);
    expect(snapshotDue({ ...spate, commitsSince: 5, bytesSince: 16 * 1024 * 1024 })).toBe(true);
  });
});

describe('the manifest', () => {
  test('is lines of JSON that read by themselves', async () => {
    const account = await filled();
    await account.snapshot();
    const lines = (await account.store.get(manifestKey(account.id, 7))).body.toString().trimEnd().split('\n');
    const [header, first, part] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(header).toMatchObject({ satchel: 1, kind: 'manifest', account: 'a1b2', seq: 7 });
    expect(first).toEqual({ position: account.machine.position, createdAt: account.clock.now(), by: 'node-1' });
    expect(Object.keys(part!)).toEqual(['kind', 'range', 'object', 'sha256', 'bytes', 'changedAt']);
    expect(lines.length).toBe(2 + 5);
  });

  test('at every bit flipped is refused', async () => {
    const account = await filled();
    await account.snapshot();
    const key = manifestKey(account.id, 7);
    const { body } = await account.store.get(key);
    for (let at = 0; at < body.length; at++) {
      const damaged = Buffer.from(body);
      damaged[at]! ^= 0x02;
      expect(() => decodeManifest(key, damaged, account.id, 7), `byte ${at}`).toThrow(expect.objectContaining({ code: 'corrupt' }));
    }
  });

  test.each([
    ['another account', 'other', 7],
    ['another number', 'a1b2', 8],
  ])('of %s is refused', async (_, accountId, seq) => {
    const account = await filled();
    await account.snapshot();
    const { body } = await account.store.get(manifestKey(account.id, 7));
    expect(() => decodeManifest('m', body, accountId, seq)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });

  test('lists beyond a page are complete and in order', async () => {
    const account = new ToyAccount();
    for (let seq = 2001; seq > 0; seq--) await account.store.put(manifestKey(account.id, seq), Buffer.from('x'));
    const { manifests } = await listManifests(account.store, account.id);
    expect(manifests.map(({ seq }) => seq)).toEqual(Array.from({ length: 2001 }, (_, i) => i + 1));
  });
});

describe('what a manifest may name', () => {
  /** Writes a second snapshot while `during` happens at its first upload. */
  async function second(during: (account: ToyAccount, store: ObjectStore) => Promise<void>, options = {}) {
    const account = await filled();
    await account.snapshot();
    const old = account.machine.view();
    await account.commit(putItem(11, 'changed'));
    let hasHappened = false;
    const { id: accountId, clock, random } = account;
    const store = over(account.store, {
      put: async (key, body) => {
        if (!hasHappened) {
          hasHappened = true;
          await during(account, account.store);
        }
        return account.store.put(key, body);
      },
    });
    old.release();
    const result = await writeSnapshot(account.machine.view(), { store, accountId, clock, random, by: 'node-1', ...options });
    return { account, result };
  }

  test('parts of a manifest that was newest less than half an hour ago, without a second look', async () => {
    const { result } = await second(async ({ clock }) => clock.pass(hourMs / 2 - 1));
    expect(result.outcome).toBe('written');
  });

  test('parts of a manifest that is found to be newest still, however long the uploads took', async () => {
    const { result } = await second(async ({ clock }) => clock.pass(5 * hourMs));
    expect(result.outcome).toBe('written');
  });

  test.each([
    ['both clocks', { wall: hourMs, mono: hourMs }],
    ['the monotonic clock alone', { wall: 0, mono: hourMs }],
    ['the wall clock alone', { wall: hourMs, mono: 0 }],
  ])('no parts of a manifest that was superseded in an hour by %s', async (_, passed) => {
    const { account, result } = await second(async (account) => {
      await account.commit(putItem(1, 'more'));
      const { partsUploaded } = await account.snapshot();
      expect(partsUploaded).toBeGreaterThan(0);
      account.clock.wall += passed.wall;
      account.clock.mono += passed.mono;
    });
    expect(result.outcome).toBe('current');
    expect(await account.numbers('manifest')).toEqual([7, 9]);
  });

  test('no parts of a manifest that another of a lower number than ours superseded', async () => {
    const { account, result } = await second(async (account) => {
      // Another node's snapshot of a state between the two.
      const { body } = await account.store.get(manifestKey(account.id, 7));
      await account.store.deleteMany([manifestKey(account.id, 7)]);
      await account.store.put(manifestKey(account.id, 6), body);
      account.clock.pass(hourMs);
    });
    expect(result.outcome).toBe('superseded');
    expect(await account.numbers('manifest')).toEqual([6]);
  });

  test('no parts after an hour that passes before the put is tried again', async () => {
    const account = await filled();
    await account.snapshot();
    await account.commit(putItem(11, 'changed'));
    let puts = 0;
    const store = over(account.store, {
      putIfAbsent: async () => {
        puts++;
        account.clock.pass(hourMs);
        // Another node goes on meanwhile.
        if (puts === 1) await account.commit(putItem(11, 'again')).then(() => account.snapshot());
        throw new StorageError('unavailable', 'no answer');
      },
    });
    expect(await account.snapshot({ store })).toMatchObject({ outcome: 'current' });
    expect(puts).toBe(1);
  });

  test('its own uploads, whatever else was written meanwhile', async () => {
    const account = await filled();
    await account.snapshot();
    await account.flip('manifest/0000000000000007.json');
    await account.commit(putItem(11, 'changed'));
    expect(await account.snapshot(), 'the base cannot be read').toMatchObject({ outcome: 'written', partsUploaded: 5, partsReused: 0 });
  });

  test('nothing after a day', async () => {
    const { result } = await second(async ({ clock }) => clock.pass(dayMs));
    expect(result.outcome).toBe('outOfTime');
  });

  test('no part that is not there, or not of its size, or distrusted', async () => {
    for (const damage of ['gone', 'short', 'distrusted']) {
      const account = await filled();
      await account.snapshot();
      const { object } = (await partsOf(account, 7)).find(({ kind, range }) => kind === 'item' && range === 2)!;
      if (damage === 'gone') await account.remove(object);
      if (damage === 'short') await account.store.put(account.key(object), Buffer.from('short'));
      await account.commit(putItem(1, 'changed'));
      const distrusted = new Set(damage === 'distrusted' ? [object] : []);
      expect(await account.snapshot({ distrusted }), damage).toMatchObject({ outcome: 'written', partsUploaded: 2, partsReused: 3 });
      expect((await load(account)).damaged, damage).toEqual([]);
    }
  });
});

describe('a lost reply', () => {
  test('to the put of the manifest that had succeeded is success', async () => {
    const account = await filled();
    let attempts = 0;
    const store = over(account.store, {
      putIfAbsent: async (key, body) => {
        const receipt = await account.store.putIfAbsent(key, body);
        if (attempts++ === 0) throw new StorageError('unavailable', 'no answer');
        return receipt;
      },
    });
    expect(await account.snapshot({ store })).toMatchObject({ outcome: 'written' });
    expect(attempts).toBe(2);
  });

  test('five times is the caller’s to know', async () => {
    const account = await filled();
    let attempts = 0;
    const store = over(account.store, {
      putIfAbsent: async () => {
        attempts++;
        throw new StorageError('unavailable', 'no answer');
      },
    });
    await expect(account.snapshot({ store })).rejects.toMatchObject({ code: 'unavailable' });
    expect(attempts).toBe(5);
    expect(account.machine.viewsOpen).toBe(0);
  });

  test('of another node that wrote the same number is no failure', async () => {
    const account = await filled();
    const store = over(account.store, {
      putIfAbsent: async (key, body) => {
        await account.snapshot({ by: 'node-2' });
        return account.store.putIfAbsent(key, body);
      },
    });
    expect(await account.snapshot({ store })).toMatchObject({ outcome: 'current' });
    expect(account.machine.viewsOpen).toBe(0);
  });

  test('to an upload fails the snapshot, and nothing goes on behind it', async () => {
    const account = await filled();
    let open = 0;
    let puts = 0;
    const store = over(account.store, {
      put: async (key, body) => {
        open++;
        try {
          await Promise.resolve();
          if (++puts === 2) throw new StorageError('unavailable', 'no answer');
          return await account.store.put(key, body);
        } finally {
          open--;
        }
      },
    });
    await expect(account.snapshot({ store })).rejects.toMatchObject({ code: 'unavailable' });
    expect(open).toBe(0);
    expect(account.machine.viewsOpen).toBe(0);
    expect(await account.names('manifest')).toEqual([]);
  });
});

describe('damage', () => {
  /** Two snapshots, at 7 and 9. */
  async function twice(): Promise<ToyAccount> {
    const account = await filled();
    await account.snapshot();
    await account.commit(putItem(11, 'changed'));
    await account.commit(putItem(12, 'new'));
    await account.snapshot();
    return account;
  }

  test.each(['gone', 'flipped'])('a part that is %s costs no more than the snapshot before it', async (damage) => {
    const account = await twice();
    const [changed] = (await partsOf(account, 9)).filter(({ changedAt }) => changedAt > 7);
    if (damage === 'gone') await account.remove(changed!.object);
    else await account.flip(changed!.object);
    const { machine, position, damaged } = await load(account);
    expect(position.seq).toBe(7);
    expect(machine.rows.item.get('11')).toBe('item 11');
    expect(damaged).toEqual([[account.key(changed!.object), 9, damage === 'gone' ? 'missing' : 'corrupt']]);
  });

  test.each(['gone', 'flipped'])('a manifest that is %s costs no more than the snapshot before it', async (damage) => {
    const account = await twice();
    const name = 'manifest/0000000000000009.json';
    if (damage === 'gone') await account.remove(name);
    else await account.flip(name);
    expect((await load(account)).position.seq).toBe(7);
  });

  test('in a part of both snapshots leaves the log, if it is all there', async () => {
    const account = await twice();
    const [shared] = (await partsOf(account, 9)).filter(({ changedAt }) => changedAt <= 7);
    await account.remove(shared!.object);
    const { machine, position, damaged } = await load(account);
    expect(position.seq).toBe(0);
    expect(machine.contents()).toEqual(new ToyMachine().contents());
    expect(damaged.map(([, seq]) => seq)).toEqual([9, 7]);
  });

  test.each([1, 4, 9])('in all snapshots and the log at %i is corrupt, and says what is lacking', async (lacking) => {
    const account = await twice();
    for (const { object } of await partsOf(account, 9)) await account.flip(object);
    await account.store.deleteMany([logKey(account.id, lacking)]);
    await expect(load(account)).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining(`no commit ${lacking} `) });
  });

  test('is not what a store that is away shows', async () => {
    const account = await twice();
    for (const failing of ['manifest/', 'part/']) {
      const store = over(account.store, {
        get: async (key) => {
          if (key.includes(failing)) throw new StorageError('unavailable', 'no answer');
          return account.store.get(key);
        },
      });
      await expect(load(account, store), failing).rejects.toMatchObject({ code: 'unavailable' });
    }
  });

  test('a part that is whole, and not the one that is named, is corrupt', () => {
    const lines = partLines({ kind: 'item', range: 1 }, ['[1,2]']);
    const { bytes, sha256 } = encodePart('a1b2', 7, lines);
    const named = { kind: 'item', range: 1, object: `part/${sha256}-00000000.ndjson.zst`, sha256, bytes: bytes.length, changedAt: 5 };
    expect(decodePart('p', bytes, 'a1b2', named)).toEqual({ kind: 'item', range: 1, lines: [[1, 2]] });
    const corrupt = expect.objectContaining({ code: 'corrupt' });
    expect(() => decodePart('p', bytes, 'a1b2', { ...named, sha256: hashOfLines(['other']) })).toThrow(corrupt);
    expect(() => decodePart('p', bytes, 'a1b2', { ...named, kind: 'blob' })).toThrow(corrupt);
    expect(() => decodePart('p', bytes, 'a1b2', { ...named, range: 2 })).toThrow(corrupt);
    expect(() => decodePart('p', bytes, 'a1b2', { ...named, bytes: bytes.length + 1 })).toThrow(corrupt);
    expect(() => decodePart('p', bytes, 'other', named)).toThrow(corrupt);
  });
});
