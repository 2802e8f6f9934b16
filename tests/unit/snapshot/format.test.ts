/** docs/FORMAT.md keeps what it promises: its scripts recover mail from a bucket that Satchel wrote, and it names all that is written. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findMessages } from '../../../server/transfer/find-messages.ts';
import { AccountIndex } from '../../../storage/index/account-index.ts';
import { MemoryKv } from '../../../storage/index/memory-kv.ts';
import type { BlobRef } from '../../../storage/log/record.ts';
import { accountPrefix } from '../../../storage/objects/object-keys.ts';
import { accountId, Life } from './life.ts';

const format = readFileSync(new URL('../../../docs/FORMAT.md', import.meta.url), 'utf8');
const scripts = [...format.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, script]) => script!);
const hasTools = ['zstd', 'jq', 'bash', 'sha256sum'].every((tool) => spawnSync(tool, ['--version']).status === 0);

const life = new Life(await AccountIndex.open(new MemoryKv()), 4);
const folder = mkdtempSync(join(tmpdir(), 'satchel-format-'));

function run(script: string): string {
  const { stdout, stderr, status } = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

interface Recovered {
  readonly mailbox: string;
  readonly uid: number;
  readonly keywords: readonly string[];
  readonly isDeleted: boolean;
  readonly receivedAt: number;
  readonly raw: string;
}

const inOrder = (found: readonly Recovered[]) =>
  [...found].sort((a, b) => (a.mailbox < b.mailbox ? -1 : a.mailbox > b.mailbox ? 1 : a.uid - b.uid));

/** What there is, by the index. */
function held(): Recovered[] {
  const view = life.index.view();
  const lines = (kind: string) => [...view.parts()].filter((part) => part.kind === kind).flatMap((part) => part.lines());
  const records = lines('email').map((line) => JSON.parse(line) as { id: number; blob: BlobRef; receivedAt: number });
  const emails = new Map(records.map((record) => [record.id, record]));
  const found: Recovered[] = [];
  for (const line of lines('state')) {
    const {
      id,
      keywords,
      in: places,
    } = JSON.parse(line) as { id: number; keywords: string[]; in: [number, number, number, number, 0 | 1][] };
    const { blob, receivedAt } = emails.get(id)!;
    const raw = readFileSync(join(folder, blob.object)).toString('latin1', blob.offset, blob.offset + blob.length);
    for (const [mailbox, uid, , , deleted] of places) {
      const name = ['', 'INBOX', 'Archive', 'Work', 'a.b/c%', 'Sub'][mailbox]!;
      const path = name === 'Sub' ? 'Work/Sub' : name;
      found.push({
        mailbox: path,
        uid,
        keywords: [...keywords].sort(),
        isDeleted: deleted === 1,
        receivedAt: Math.floor(receivedAt / 1000) * 1000,
        raw,
      });
    }
  }
  view.release();
  return inOrder(found);
}

/** What the script wrote, as `import` reads it. */
async function recovered(): Promise<Recovered[]> {
  const found: Recovered[] = [];
  const options = { messageBytesMax: 1e6, onFault: (origin: string, sentence: string) => expect.fail(`${origin}: ${sentence}`) };
  for await (const { origin, mailbox, raw, receivedAt, keywords, isDeleted } of findMessages([join(folder, 'mail')], options)) {
    const uid = Number(/\.U(\d+)\./.exec(origin)![1]);
    found.push({
      mailbox: mailbox!.join('/'),
      uid,
      keywords: [...keywords].sort(),
      isDeleted,
      receivedAt: receivedAt!,
      raw: raw.toString('latin1'),
    });
  }
  return inOrder(found);
}

beforeAll(async () => {
  const mailboxes = await life.createMailboxes();
  for (let day = 0; day < 60; day++) await life.live(day, mailboxes);
  await life.snapshot();
  for (let day = 60; day < 70; day++) await life.deliver(day + 1, mailboxes);
  await life.commit((tx) => {
    mailboxes.push(tx.createMailbox({ name: 'a.b/c%', parent: null }).id);
    mailboxes.push(tx.createMailbox({ name: 'Sub', parent: mailboxes[2]! }).id);
    mailboxes.push(tx.createMailbox({ name: 'Gone', parent: null }).id);
  });
  for (let day = 70; day < 90; day++) await life.live(day, mailboxes);
  await life.commit((tx) => tx.removeMailbox(mailboxes.pop()!));
  const prefix = accountPrefix(accountId);
  for await (const { key } of life.store.list(prefix)) {
    const file = join(folder, key.slice(prefix.length));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, (await life.store.get(key)).body);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!hasTools)('by hand (skipped where zstd, jq, bash or sha256sum is missing)', () => {
  test.each(['with', 'without'])('the script recovers every message with its mailbox, flags and time, %s the snapshot', async (how) => {
    if (how === 'without') for (const name of ['manifest', 'part']) rmSync(join(folder, name), { recursive: true });
    run(scripts.find((script) => script.startsWith('# recover-mail.sh'))!);
    const wanted = held();
    expect(await recovered()).toEqual(wanted);
    // The account has seen what the script must follow.
    for (const keyword of ['$seen', '$flagged', 'work']) expect(wanted.some(({ keywords }) => keywords.includes(keyword))).toBe(true);
    expect(wanted.some(({ isDeleted }) => isDeleted)).toBe(true);
    const mailboxes = readFileSync(join(folder, 'mail/mailboxes.tsv'), 'utf8').split('\n').slice(0, -1);
    expect(mailboxes).toEqual(['1\t\tInbox\t', '2\t\tArchive\t', '3\t\tWork\t', '4\t\ta.b/c%\t', '5\t3\tSub\t']);
    rmSync(join(folder, 'mail'), { recursive: true });
  });

  test('the raw objects are checked by their names', () => {
    run(scripts.find((script) => script.includes('sha256sum -c'))!);
  });

  test('the chain is checked by the headers', () => {
    const commits = readdirSync(join(folder, 'log')).sort();
    let before = '';
    for (const commit of commits) {
      const [header, first] = run(`zstd -dc log/${commit} | head -n 2`).split('\n');
      const hash = run(`zstd -dc log/${commit} | tail -n +2 | sha256sum`).slice(0, 64);
      expect((JSON.parse(header!) as { sha256: string }).sha256).toBe(hash);
      expect((JSON.parse(first!) as { prev: string }).prev).toBe(before);
      before = hash;
    }
  });
});

test('every change of the log is in the table of changes', () => {
  const source = readFileSync(new URL('../../../storage/log/record.ts', import.meta.url), 'utf8');
  const kinds = [...source.matchAll(/do: '([a-z.]+)'/g)].map(([, kind]) => kind!);
  expect(kinds.length).toBeGreaterThan(10);
  for (const kind of kinds) expect(format).toContain(`| \`${kind}\` |`);
});

test('every kind of record that the index writes, and each of its fields, is described', async () => {
  const view = life.index.view();
  const [, records] = format.split('### Records of parts') as [string, string];
  for (const part of view.parts()) {
    expect(records).toContain(`| \`${part.kind}\` |`);
    for (const line of part.lines()) {
      const record = JSON.parse(line) as Record<string, unknown>;
      if (!Array.isArray(record))
        for (const field of Object.keys(record)) expect(format, `${part.kind} ${field}`).toContain(`\`${field}\``);
    }
  }
  view.release();
});
