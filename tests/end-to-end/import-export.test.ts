/** Mail from files and back to files, by the command line, and what `status` and `trace` say of mail; with a server and without one. */
import { hash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { formatMboxMessage } from '../../server/transfer/mbox.ts';
import { spamAssassinMessages } from '../support/corpus.ts';
import { makeServerFolder } from '../support/running-server.ts';
import { sesMessage } from '../support/ses-message.ts';

const corpus = spamAssassinMessages().map(({ raw }) => withoutSeparator(raw));
const wanted = [...new Set(corpus.map((raw) => hash('sha256', raw)))].sort();

/** Some of the corpus were kept with the line that mbox put before them, and one without the last line end, which an mbox cannot tell. */
function withoutSeparator(raw: Buffer): Buffer {
  const message = raw.toString('latin1', 0, 5) === 'From ' ? raw.subarray(raw.indexOf(10) + 1) : raw;
  return message.at(-1) === 10 ? message : Buffer.concat([message, Buffer.from('\n')]);
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

const hashesIn = (folder: string) =>
  filesIn(folder)
    .filter((file) => file.includes('/cur/'))
    .map((file) => hash('sha256', readFileSync(file)))
    .sort();

it('the SpamAssassin corpus as mbox, imported twice, is there once, and comes out byte for byte, and in again', {
  timeout: 240_000,
}, async () => {
  using folder = makeServerFolder();
  await using server = await folder.start();
  const mbox = join(folder.path, 'corpus.mbox');
  writeFileSync(mbox, Buffer.concat(corpus.map((raw) => formatMboxMessage(raw, 'a@b.example', 1_000_000_000_000))));
  const imported = async () => JSON.parse((await folder.satchel(['import', 'me@localhost', mbox, '--mailbox', 'Old/Spam', '--json'])).out);
  expect(await imported()).toMatchObject({ found: corpus.length, added: wanted.length, faults: [] });
  expect(await imported()).toMatchObject({ found: corpus.length, added: 0, known: corpus.length });
  const client = await server.imap();
  expect(await client.status('Old/Spam', { messages: true })).toMatchObject({ messages: wanted.length });
  // The files have LF; mail programs get CRLF (RFC 5322 §2.3).
  await client.mailboxOpen('Old/Spam');
  const text = corpus[0]!.toString('latin1');
  const [, messageId] = /^Message-Id: (.*)/im.exec(text)!;
  const [uid] = (await client.search({ header: { 'message-id': messageId! } }, { uid: true })) as number[];
  const { source } = (await client.fetchOne(`${uid}`, { source: true }, { uid: true })) as { source: Buffer };
  expect(source.toString('latin1')).toBe(text.replaceAll('\n', '\r\n'));
  await client.logout();

  const out = join(folder.path, 'out');
  const exported = await folder.satchel(['export', 'me@localhost', out]);
  expect(exported).toMatchObject({ code: 0, out: expect.stringMatching(new RegExp(`^${wanted.length} messages of me@localhost`)) });
  expect(hashesIn(out)).toEqual(wanted);
  expect(await folder.satchel(['export', 'me@localhost', out])).toMatchObject({ code: 1, err: expect.stringContaining('not empty') });
});

it('without a server, what is exported comes in again elsewhere with its mailboxes, flags and times', { timeout: 120_000 }, async () => {
  using folder = makeServerFolder();
  const run = async (...args: string[]) => expect(await folder.satchel(args)).toMatchObject({ code: 0 });
  await run('domain', 'add', 'localhost');
  for (const name of ['me', 'maildir', 'mbox']) await run('account', 'add', `${name}@localhost`);
  const source = join(folder.path, 'in.mbox');
  const flags = { mailbox: ['Lists', 'a.b'], keywords: ['$flagged', '$junk', '$seen'], isDeleted: true };
  writeFileSync(source, formatMboxMessage(Buffer.from('Subject: one\n\n>From me\n'), 'a@b.example', 1_000_000_000_000));
  writeFileSync(`${source}.flags.json`, `${JSON.stringify(flags)}\n`);
  await run('import', 'me@localhost', source);
  const empty = join(folder.path, 'Old.mbox');
  writeFileSync(empty, '');
  const named = { mailbox: ['Old', '1/2.x'], keywords: [] };
  writeFileSync(`${empty}.flags.json`, `${JSON.stringify(named)}\n`);
  const imported = async (...args: string[]) => (await folder.satchel(['import', ...args])).out;
  expect(await imported('me@localhost', empty)).toBe(
    '0 messages found: 0 added to me@localhost, 0 there already. Empty mailboxes made: 1.\n',
  );
  expect(await imported('me@localhost', empty)).not.toContain('made');
  for (const format of ['maildir', 'mbox']) {
    const report = async (address: string) => {
      const out = join(folder.path, `${format} of ${address}`);
      await run('export', address, out, '--format', format);
      const contents = filesIn(out).map((file) => [
        file.slice(out.length).replace(/M\d+U\d+/, ''),
        readFileSync(file, 'utf8').replace(/^From \S+/, 'From'),
      ]);
      return { out, contents };
    };
    const first = await report('me@localhost');
    expect(JSON.stringify(first.contents)).toContain(format === 'mbox' ? '>>From me' : '1000000000..satchel,S=23:2,FSTa');
    expect(JSON.stringify(first.contents)).toContain(format === 'mbox' ? '/Old/1%2F2.x.mbox' : '/.Old.1%2F2%2Ex/maildirfolder');
    await run('import', `${format}@localhost`, first.out);
    expect((await report(`${format}@localhost`)).contents).toEqual(first.contents);
  }
});

it('trace tells the stations of a delivered, a junked and a failed message, also after a restart; status counts them', {
  timeout: 120_000,
}, async () => {
  using folder = makeServerFolder();
  const texts: string[][] = [];
  for (const round of [1, 2]) {
    await using server = await folder.start();
    if (round === 1) {
      await folder.drop('good1', sesMessage({ id: 'good1', to: 'me@localhost' }));
      await folder.drop('spam1', sesMessage({ id: 'spam1', to: 'me@localhost', spam: 'FAIL' }));
      await folder.drop('lost1', sesMessage({ id: 'lost1', to: 'nobody@localhost' }));
      const { store } = server.app;
      await expect.poll(async () => (await store.of('test').listPage('inbound/')).objects.length, { timeout: 20_000 }).toBe(0);
    }
    const traces = await Promise.all(['good1', 'spam1', 'lost1'].map((id) => folder.satchel(['trace', id])));
    texts.push(traces.map(({ out }) => out));
    const [good, spam, lost] = traces.map(({ out }) => out) as [string, string, string];
    expect(good).toMatch(
      /arrived +by SES as good1.*\n.*verdict +spam PASS.*\n.*recipient +me@localhost.*\n.*delivered .*\n.*lies +in INBOX, UID 1/,
    );
    expect(spam).toMatch(/junked +put into Junk because of X-SES-Spam-Verdict: FAIL\n.*lies +in Junk, UID 1/);
    expect(lost).toMatch(/held +failed for nobody@localhost: There is nobody here.*unknownRecipient.*satchel failed show lost1/);
    if (round === 2) continue;
    expect((await folder.satchel(['trace', 'nobody@localhost'])).out).toBe(lost);
    const [, messageId] = /<(\S+)>/.exec(good)!;
    expect((await folder.satchel(['trace', messageId!])).out).toContain('good1');
    expect(await folder.satchel(['trace', 'never@was.example'])).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^Nothing is known of it here\./),
    });
    const status = JSON.parse((await folder.satchel(['status', '--json'])).out);
    expect(status).toMatchObject({
      accounts: [{ address: 'me@localhost', messages: 2, unread: 1 }],
      queues: { inbound: { count: 0 }, held: { count: 1 } },
    });
    expect(status.store.requests).toBeGreaterThan(0);
    expect((await folder.satchel(['status'])).out).toMatch(/me@localhost +6 +2 +1 /);
  }
  expect(texts[1]).toEqual(texts[0]);
});
