import { describe, expect, test } from 'vitest';
import { StorageError } from '../../../protocol/mail/errors.ts';
import type { StateView } from '../../../storage/log/machine.ts';
import { logKey, manifestKey } from '../../../storage/objects/object-keys.ts';
import { readManifest } from '../../../storage/snapshot/manifest.ts';
import { type VerifyOptions, verifyAccount } from '../../../storage/snapshot/verify.ts';
import { putBlob, putItem, removeBlob, ToyAccount, ToyMachine } from './toy-account.ts';

/** Commits 1 to 12, snapshots at 5 and 9, the log from `logFrom` on. Blob 1 was removed and lies in a tombstone. */
async function healthy(logFrom = 1): Promise<ToyAccount> {
  const account = new ToyAccount();
  await account.addBlob(1, 'first message');
  await account.addBlob(2, 'second message');
  for (const id of [1, 11, 21]) await account.commit(putItem(id, `item ${id}`));
  await account.snapshot();
  await account.commit(putItem(11, 'changed'));
  await account.commit(removeBlob(1));
  await account.addBlob(12, 'third message');
  await account.commit(putItem(2, 'second'));
  await account.snapshot();
  for (const id of [31, 32, 33]) await account.commit(putItem(id, `item ${id}`));
  for (let seq = 1; seq < logFrom; seq++) await account.store.deleteMany([logKey(account.id, seq)]);
  return account;
}

async function verify(account: ToyAccount, options: Partial<VerifyOptions> = {}): Promise<string[]> {
  const { store, id: accountId, clock } = account;
  const found: string[] = [];
  await verifyAccount({ store, accountId, clock, scratch: () => new ToyMachine(), ...options }, ({ severity, kind, key, sentence }) => {
    expect(sentence).toMatch(/\.$/);
    found.push(`${severity} ${kind} ${key.slice(account.key('').length)}`);
  });
  return found;
}

async function partOf(account: ToyAccount, seq: number, kind: string, range: number): Promise<string> {
  const { parts } = await readManifest(account.store, account.id, { key: manifestKey(account.id, seq), seq });
  return parts.find((part) => part.kind === kind && part.range === range)!.object;
}

const blobNames = (account: ToyAccount) => account.names('raw');
const log = (seq: number) => `log/${String(seq).padStart(16, '0')}.ndjson.zst`;
const manifest = (seq: number) => `manifest/${String(seq).padStart(16, '0')}.json`;

describe('nothing is found', () => {
  test.each([1, 4, 6])('in a healthy account whose log begins at %i', async (logFrom) => {
    const account = await healthy(logFrom);
    const index = account.machine.view();
    expect(await verify(account, { index, isDeep: true })).toEqual([]);
  });

  test('in an account that was never written', async () => {
    expect(await verify(new ToyAccount())).toEqual([]);
  });

  test('when the index lags, or commits come meanwhile', async () => {
    const account = await healthy();
    const index = account.machine.view();
    await account.commit(putItem(1, 'newer'));
    expect(await verify(account, { index })).toEqual([]);
  });

  test('without a scratch machine, from the index', async () => {
    const account = await healthy();
    expect(await verify(account, { index: account.machine.view(), scratch: undefined })).toEqual([]);
  });

  test('when all log behind the newest snapshot is gone, for an account at rest', async () => {
    const account = await healthy();
    await account.snapshot();
    await account.store.deleteMany((await account.names('log')).map((name) => account.key(name)));
    for (const seq of [5, 9]) await account.store.deleteMany([manifestKey(account.id, seq)]);
    const found = await verify(account, { index: account.machine.view() });
    expect(found.filter((line) => !line.startsWith('info orphan-part'))).toEqual([]);
  });

  test('and the summary says what was looked at', async () => {
    const account = await healthy();
    const { store, id: accountId, clock } = account;
    const summary = await verifyAccount({ store, accountId, clock }, () => {});
    expect(summary).toEqual({ commits: 12, manifests: 2, parts: (await account.names('part')).length, blobs: 3, tail: 12 });
  });
});

describe('each fault is found', () => {
  interface Fault {
    readonly fault: string;
    readonly logFrom?: number;
    readonly options?: Partial<VerifyOptions>;
    /** Does the damage, and returns what is to be found. */
    readonly plant: (account: ToyAccount) => Promise<string[]>;
  }

  const faults: Fault[] = [
    {
      fault: 'a gap in the log',
      plant: async (account) => {
        await account.remove(log(7));
        return [`error log-gap ${log(7)}`];
      },
    },
    {
      fault: 'a gap after the newest snapshot',
      plant: async (account) => {
        await account.remove(log(11));
        return [`error log-gap ${log(11)}`];
      },
    },
    {
      fault: 'a gap of several, after which the log still leads on from a snapshot',
      logFrom: 4,
      plant: async (account) => {
        for (const seq of [7, 8]) await account.remove(log(seq));
        return [`error log-gap ${log(7)}`];
      },
    },
    {
      fault: 'a log without its beginning, and no snapshot',
      plant: async (account) => {
        for (const name of [...(await account.names('manifest')), ...(await account.names('part')), log(1), log(2)])
          await account.remove(name);
        return [`error log-gap ${log(1)}`];
      },
    },
    {
      fault: 'a bit in a commit',
      plant: async (account) => {
        await account.flip(log(7));
        return [`error unreadable-commit ${log(7)}`];
      },
    },
    {
      fault: 'another commit under a number of the chain',
      plant: async (account) => {
        const { bytes } = account.encode({ seq: 10, hash: 'e'.repeat(64), at: 0 }, [putItem(1, 'forged')]);
        await account.store.put(logKey(account.id, 11), bytes);
        return [`error broken-chain ${log(11)}`, `error broken-chain ${log(12)}`];
      },
    },
    {
      fault: 'a commit that was replaced by one with the same past',
      plant: async (account) => {
        const hash = await hashBefore(account, 11);
        const { bytes } = account.encode({ seq: 10, hash, at: 0 }, [putItem(1, 'forged')]);
        await account.store.put(logKey(account.id, 11), bytes);
        return [`error broken-chain ${log(12)}`];
      },
    },
    {
      fault: 'a stray commit far behind the log',
      logFrom: 4,
      plant: async (account) => {
        const { bytes } = account.encode({ seq: 1, hash: 'a'.repeat(64), at: 0 }, [putItem(1, 'late')]);
        await account.store.put(logKey(account.id, 2), bytes);
        return [`info stray-commit ${log(2)}`];
      },
    },
    {
      fault: 'a stray commit just behind the log',
      logFrom: 4,
      plant: async (account) => {
        const { bytes } = account.encode({ seq: 2, hash: 'a'.repeat(64), at: 0 }, [putItem(1, 'late')]);
        await account.store.put(logKey(account.id, 3), bytes);
        return [`info stray-commit ${log(3)}`];
      },
    },
    {
      fault: 'a stray commit under the number of the oldest snapshot',
      logFrom: 6,
      plant: async (account) => {
        const { bytes } = account.encode({ seq: 4, hash: 'a'.repeat(64), at: 0 }, [putItem(1, 'late')]);
        await account.store.put(logKey(account.id, 5), bytes);
        return [`info stray-commit ${log(5)}`];
      },
    },
    {
      fault: 'a bit in a manifest',
      plant: async (account) => {
        await account.flip(manifest(5));
        return [`error unreadable-manifest ${manifest(5)}`];
      },
    },
    {
      fault: 'a bit in a part',
      plant: async (account) => {
        const part = await partOf(account, 9, 'item', 1);
        await account.flip(part);
        return [`error unreadable-part ${part}`];
      },
    },
    {
      fault: 'a part that is gone',
      plant: async (account) => {
        const part = await partOf(account, 9, 'item', 1);
        await account.remove(part);
        return [`error missing-part ${part}`];
      },
    },
    {
      fault: 'a part that no manifest names',
      plant: async (account) => {
        const part = `part/${'b'.repeat(64)}-0000000000000000.ndjson.zst`;
        await account.store.put(account.key(part), Buffer.from('x'));
        return [`info orphan-part ${part}`];
      },
    },
    {
      fault: 'a snapshot of a state that the log did not have',
      plant: async (account) => {
        await account.remove(manifest(9));
        const other = new ToyMachine();
        await other.restore({ ...account.machine.position, seq: 9, hash: await hashBefore(account, 10) }, nothing());
        other.rows.item.set('1', 'what nobody said');
        other.changedAt.set('item 0', 9);
        await snapshotOf(account, other.view());
        return [`error snapshot-differs ${manifest(9)}`];
      },
    },
    {
      fault: 'a snapshot of another commit of that number',
      plant: async (account) => {
        await account.remove(manifest(9));
        const view = account.machine.view();
        const parts = () => Iterator.from(view.parts()).map((part) => ({ ...part, changedAt: Math.min(part.changedAt, 9) }));
        await snapshotOf(account, { ...view, parts, position: { ...view.position, seq: 9, hash: 'd'.repeat(64) } });
        return [`error manifest-off-chain ${manifest(9)}`];
      },
    },
    {
      fault: 'a commit under a snapshot’s number that neither the snapshot nor the next commit knows',
      plant: async (account) => {
        const hash = await hashBefore(account, 9);
        const { bytes } = account.encode({ seq: 8, hash, at: 0 }, [putItem(1, 'forged')]);
        await account.store.put(logKey(account.id, 9), bytes);
        return [`error broken-chain ${log(9)}`];
      },
    },
    {
      fault: 'a message that is gone',
      plant: async (account) => {
        const [first] = await blobNames(account);
        await account.remove(first!);
        return [`error missing-blob ${first}`];
      },
    },
    {
      fault: 'a message of another size',
      plant: async (account) => {
        const [first] = await blobNames(account);
        await account.store.put(account.key(first!), Buffer.from('short'));
        return [`error blob-size ${first}`];
      },
    },
    {
      fault: 'a bit in a message, when messages are read',
      options: { isDeep: true },
      plant: async (account) => {
        const [first] = await blobNames(account);
        await account.flip(first!);
        return [`error unreadable-blob ${first}`];
      },
    },
    {
      fault: 'a message that nothing names',
      plant: async (account) => {
        const { ref } = await account.blobs.put(Buffer.from('orphan'));
        return [`info orphan-blob ${ref.object}`];
      },
    },
    {
      fault: 'an object with a name that is none of ours',
      plant: async (account) => {
        await account.store.put(account.key('note.txt'), Buffer.from('hi'));
        return ['info unknown-object note.txt'];
      },
    },
    {
      fault: 'a commit that cannot be applied',
      plant: async (account) => {
        const { position } = account.machine;
        const { bytes } = account.encode(position, [{ do: 'object.put', type: 'nonsense', id: '1', value: 1 }]);
        await account.store.put(logKey(account.id, 13), bytes);
        return ['error replay-failed '];
      },
    },
  ];

  test.each(faults)('$fault', async ({ plant, logFrom, options }) => {
    const account = await healthy(logFrom);
    const expected = await plant(account);
    const errors = (await verify(account, options)).filter((line) => !isConsequence(line, expected));
    expect(errors).toEqual(expected);
  });

  /** Parts and blobs that only what was damaged named are orphans then. */
  function isConsequence(line: string, expected: readonly string[]): boolean {
    return line.startsWith('info orphan-') && !expected.includes(line);
  }

  test('a bit in a message is not seen when messages are not read', async () => {
    const account = await healthy();
    const [first] = await blobNames(account);
    await account.flip(first!);
    expect(await verify(account)).toEqual([]);
  });

  test('a message that only a tombstone holds counts too', async () => {
    const account = await healthy();
    const tombstone = [...account.machine.rows.tombstone.values()][0] as { ref: { object: string } };
    await account.remove(tombstone.ref.object);
    expect(await verify(account)).toEqual([`error missing-blob ${tombstone.ref.object}`]);
  });
});

describe('the index', () => {
  test('that differs from the replayed log is found, by its part', async () => {
    const account = await healthy();
    account.machine.rows.item.set('21', 'what nobody said');
    const sentences: string[] = [];
    const { store, id: accountId, clock } = account;
    const index = account.machine.view();
    await verifyAccount({ store, accountId, clock, index, scratch: () => new ToyMachine() }, ({ kind, sentence }) => {
      sentences.push(`${kind}: ${sentence}`);
    });
    expect(sentences).toEqual(['index-differs: At commit 12 the index differs from the replayed log in item 2.']);
  });

  test.each([
    ['is of another chain', { hash: 'c'.repeat(64) }],
    ['is ahead of the log', { seq: 13 }],
  ])('that %s is found', async (_, position) => {
    const account = await healthy();
    const view = account.machine.view();
    const index = { ...view, position: { ...view.position, ...position } };
    expect(await verify(account, { index })).toEqual(['error index-off-chain ']);
  });
});

test('a store that is away is not a finding', async () => {
  const account = await healthy();
  for (const failing of ['log/', 'manifest/', 'part/', 'raw/']) {
    const store = Object.create(account.store) as typeof account.store;
    store.listPage = (...args) => account.store.listPage(...args);
    store.get = async (key, options) => {
      if (key.includes(failing)) throw new StorageError('unavailable', 'no answer');
      return account.store.get(key, options);
    };
    await expect(verify(account, { store, isDeep: true }), failing).rejects.toMatchObject({ code: 'unavailable' });
  }
});

test('a blob that two messages share is reported once', async () => {
  const account = await healthy();
  const ref = await account.addBlob(3, 'shared');
  await account.commit(putBlob(4, ref));
  await account.remove(ref.object);
  expect(await verify(account)).toEqual([`error missing-blob ${ref.object}`]);
});

async function hashBefore(account: ToyAccount, seq: number): Promise<string> {
  const { body } = await account.store.get(logKey(account.id, seq));
  const { decodeCommit } = await import('../../../storage/log/commit-codec.ts');
  return decodeCommit('', body, account.id, seq).commit.prev;
}

async function snapshotOf(account: ToyAccount, view: StateView): Promise<void> {
  const { writeSnapshot } = await import('../../../storage/snapshot/writer.ts');
  const { store, id: accountId, clock, random } = account;
  expect(await writeSnapshot(view, { store, accountId, clock, random, by: 'test' })).toMatchObject({ outcome: 'written' });
}

async function* nothing(): AsyncGenerator<never> {}
