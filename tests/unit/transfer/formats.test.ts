import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { exportMessages, formatExportReport } from '../../../server/transfer/export-messages.ts';
import { formatFolderName, formatMaildirFlags, parseFolderName, parseMaildirFlags } from '../../../server/transfer/maildir.ts';
import { formatMboxMessage, readMbox } from '../../../server/transfer/mbox.ts';
import { progressBar } from '../../../server/transfer/progress-bar.ts';

const line = fc.oneof(
  fc.constantFrom('', 'From a@b.example Thu Jan  1 00:00:00 1998', '>From x', '>>From y', 'Subject: x', 'text', '\r'),
  fc.string({ maxLength: 20 }).map((text) => text.replace(/\n/g, ' ')),
);
const message = fc
  .array(line, { minLength: 1, maxLength: 8 })
  .map((lines) => Buffer.from(`${lines.join('\n')}\n`))
  .filter((raw) => raw.toString().trim() !== '');

it('an mbox gives every message back as it was, at every split of the file', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 40 }), async (messages, size) => {
      const file = Buffer.concat(messages.map((raw) => formatMboxMessage(raw, 'a@b.example', 883_612_800_000)));
      async function* pieces() {
        for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
      }
      const read: string[] = [];
      for await (const { raw, receivedAt } of readMbox(pieces(), { messageBytesMax: 1e6, onFault: () => {} })) {
        read.push(raw.toString());
        expect(receivedAt).toBe(883_612_800_000);
      }
      expect(read).toEqual(messages.map(String));
    }),
  );
});

it('names of mailboxes come back from their folders', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 }), (path) => {
      fc.pre(!(path.length === 1 && path[0]!.toUpperCase() === 'INBOX'));
      expect(parseFolderName(formatFolderName(path))).toEqual(path);
    }),
  );
  expect([formatFolderName(['INBOX']), parseFolderName('')]).toEqual(['', ['INBOX']]);
});

it('flags come back from the names of files', () => {
  const custom: string[] = [];
  const flags = { keywords: ['$forwarded', '$junk', '$seen', 'work'], isDeleted: true };
  expect(formatMaildirFlags(flags, custom)).toBe('PSTab');
  expect(parseMaildirFlags('1.x:2,PSTab', custom)).toEqual(flags);
});

it('an export says which keywords it had no room for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'satchel-export-'));
  const row = { mailbox: ['INBOX'], uid: 1, email: 1, isDeleted: true, receivedAt: 1_000_000, envelopeFrom: '' };
  const keywords = ['$seen', ...Array.from({ length: 28 }, (_, index) => `k${index}`)];
  const answers: Readonly<Record<string, unknown>> = {
    'mailbox list': { mailboxes: [['INBOX']] },
    'message list': { rows: [{ ...row, keywords }], next: null },
    'message get': { raw: Buffer.from('Subject: x\n').toString('base64') },
  };
  const call = async (name: string) => answers[name];
  for (const [format, omitted] of [
    ['maildir', 2],
    ['mbox', 0],
  ] as const) {
    const report = await exportMessages({ call, address: 'a@b.example', folder: join(folder, format), format });
    expect(report.keywordsOmitted).toBe(omitted);
    expect(formatExportReport(report).includes('2 keywords were left out')).toBe(omitted > 0);
  }
  rmSync(folder, { recursive: true });
});

it('a progress bar is drawn ten times a second at most, and only where somebody watches', () => {
  const written: string[] = [];
  let now = 0;
  const bar = progressBar(
    (text) => written.push(text),
    () => now,
  );
  bar.show('one', 0.5);
  bar.show('two', 0.6);
  now = 200;
  bar.show('three', 1);
  bar.clear();
  expect(written).toEqual([
    `\r\x1b[K[${'#'.repeat(12)}${'.'.repeat(12)}]  50 %  one`,
    `\r\x1b[K[${'#'.repeat(24)}] 100 %  three`,
    '\r\x1b[K',
  ]);
  progressBar(undefined, () => 0).show('nothing');
});
