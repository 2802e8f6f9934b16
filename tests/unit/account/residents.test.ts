/** Which accounts are in memory, and that nobody notices when one was not. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, test } from 'vitest';
import { StorageError } from '../../../protocol/mail/errors.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import type { Account } from '../../../storage/account/api.ts';
import { accountIdleMs } from '../../../storage/account/limits.ts';
import type { LogAccount } from '../../../storage/account/log-account.ts';
import type { LogAccountsOptions } from '../../../storage/account/log-accounts.ts';
import { LmdbEnvironments } from '../../../storage/index/lmdb-kv.ts';
import { tailSeenMsMax } from '../../../storage/log/limits.ts';
import { MemoryStore } from '../../../storage/objects/memory.ts';
import { StoreMeter } from '../../../storage/objects/metered.ts';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import { FaultyStore } from '../../support/faulty.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { countingRandom, deliver, dump, openProvisioned, openTestBucket, rawMessage, testAccount } from '../../support/open-accounts.ts';

const inboxOf = (account: Account) => account.read((reader) => reader.mailboxByPath(['INBOX'])!.id);
const countIn = (account: Account) => account.read((reader) => reader.uids(inboxOf(account)).length);
const send = (account: Account, subject = 'hello') => deliver(account, inboxOf(account), rawMessage({ Subject: subject }));
const idOf = (number: number) => `b${number}` as AccountId;

/** A node, and the requests that it makes. */
function openNode(options?: Partial<LogAccountsOptions>, store?: ObjectStore) {
  const bucket = openTestBucket(store);
  const meter = new StoreMeter({ clock: new ManualClock() });
  const node = bucket.node({ store: meter.of(bucket.store, 'test'), ...options });
  /** Lets the time pass in which an account is kept for nothing. */
  const idle = () => {
    bucket.clock.advance(accountIdleMs + 1);
    node.accounts.putAwayIdle();
  };
  const open = () => node.accounts.openAccounts().map(({ id }) => id);
  return { bucket, node, accounts: node.accounts, idle, open, requests: () => meter.snapshot().requests };
}

class SlowStore extends MemoryStore {
  gate: Promise<void> | undefined;

  override async putIfAbsent(...request: Parameters<MemoryStore['putIfAbsent']>) {
    await this.gate;
    return super.putIfAbsent(...request);
  }
}

class AwayStore extends MemoryStore {
  isAway = false;

  override async listPage(...request: Parameters<MemoryStore['listPage']>) {
    if (this.isAway) throw new StorageError('unavailable', 'the store is away');
    return super.listPage(...request);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'satchel-residents-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('accounts in memory', () => {
  test('a thousand opened one after another leave few open, and the others to the collector, without file handles', async () => {
    const clock = new ManualClock();
    await using environments = new LmdbEnvironments({ path: folder, bootId: 'boot', clock });
    const { accounts, node } = openNode({ openMax: 16, kv: (id) => environments.kv(id) }, new MemoryStore({ clock }));
    const memories: WeakRef<object>[] = [];
    let openMost = 0;
    let handlesAtHundred = 0;
    for (let at = 0; at < 1000; at += 1) {
      const account = (await openProvisioned(node, idOf(at))) as LogAccount;
      await send(account);
      memories.push(new WeakRef(account.live), new WeakRef(account));
      openMost = Math.max(openMost, accounts.openAccounts().length);
      if (at === 100) handlesAtHundred = readdirSync('/proc/self/fd').length;
    }
    expect(openMost).toBe(16);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(handlesAtHundred);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    // A WeakRef holds its target until the turn ends in which it was made or read.
    await setImmediate();
    collect();
    const kept = memories.filter((memory) => memory.deref() !== undefined).length;
    // Two of each that is open, and what the last loop may have left on the stack.
    expect(kept).toBeLessThanOrEqual(2 * 16 + 2);
    expect(countIn(await accounts.open(idOf(3)))).toBe(1);
  });

  test('go after a while, and come back without a request', async () => {
    const { node, accounts, idle, open, requests } = openNode();
    await send(await openProvisioned(node));
    idle();
    expect(open()).toEqual([]);
    const before = requests();
    const again = await accounts.open(testAccount);
    expect(countIn(again)).toBe(1);
    expect(requests()).toBe(before);
    await again.transact((tx) => tx.changeFlags(inboxOf(again), [[1, 1]], { add: ['$seen'] }));
    expect(requests()).toBe(before + 1);
  });

  test('stay while they are opened again and again', async () => {
    const { bucket, node, accounts, open } = openNode();
    await openProvisioned(node);
    for (let at = 0; at < 5; at += 1) {
      bucket.clock.advance(accountIdleMs - 1);
      await accounts.open(testAccount);
      accounts.putAwayIdle();
    }
    expect(open()).toEqual([testAccount]);
  });

  test('are looked at in the log when they come back after an hour', async () => {
    const { bucket, node, accounts, idle } = openNode();
    await openProvisioned(node);
    idle();
    await using beside = bucket.node();
    await send(await beside.accounts.open(testAccount));
    bucket.clock.advance(tailSeenMsMax);
    expect(countIn(await accounts.open(testAccount))).toBe(1);
  });

  test('take up what another node has committed meanwhile before they commit', async () => {
    const { bucket, node, accounts, idle } = openNode();
    await openProvisioned(node);
    idle();
    await using beside = bucket.node();
    await send(await beside.accounts.open(testAccount));
    const again = await accounts.open(testAccount);
    await send(again);
    expect([...again.read((reader) => reader.uids(inboxOf(again)))]).toEqual([1, 2]);
  });

  test('stay while somebody watches, whatever their number', async () => {
    const { node, idle, open } = openNode({ openMax: 2 });
    const watched = await openProvisioned(node, idOf(0));
    const heard: number[] = [];
    const watch = watched.watch((effects) => heard.push(...effects.map(({ modSeq }) => modSeq)));
    for (let at = 1; at < 6; at += 1) await openProvisioned(node, idOf(at));
    expect(open()).toEqual([idOf(0), idOf(5)]);
    idle();
    expect(open()).toEqual([idOf(0)]);
    await send(watched);
    expect(heard).toHaveLength(1);
    watch[Symbol.dispose]();
    idle();
    expect(open()).toEqual([]);
  });

  test('stay while a change is under way', async () => {
    const slow = new SlowStore({ clock: new ManualClock() });
    const { node, idle, open } = openNode({}, slow);
    const account = await openProvisioned(node);
    const { promise, resolve } = Promise.withResolvers<void>();
    slow.gate = promise;
    const sent = send(account);
    await setImmediate();
    idle();
    expect(open()).toEqual([testAccount]);
    resolve();
    await sent;
    idle();
    expect(open()).toEqual([]);
    expect(countIn(account)).toBe(1);
  });

  test('go when those who only go along say so, who hear of them again when they come back', async () => {
    const { node, accounts, idle, open } = openNode();
    let isBusy = true;
    const heard: string[] = [];
    accounts.onOpened((account) => {
      heard.push('opened');
      const loose = { isBusy: () => isBusy, onPutAway: () => void heard.push('put away') };
      account.watch(
        () => heard.push('changed'),
        () => {},
        loose,
      );
    });
    const account = await openProvisioned(node);
    expect(heard).toEqual(['opened', 'changed']);
    idle();
    expect(open()).toEqual([testAccount]);
    isBusy = false;
    idle();
    expect(open()).toEqual([]);
    heard.length = 0;
    await send(account);
    expect(heard).toEqual(['opened', 'changed']);
  });
});

describe('an account that somebody holds', () => {
  test('can be read, changed and watched after it was put away', async () => {
    const { node, idle, requests } = openNode();
    const account = await openProvisioned(node);
    const { id } = await send(account);
    const ref = account.read((reader) => reader.blob(id)!);
    idle();
    const before = requests();
    expect(countIn(account)).toBe(1);
    idle();
    expect((await account.blobBytes(ref)).toString()).toContain('Subject: hello');
    expect(requests()).toBe(before);
    idle();
    let heard = 0;
    using _ = account.watch((effects) => (heard += effects.length));
    await send(account);
    expect(heard).toBe(1);
    expect(countIn(account)).toBe(2);
  });

  test('is the same as for whoever opens it anew', async () => {
    const { node, accounts, idle } = openNode();
    const held = await openProvisioned(node);
    idle();
    const opened = await accounts.open(testAccount);
    let heard = 0;
    using _ = held.watch((effects) => (heard += effects.length));
    await Promise.all([send(held, 'one'), send(opened, 'two'), send(held, 'three')]);
    expect([countIn(held), countIn(opened), heard]).toEqual([3, 3, 3]);
  });

  test('is there at once while somebody else opens it', async () => {
    const { bucket, node, accounts, idle } = openNode();
    const held = await openProvisioned(node);
    await send(held);
    idle();
    bucket.clock.advance(tailSeenMsMax);
    const opening = accounts.open(testAccount);
    expect(countIn(held)).toBe(1);
    await send(held);
    expect(countIn(await opening)).toBe(2);
    expect(accounts.openAccounts()).toHaveLength(1);
  });

  test('can be read while it cannot be opened, and is opened when the store is back', async () => {
    const store = new AwayStore({ clock: new ManualClock() });
    const { bucket, node, accounts, idle } = openNode({}, store);
    const held = await openProvisioned(node);
    await send(held);
    idle();
    bucket.clock.advance(tailSeenMsMax);
    store.isAway = true;
    using _ = held.watch(() => {});
    await expect(accounts.open(testAccount)).resolves.toBeDefined();
    _[Symbol.dispose]();
    idle();
    bucket.clock.advance(tailSeenMsMax);
    await expect(accounts.open(testAccount)).rejects.toThrow('away');
    expect(countIn(held)).toBe(1);
    store.isAway = false;
    await send(await accounts.open(testAccount));
    expect(countIn(held)).toBe(2);
    expect(accounts.openAccounts()).toHaveLength(1);
  });

  test('is still the same, and watched, when its index was rebuilt', async () => {
    const { node, accounts, idle } = openNode();
    const held = await openProvisioned(node);
    await send(held);
    let resets = 0;
    let heard = 0;
    using _ = held.watch(
      (effects) => (heard += effects.length),
      () => (resets += 1),
    );
    await accounts.rebuild(testAccount);
    expect([countIn(held), resets]).toEqual([1, 1]);
    await send(await accounts.open(testAccount));
    expect(countIn(held)).toBe(2);
    expect(heard).toBeGreaterThan(0);
    _[Symbol.dispose]();
    idle();
    await accounts.rebuild(testAccount);
    expect(countIn(held)).toBe(2);
  });

  test('is refused when the node has stopped', async () => {
    const { node, idle } = openNode();
    const held = await openProvisioned(node);
    idle();
    await node[Symbol.asyncDispose]();
    expect(() => countIn(held)).toThrow('the server is stopping');
    await expect(held.transact(() => {})).rejects.toThrow('the server is stopping');
  });
});

test('accounts that come and go all the time lose and double nothing, and make what a rebuild makes', async () => {
  const races: string[] = [];
  const { bucket, node, accounts, idle } = openNode({ openMax: 1, onEvent: (_, { kind }) => races.push(kind) });
  const random = countingRandom(7);
  const held = await Promise.all([0, 1, 2].map((at) => openProvisioned(node, idOf(at))));
  const sent = [0, 0, 0];
  for (let round = 0; round < 60; round += 1) {
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        const at = Math.floor(random.fraction() * 3);
        sent[at]! += 1;
        const account = random.fraction() < 0.5 ? held[at]! : await accounts.open(idOf(at));
        if (random.fraction() < 0.2) idle();
        await send(account);
        if (random.fraction() < 0.2) idle();
      }),
    );
  }
  await using beside = bucket.node();
  for (const [at, account] of held.entries()) {
    expect(countIn(account)).toBe(sent[at]);
    expect(dump(account as LogAccount)).toBe(dump(await beside.accounts.open(idOf(at))));
  }
  expect(races).toEqual([]);
});

test.each([1, 2, 3, 4])('so they do while the store fails and another node writes to them (seed %i)', async (seed) => {
  const clock = new ManualClock();
  const memory = new MemoryStore({ clock });
  const random = countingRandom(seed);
  const rates = { unavailable: 0.05, lostReply: 0.05, late: 0.02 };
  const faulty = new FaultyStore(memory, { clock, random, rates: {}, ratesOf: { putIfAbsent: rates, get: { unavailable: 0.03 } } });
  const bucket = openTestBucket(memory);
  await using ours = bucket.node({ store: faulty, openMax: 1, clock });
  await using theirs = bucket.node({ clock });
  const ids = [idOf(0), idOf(1)] as const;
  for (const id of ids) await openProvisioned(theirs, id);
  const isAway = (error: unknown) => error instanceof StorageError && error.code === 'unavailable';
  const openOurs = (id: AccountId): Promise<LogAccount> =>
    ours.accounts.open(id).catch((error: unknown) => (isAway(error) ? openOurs(id) : Promise.reject(error)));
  const held = await Promise.all(ids.map(openOurs));
  const acknowledged: string[][] = [[], []];
  let count = 0;
  const write = async () => {
    const at = random.fraction() < 0.5 ? 0 : 1;
    const subject = `n${(count += 1)}`;
    const dice = random.fraction();
    try {
      const node = dice < 0.3 ? theirs : ours;
      const account = dice < 0.65 ? await node.accounts.open(ids[at]) : held[at]!;
      await send(account, subject);
      acknowledged[at]!.push(subject);
    } catch (error) {
      // Not acknowledged: it may have been written all the same, once.
      if (!isAway(error)) throw error;
    }
    if (random.fraction() < 0.3) clock.advance(accountIdleMs + 1);
    ours.accounts.putAwayIdle();
  };
  for (let round = 0; round < 40; round += 1) await Promise.all([write(), write(), write()]);
  faulty.calm();
  await faulty.settleLate();
  await using beside = bucket.node({ clock });
  for (const [at, id] of ids.entries()) {
    const fresh = await beside.accounts.open(id);
    const subjects = fresh.read((reader) => [...reader.emails()].map((email) => reader.facts(email)!.subject));
    expect(new Set(subjects).size).toBe(subjects.length);
    expect(subjects).toEqual(expect.arrayContaining(acknowledged[at]!));
    await ours.accounts.catchUp(held[at]!);
    expect(dump(held[at]!)).toBe(dump(fresh));
  }
});
