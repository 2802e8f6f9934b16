/**
 * Two processes write to one account at once: what each was told is there, once. On the file store, on S3 whose replies get lost, and on the S3
 * server that the environment names: S3_ENDPOINT, S3_BUCKET, the AWS SDK's credentials, and in S3_DISTURB a shell command that takes the server
 * away and brings it back (tests/interop/ceph-rgw.sh has one to run).
 */
import { exec, execFile } from 'node:child_process';
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
import { S3Store } from '../../storage/objects/s3.ts';
import type { Finding } from '../../storage/snapshot/findings.ts';
import { realClock, realRandom } from '../support/faulty-random.ts';
import { startStrictS3 } from '../support/s3/strict-s3.ts';

const count = 120;
const names = ['left', 'right'];

const endpoint = process.env['S3_ENDPOINT'];
const bucket = process.env['S3_BUCKET'];
const disturbance = process.env['S3_DISTURB'];
const whyNoEndpoint = endpoint && bucket ? '' : ' (skipped: S3_ENDPOINT and S3_BUCKET name no store to try)';
const whyNoDisturbance = whyNoEndpoint || (disturbance ? '' : ' (skipped: S3_DISTURB holds no command)');

/** Both children at once; resolves with what they were told. `disturb` is run once a third was told, and has an end before the children have. */
async function race(store: object, disturb?: () => Promise<unknown>): Promise<string[]> {
  const child = join(import.meta.dirname, 'two-writers-child.ts');
  let lines = 0;
  let disturbing: Promise<unknown> | undefined;
  const runs = names.map((name) => {
    const args = ['--disable-warning=ExperimentalWarning', child, name, String(count), JSON.stringify(store)];
    const run = promisify(execFile)(process.execPath, args);
    run.child.stdout!.on('data', (text: string) => {
      lines += text.split('\n').length - 1;
      if (lines >= (names.length * count) / 3) disturbing ??= disturb?.().then(() => expect(lines).toBeLessThan(names.length * count));
    });
    return run;
  });
  const told = await Promise.all(runs);
  await disturbing;
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

async function raceOnEndpoint(disturb?: () => Promise<unknown>): Promise<void> {
  const region = process.env['AWS_REGION'] ?? 'us-east-1';
  const options = { endpoint, bucket: bucket!, region, forcePathStyle: true, prefix: `two-writers-${realRandom.hex(4)}/` };
  const told = await race(options, disturb);
  await using store = new S3Store({ ...options, clock: realClock });
  await check(store, told);
  const left: string[] = [];
  for await (const { key } of store.list('')) left.push(key);
  await store.deleteMany(left);
}

it.skipIf(whyNoEndpoint)(
  `on the endpoint of the environment nothing is lost and nothing doubled${whyNoEndpoint}`,
  { timeout: 180_000 },
  () => raceOnEndpoint(),
);

it.skipIf(whyNoDisturbance)(
  `on the endpoint of the environment, taken away and brought back, nothing is lost and nothing doubled${whyNoDisturbance}`,
  { timeout: 240_000 },
  () => raceOnEndpoint(() => promisify(exec)(disturbance!)),
);
