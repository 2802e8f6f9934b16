/** The local disk refuses what the index is to keep: what is in the bucket is true, readers see the state before, and nothing is thrown away for it. */
import { expect, it } from 'vitest';
import { StorageError } from '../../../protocol/mail/errors.ts';
import type { KvWrite } from '../../../storage/index/kv.ts';
import { MemoryKv } from '../../../storage/index/memory-kv.ts';
import { deliver, dump, openProvisioned, openTestBucket, rawMessage, testAccount } from '../../support/open-accounts.ts';

class RefusingKv extends MemoryKv {
  isFull = false;

  override write(batch: readonly KvWrite[]): void {
    if (this.isFull) throw new StorageError('unavailable', 'the index on the local disk cannot be written');
    super.write(batch);
  }
}

it('a full disk under the index hides no message, and what was committed meanwhile comes when there is room', async () => {
  const kv = new RefusingKv();
  const bucket = openTestBucket();
  await using node = bucket.node({ kv: () => kv });
  const account = await openProvisioned(node);
  const inbox = account.read((reader) => reader.mailboxByRole('inbox')!.id);
  const count = () => account.read((reader) => reader.mailboxByRole('inbox')!.total);
  const flagOf = (uid: number) => account.transact((tx) => tx.changeFlags(inbox, [[uid, uid]], { add: [`label-${uid}`] }));
  for (let at = 0; at < 5; at++) await deliver(account, inbox, rawMessage({ Subject: `${at}` }));
  let resets = 0;
  let changes = 0;
  using _ = account.watch(
    () => changes++,
    () => resets++,
  );
  kv.isFull = true;
  // It is in the bucket: that the index does not have it yet is not the caller's matter.
  await flagOf(1);
  expect(count()).toBe(5);
  // With the index behind, nothing more can be decided.
  await expect(deliver(account, inbox, rawMessage({ Subject: 'no' }))).rejects.toMatchObject({ code: 'unavailable' });
  await expect(node.accounts.catchUp(account)).rejects.toMatchObject({ code: 'unavailable' });
  expect(count()).toBe(5);
  expect(changes).toBe(0);
  kv.isFull = false;
  await flagOf(2);
  await deliver(account, inbox, rawMessage({ Subject: 'yes' }));
  expect(count()).toBe(6);
  expect(changes).toBe(3);
  expect(resets).toBe(0);
  expect(dump(await bucket.node().accounts.open(testAccount))).toBe(dump(await node.accounts.open(testAccount)));
});
