/** Scripts in the account's log: one active at most, and their text outlives the scrubber and the index. */
import { expect, test } from 'vitest';
import {
  activateScript,
  activeScript,
  putScript,
  removeScript,
  scripts,
  scriptsMax,
  scriptText,
  updateScript,
} from '../../../storage/sieve/scripts.ts';
import { openProvisioned, openTestBucket, testAccount } from '../../support/open-accounts.ts';

test('the text of a script is there after scrubbing, and on a node with an empty index', async () => {
  const bucket = openTestBucket();
  const node = bucket.node();
  const account = await openProvisioned(node);
  const store = async (name: string, text: string) => {
    const upload = await account.upload(Buffer.from(text));
    return account.transact((tx) => putScript(tx, `id-${name}-${text.length}`, name, upload), { uploads: [upload] });
  };
  const old = await store('main', 'discard;');
  await store('main', 'keep; # new');
  bucket.clock.advance(90 * 24 * 60 * 60 * 1000);
  await node.accounts.writeDueSnapshots(new AbortController().signal);
  await node.accounts.scrub(testAccount, {});
  const again = await bucket.node().accounts.open(testAccount);
  const [script] = again.read(scripts);
  expect(script).toMatchObject({ id: old.id, name: 'main' });
  expect(await scriptText(again, script!)).toBe('keep; # new');
});

test('one script is active at most; the active one stays; names are unique, and scripts are so many', async () => {
  const account = await openProvisioned(openTestBucket().node());
  const upload = await account.upload(Buffer.from('keep;'));
  const change = <T>(mutation: Parameters<typeof account.transact<T>>[0]) => account.transact(mutation, { uploads: [upload] });
  await change((tx) => {
    for (const name of ['a', 'b']) putScript(tx, name, name, upload);
    activateScript(tx, 'a');
  });
  expect(await change((tx) => activateScript(tx, 'b'))).toEqual([
    { id: 'a', isActive: false },
    { id: 'b', isActive: true },
  ]);
  expect(account.read(activeScript)?.name).toBe('b');
  await expect(change((tx) => removeScript(tx, 'b'))).rejects.toMatchObject({ code: 'forbidden' });
  await expect(change((tx) => updateScript(tx, 'a', { name: 'b' }))).rejects.toMatchObject({ code: 'alreadyExists' });
  await expect(change((tx) => activateScript(tx, 'none'))).rejects.toMatchObject({ code: 'notFound' });
  await change((tx) => {
    for (let count = 2; count < scriptsMax; count++) putScript(tx, `n${count}`, `n${count}`, upload);
  });
  await expect(change((tx) => putScript(tx, 'more', 'more', upload))).rejects.toMatchObject({ code: 'overQuota' });
  await change((tx) => putScript(tx, 'unused', 'a', upload));
  expect(account.read(scripts)).toHaveLength(scriptsMax);
});
