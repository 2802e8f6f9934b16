/** Two processes write to one account at once: what each was told is there, once. On the file store, and on S3 whose replies get lost. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { AccountId } from '../../protocol/mail/ids.ts';
import { LogAccounts } from '../../storage/account/log-accounts.ts';
import { MemoryBlobCache } from '../../storage/blobs/blob-cache.ts';
import { MemoryKv } from '../../storage/index/memory-kv.ts';
import { openFileStore } from '../../storage/objects/file.ts';
import type { ObjectStore } from '../../storage/objects/object-store.ts';
import type { Finding } from '../../storage/snapshot/findings.ts';
import { realClock, realRandom } from '../support/faulty-random.ts';
import { startStrictS3 } from '../support/s3/strict-s3.ts';

const count = 120;
const names = ['left', 'right'];

/** Both children at once; resolves with what they were told. */
async function race(store: object): Promise<string[]> {
  const child = join(import.meta.dirname, 'two-writers-child.ts');
  const told = await Promise.all(
    names.map((name) =>
      promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', child, name, String(count), JSON.stringify(store)]),
    ),
  );
  return told.flatMap(({ stdout }) => stdout.trim().split('\n'));
}

async function check(store: ObjectStore, told: string[]): Promise<void> {
  expect(told.length).toBe(names.length * count);
  const options = { store, clock: realClock, random: realRandom, node: 'judge', kv: () => new MemoryKv(), cache: new MemoryBlobCache() };
  await using accounts = new LogAccounts(options);
  const account = await accounts.open('shared' as AccountId);
  const { ids, flagged, mailboxes } = account.read((reader) => {
    const emails = [...reader.emails()].map((id) => ({
      id: reader.facts(id)!.messageIds[0]!,
      isFlagged: reader.email(id)!.keywords.includes('$flagged'),
    }));
    return {
      ids: emails.map(({ id }) => id),
      flagged: emails.filter(({ isFlagged }) => isFlagged).map(({ id }) => id),
      mailboxes: reader.mailboxes().length,
    };
  });
  expect(ids.sort()).toEqual(told.sort());
  expect(flagged.sort()).toEqual(told.filter((id) => Number.parseInt(id, 10) % 2 === 0).sort());
  expect(mailboxes).toBe(6);
  const findings: Finding[] = [];
  await accounts.verify(account.id, { isDeep: true }, (finding) => findings.push(finding));
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
}

it('on the file store nothing is lost and nothing doubled', { timeout: 120_000 }, async () => {
  const path = mkdtempSync(join(tmpdir(), 'satchel-writers-'));
  try {
    const told = await race({ path });
    await check(await openFileStore({ path, clock: realClock, random: realRandom }), told);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});

it('on S3 whose replies are dropped at random nothing is lost and nothing doubled', { timeout: 180_000 }, async () => {
  await using s3 = await startStrictS3();
  s3.faults.add({ kind: 'dropReply' }, { operation: 'PutObject' }, { rate: 0.05 });
  s3.faults.add({ kind: 'dropRequest' }, {}, { rate: 0.01 });
  const { endpoint, bucket, region, credentials } = s3;
  const told = await race({ endpoint, bucket, region, credentials, forcePathStyle: true });
  await check(s3.store, told);
});
