/** While an account's index is made anew nobody is shown a part of it, and nobody who watches takes what is missing for removed. */
import { expect, it } from 'vitest';
import { MemoryKv } from '../../../storage/index/memory-kv.ts';
import { deliver, openProvisioned, openTestBucket, rawMessage } from '../../support/open-accounts.ts';

class SlowlyClearedKv extends MemoryKv {
  readonly cleared = Promise.withResolvers<void>();
  readonly mayGoOn = Promise.withResolvers<void>();
  isWatched = false;

  override async clear(): Promise<void> {
    await super.clear();
    if (!this.isWatched) return;
    this.cleared.resolve();
    await this.mayGoOn.promise;
  }
}

it('is told to come again, and finds all of it then', async () => {
  const kv = new SlowlyClearedKv();
  const bucket = openTestBucket();
  await using node = bucket.node({ kv: () => kv });
  const account = await openProvisioned(node);
  const inbox = account.read((reader) => reader.mailboxByRole('inbox')!.id);
  for (let at = 0; at < 3; at++) await deliver(account, inbox, rawMessage({ Subject: `${at}` }));
  const total = () => account.read((reader) => reader.mailbox(inbox)?.total);
  const seen: unknown[] = [];
  using _ = account.watch(
    () => seen.push('effects'),
    () => seen.push(`made anew: ${total()}`),
  );
  kv.isWatched = true;
  const rebuilt = node.accounts.rebuild(account.id);
  await kv.cleared.promise;
  expect(total).toThrow(expect.objectContaining({ code: 'unavailable' }));
  kv.mayGoOn.resolve();
  await rebuilt;
  expect(total()).toBe(3);
  expect(seen).toEqual(['made anew: 3']);
});
