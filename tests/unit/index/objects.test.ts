/** Objects of an account: whether a type has any is remembered, so that the many who ask for what is not there need not look each time. */
import { expect, test } from 'vitest';
import { openProvisioned, openTestBucket } from '../../support/open-accounts.ts';

test('an object is found, alone and among its type, however often it was looked for in vain before', async () => {
  const account = await openProvisioned(openTestBucket().node());
  const found = () => account.read((reader) => [reader.object('Thing', 'a') ?? null, [...reader.objects('Thing')].map(({ id }) => id)]);
  const mayHave = () => account.read((reader) => reader.mayHaveObjects('Thing'));
  expect(found()).toEqual([null, []]);
  expect(found()).toEqual([null, []]);
  expect(mayHave()).toBe(false);
  await account.transact((tx) => {
    expect(tx.object('Thing', 'a')).toBeUndefined();
    tx.putObject('Thing', 'a', 1);
    expect(tx.mayHaveObjects('Thing')).toBe(true);
    expect(tx.object('Thing', 'a')).toBe(1);
    expect([...tx.objects('Thing')].map(({ id }) => id)).toEqual(['a']);
  });
  expect(found()).toEqual([1, ['a']]);
  expect(mayHave()).toBe(true);
  await account.transact((tx) => tx.putObject('Thing 2', 'b', 1));
  expect(found()).toEqual([1, ['a']]);
  await account.transact((tx) => tx.removeObject('Thing', 'a'));
  expect(found()).toEqual([null, []]);
  expect(mayHave()).toBe(false);
});
