/**
 * About 6,000 real messages through inbound/ as SES would leave them there: each is served as it came, once, in the mailbox its verdict names; also
 * when every object is put there three times.
 */
import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Account } from '../../storage/account/api.ts';
import { spamAssassinMessages } from '../support/corpus.ts';
import { makeServerFolder, type RunningServer } from '../support/running-server.ts';
import { sesHeaderBlock } from '../support/ses-message.ts';

it('the SpamAssassin corpus is served byte for byte, ham in INBOX, spam in Junk, none missing, none double', {
  timeout: 300_000,
}, async () => {
  using folder = makeServerFolder();
  await using server = await folder.start();
  const objects = spamAssassinMessages().map(({ raw, group }, at) => {
    const id = hash('sha256', `message ${at}`).slice(0, 40);
    const isSpam = group.startsWith('spam');
    const bytes = Buffer.concat([Buffer.from(sesHeaderBlock({ id, to: 'me@localhost', spam: isSpam ? 'FAIL' : 'PASS' })), raw]);
    return { id, bytes, isSpam, sha256: hash('sha256', bytes) };
  });
  expect(objects.length).toBeGreaterThan(6000);
  const account = await openMine(server);
  for (let round = 1; round <= 3; round += 1) {
    await Promise.all(objects.map(({ id, bytes }) => folder.drop(id, bytes)));
    await expect.poll(() => countInbound(server), { timeout: 200_000, interval: 250 }).toBe(0);
    expect(account.read((reader) => reader.mailboxes().reduce((sum, mailbox) => sum + mailbox.total, 0))).toBe(objects.length);
  }
  const wanted = (isSpam: boolean) => objects.filter((object) => object.isSpam === isSpam).map(({ sha256 }) => sha256);
  expect(await hashesIn(server, 'INBOX')).toEqual(wanted(false).sort());
  expect(await hashesIn(server, 'Junk')).toEqual(wanted(true).sort());
  expect(server.complaints).toEqual([]);
});

async function openMine(server: RunningServer): Promise<Account> {
  const [account] = server.app.services.directory.listAccounts();
  return server.app.accounts.open(account!.id as AccountId);
}

async function countInbound(server: RunningServer): Promise<number> {
  let count = 0;
  for await (const _ of server.app.store.of('test').list('inbound/')) count += 1;
  return count;
}

async function hashesIn(server: RunningServer, mailbox: string): Promise<string[]> {
  const client = await server.imap();
  try {
    await client.mailboxOpen(mailbox, { readOnly: true });
    const hashes: string[] = [];
    for await (const { source } of client.fetch('1:*', { source: true })) hashes.push(hash('sha256', source!));
    return hashes.sort();
  } finally {
    await client.logout();
  }
}
