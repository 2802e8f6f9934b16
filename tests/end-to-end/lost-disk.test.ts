/** The local disk is lost, the bucket is there: every account comes back as it was, and no raw message is read for it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { AccountId } from '../../protocol/mail/ids.ts';
import { spamAssassinMessages } from '../support/corpus.ts';
import { deliver, dump } from '../support/open-accounts.ts';
import { makeServerFolder, type RunningServer } from '../support/running-server.ts';

async function dumps(server: RunningServer): Promise<Map<string, string>> {
  const { accounts } = server.app;
  const ids = ['directory' as AccountId, ...server.app.services.directory.listAccounts().map(({ id }) => id)];
  return new Map(await Promise.all(ids.map(async (id) => [id, dump(await accounts.open(id))] as const)));
}

it('comes back identical: ids, UIDs, flags, threads and modSeqs, by snapshot and log, without a raw message', {
  timeout: 120_000,
}, async () => {
  using folder = makeServerFolder();
  let before: Map<string, string>;
  {
    await using server = await folder.start();
    const { accounts } = server.app;
    const account = await accounts.open(server.app.services.directory.listAccounts()[0]!.id);
    const [inbox, archive] = account.read((reader) => [reader.mailboxByRole('inbox')!.id, reader.mailboxByRole('archive')!.id]);
    const messages = spamAssassinMessages().slice(0, 400);
    await Promise.all(messages.slice(0, 300).map(({ raw }) => deliver(account, inbox, raw)));
    await account.transact((tx) => tx.changeFlags(inbox, [[1, 100]], { add: ['$seen', 'work'] }));
    await accounts.snapshot(account);
    await Promise.all(messages.slice(300).map(({ raw }) => deliver(account, inbox, raw)));
    await account.transact((tx) => tx.copy(inbox, [[10, 40]], archive));
    await account.transact((tx) => tx.changeFlags(inbox, [[30, 60]], { deleted: true }));
    await account.transact((tx) => tx.expunge(inbox, [[30, 60]]));
    before = await dumps(server);
  }
  rmSync(join(folder.path, 'data/index'), { recursive: true });
  await using server = await folder.start();
  expect(await dumps(server)).toEqual(before);
  const rows = server.app.store.meter.snapshot().rows.filter(({ cause }) => cause === 'accounts');
  // The list and the manifest, the parts, the log after the snapshot: for this account and the directory.
  const count = (operation: string) => rows.find((row) => row.operation === operation)?.requests ?? 0;
  expect(count('getRange')).toBe(0);
  expect(count('get')).toBeLessThan(60);
  expect(count('put') + count('putIfAbsent')).toBe(0);
});
