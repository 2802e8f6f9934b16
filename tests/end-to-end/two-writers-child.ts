/**
 * A process that writes to an account: `node two-writers-child.ts NAME COUNT STORE` with the store as JSON. Delivers COUNT messages, flags every
 * other one, and prints each Message-ID once its commit was acknowledged.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import { deriveFacts } from '../../protocol/mime/facts.ts';
import type { Upload } from '../../storage/account/api.ts';
import { LogAccounts } from '../../storage/account/log-accounts.ts';
import { MemoryBlobCache } from '../../storage/blobs/blob-cache.ts';
import { provisionAccount } from '../../storage/directory/provision.ts';
import { MemoryKv } from '../../storage/index/memory-kv.ts';
import { openFileStore } from '../../storage/objects/file.ts';
import { RetryingStore } from '../../storage/objects/retrying.ts';
import { S3Store } from '../../storage/objects/s3.ts';
import { realClock, realRandom } from '../support/faulty-random.ts';

const [name, count, options] = process.argv.slice(2);
const store = JSON.parse(options!);
const ports = { clock: realClock, random: realRandom };
const driver = store.path === undefined ? new S3Store({ ...store, clock: realClock }) : await openFileStore({ ...store, ...ports });
await using accounts = new LogAccounts({
  ...ports,
  store: new RetryingStore(driver, ports),
  node: name!,
  kv: () => new MemoryKv(),
  cache: new MemoryBlobCache(),
});
const account = await accounts.open('shared' as AccountId);
await provisionAccount(account);
const inbox = account.read((reader) => reader.mailboxByRole('inbox')!.id);

/** As whoever brings mail does: an upload that failed is known to have done nothing, and is tried again. Commits are the log's to settle. */
async function upload(raw: Buffer): Promise<Upload> {
  for (;;) {
    try {
      return await account.upload(raw);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'unavailable') throw error;
      await sleep(250);
    }
  }
}

async function deliver(at: number): Promise<void> {
  const id = `${at}@${name}`;
  const raw = Buffer.from(`Message-ID: <${id}>\r\nFrom: a@example.com\r\nSubject: ${id}\r\n\r\nbody\r\n`);
  const uploaded = await upload(raw);
  const email = {
    blob: uploaded.ref,
    receivedAt: at,
    keywords: [],
    mailboxes: [inbox],
    facts: deriveFacts(raw),
    text: 'body',
    preview: 'body',
  };
  const { uids } = await account.transact((tx) => tx.addEmail(email), { uploads: [uploaded] });
  if (at % 2 === 0) await account.transact((tx) => tx.changeFlags(inbox, [[uids[0]!, uids[0]!]], { add: ['$flagged'] }));
  writeSync(1, `${id}\n`);
}

let next = 0;
await Promise.all(
  Array.from({ length: 4 }, async () => {
    while (next < Number(count)) await deliver(next++);
  }),
);
