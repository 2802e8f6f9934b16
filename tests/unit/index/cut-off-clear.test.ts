/** A process that dies while it clears an account's index, to make it anew, leaves none that the next one takes for whole. */
import { expect, test } from 'vitest';
import { AccountIndex } from '../../../storage/index/account-index.ts';
import { MemoryKv } from '../../../storage/index/memory-kv.ts';
import { deliver, dump, openProvisioned, openTestBucket, rawMessage, testAccount } from '../../support/open-accounts.ts';

class DyingKv extends MemoryKv {
  keysUntilDeath = Number.POSITIVE_INFINITY;

  override async clear(): Promise<void> {
    const keys = Array.from(this.range('', '\xff'), ({ key }) => key);
    this.write(keys.slice(0, this.keysUntilDeath).map((key) => [key, null]));
    if (keys.length > this.keysUntilDeath) throw new Error('the process died');
  }
}

test.each([0, 1, 20])('after %i rows', async (rows) => {
  const kv = new DyingKv();
  const bucket = openTestBucket();
  const node = bucket.node({ kv: () => kv });
  const account = await openProvisioned(node);
  const inbox = account.read((reader) => reader.mailboxByRole('inbox')!.id);
  for (let at = 0; at < 3; at++) await deliver(account, inbox, rawMessage({ Subject: `${at}` }));
  const whole = dump(await node.accounts.open(testAccount));
  const index = AccountIndex.reopen(kv);
  expect(index.position.seq).toBeGreaterThan(0);
  kv.keysUntilDeath = rows;
  await expect(index.reset()).rejects.toThrow('the process died');
  kv.keysUntilDeath = Number.POSITIVE_INFINITY;

  const next = bucket.node({ kv: () => kv });
  expect(dump(await next.accounts.open(testAccount))).toBe(whole);
});
