/** Mail from users: swaks and curl send by SMTP, to an account here and by a relay to a server elsewhere. DKIM is verified by another library. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verbs } from '../../server/admin/verbs.ts';
import { JamSender } from '../support/jmap/jam-sender.ts';
import { LineClient } from '../support/line-client.ts';
import { makeServerFolder, password, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { makeSigningKeys } from '../support/signing-keys.ts';
import { SmtpSink } from '../support/smtp-sink.ts';

let folder: ServerFolder;
let server: RunningServer;
let sink: SmtpSink;
const any = '127.0.0.1:0';

beforeEach(async () => {
  sink = await SmtpSink.open();
  folder = makeServerFolder({
    listen: { http: any, https: null, imap: null, imaps: any, lmtp: null, submission: any, submissions: any, managesieve: null },
    relay: { driver: 'smtp', host: '127.0.0.1', port: sink.port, tls: 'none' },
    submission: { keepSent: true },
  });
  server = await folder.start();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
  await sink[Symbol.asyncDispose]();
});

function run(program: string, args: readonly string[], input = ''): Promise<{ readonly code: number; readonly out: string }> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: 20_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: `${out}${err}` });
    });
    child.stdin!.end(input);
  });
}

async function messagesIn(mailbox: string): Promise<{ subject: string; source: string }[]> {
  const imap = await server.imap();
  const { exists } = await imap.mailboxOpen(mailbox);
  const found = exists === 0 ? [] : await imap.fetchAll('1:*', { envelope: true, source: true });
  await imap.logout();
  return found.map(({ envelope, source }) => ({ subject: envelope!.subject!, source: source!.toString() }));
}

const verb = (name: string, parameters: object) => verbs.find((row) => row.name === name)!.run(server.app.services, parameters);

const hasSwaks = existsSync('/usr/bin/swaks');
const hasCurl = existsSync('/usr/bin/curl');

describe('a message from a user', () => {
  it.skipIf(!hasSwaks)('goes inside and outside by swaks, with STARTTLS; a copy is in Sent', async () => {
    const { port } = server.addressOf('submission');
    const args = ['--server', `127.0.0.1:${port}`, '-tls', '--auth', 'PLAIN', '--auth-user', 'me@localhost', '--auth-password', password];
    const { code, out } = await run('swaks', [
      ...args,
      '--from',
      'me@localhost',
      '--to',
      'me@localhost,zoe@elsewhere.example',
      '--h-Subject',
      'By swaks',
      '--add-header',
      'Bcc: hidden@elsewhere.example',
    ]);
    expect(`${code} ${out}`).toMatch(/^0 /);
    const [message] = await sink.received(1);
    expect(message).toMatchObject({ from: 'me@localhost', to: ['zoe@elsewhere.example'] });
    expect(message!.bytes.toString()).toMatch(/^Received: by .* with ESMTPSA id s/);
    expect(message!.bytes.toString()).not.toMatch(/^Bcc:/m);
    expect(message!.messageId).not.toBe('');
    await expect.poll(async () => (await messagesIn('INBOX')).map(({ subject }) => subject)).toEqual(['By swaks']);
    expect((await messagesIn('Sent'))[0]!.source).toContain('Bcc: hidden@elsewhere.example');
  });

  it.skipIf(!hasCurl)('goes by curl over TLS', async () => {
    const { port } = server.addressOf('submissions');
    const file = join(folder.path, 'mail.eml');
    await writeFile(file, 'From: Me <me@localhost>\r\nTo: zoe@elsewhere.example\r\nSubject: By curl\r\n\r\nHello\r\n');
    const args = ['-sS', '--insecure', '--user', `me@localhost:${password}`, '--mail-from', 'me@localhost'];
    const { code, out } = await run('curl', [
      ...args,
      '--mail-rcpt',
      'zoe@elsewhere.example',
      '--upload-file',
      file,
      `smtps://127.0.0.1:${port}`,
    ]);
    expect(`${code} ${out}`).toBe('0 ');
    const [message] = await sink.received(1);
    expect(message!.bytes.toString()).toMatch(/^Date: /m);
  });

  for (const program of ['mutt', 'neomutt']) {
    it.skipIf(!existsSync(`/usr/bin/${program}`))(
      `goes by ${program} as it comes, which logs in by the first mechanism that it knows`,
      async () => {
        const { port } = server.addressOf('submissions');
        const settings = {
          smtp_url: `smtps://me%40localhost@localhost:${port}/`,
          smtp_pass: password,
          certificate_file: join(folder.path, 'data/tls/cert.pem'),
          from: 'me@localhost',
          record: '',
        };
        const set = Object.entries(settings).flatMap(([name, value]) => ['-e', `set ${name}="${value}"`]);
        const { code, out } = await run(program, ['-n', '-F', '/dev/null', ...set, '-s', `by ${program}`, 'me@localhost'], 'Hello\n');
        expect({ code, out }).toEqual({ code: 0, out: '' });
        await expect
          .poll(async () => (await messagesIn('INBOX')).map(({ subject }) => subject), { timeout: 5000 })
          .toEqual([`by ${program}`]);
      },
    );
  }

  it('is signed with the active keys of its domain, rsa and ed25519', async () => {
    await verb('domain add', { name: 'boats.example' });
    await verb('alias add', { alias: 'me@boats.example', address: 'me@localhost' });
    const records = await makeSigningKeys(verb, 'boats.example');
    const client = LineClient.connect(server.addressOf('submission'));
    const subject = 'Boats:  two   spaces\r\n\tand a fold';
    await submit(
      client,
      'me@boats.example',
      'zoe@elsewhere.example',
      `From: me@boats.example\r\nSubject: ${subject}\r\n\r\nBody  with \t spaces  \r\n\r\n\r\n`,
    );
    const [message] = await sink.received(1);
    const resolver = async (name: string) => [[records.get(name) ?? '']];
    const { results } = await dkimVerify(message!.bytes, { resolver });
    expect(results.map(({ status, algo }) => `${algo} ${status.result}`).sort()).toEqual(['ed25519-sha256 pass', 'rsa-sha256 pass']);
    const forged = Buffer.from(message!.bytes.toString('latin1').replace('Body', 'Bodies'), 'latin1');
    expect((await dkimVerify(forged, { resolver })).results.map(({ status }) => status.result)).toEqual(['neutral', 'neutral']);
  });

  it('that the relay refuses comes back as a report, in the thread of the copy', async () => {
    sink.refusal = () => ({ code: 550, status: '5.1.1', text: 'No such user' });
    const client = LineClient.connect(server.addressOf('submission'));
    await submit(
      client,
      'me@localhost',
      'zoe@elsewhere.example',
      'From: me@localhost\r\nMessage-ID: <x1@localhost>\r\nSubject: Boats\r\n\r\nx\r\n',
    );
    await expect.poll(async () => (await messagesIn('INBOX')).map(({ subject }) => subject)).toEqual(['[Undelivered] Boats']);
    const [report] = await messagesIn('INBOX');
    const traced = (await verb('trace', { what: 'x1@localhost' })) as { messages: { stations: { station: string; text: string }[] }[] };
    expect(traced.messages.map(({ stations }) => stations).find(([first]) => first!.station === 'sent')).toMatchObject([
      { station: 'sent', text: expect.stringContaining('by me@localhost (smtp)') },
      { station: 'left', text: 'failed to zoe@elsewhere.example after 1 attempt: 550 5.1.1 No such user' },
    ]);
    expect(report!.source).toContain('Diagnostic-Code: smtp; 550 5.1.1 No such user');
    const account = await server.app.accounts.open(server.app.services.directory.accountByAddress('me@localhost')!.id);
    const threads = account.read((reader) => [...reader.emails()].map((id) => reader.email(id)!.thread));
    expect(new Set(threads).size).toBe(1);
    expect(threads).toHaveLength(2);
  });

  it('held by FUTURERELEASE waits in the outbox and can be taken back', async () => {
    const client = LineClient.connect(server.addressOf('submission'));
    await submit(client, 'me@localhost> HOLDFOR=3600', 'zoe@elsewhere.example', 'From: me@localhost\r\nSubject: Later\r\n\r\nx\r\n');
    const { submissions } = (await verb('outbox list', {})) as { submissions: { id: string; state: string }[] };
    expect(submissions).toMatchObject([{ state: 'pending' }]);
    await verb('outbox cancel', { account: 'me@localhost', id: submissions[0]!.id });
    expect(sink.messages).toEqual([]);
    expect(((await verb('outbox list', {})) as { submissions: unknown[] }).submissions).toEqual([]);
  });
});

describe('what failed for good', () => {
  it('is listed with its reason, also where nobody can be told of it, and not what waits', async () => {
    sink.refusal = () => ({ code: 550, status: '5.1.1', text: 'No such user' });
    await verb('rule add', { name: 'journal', clauses: ['journal=archive@elsewhere.example'], direction: 'outbound' });
    const client = LineClient.connect(server.addressOf('submission'));
    await submit(client, 'me@localhost', 'zoe@elsewhere.example', 'From: me@localhost\r\nSubject: Boats\r\n\r\nx\r\n');
    const failed = async (account?: string) => (await verb('outbox list', { failed: true, ...(account && { account }) })) as FailedList;
    await expect.poll(async () => (await failed()).submissions.length).toBe(2);
    const [journal] = (await failed('outbox')).submissions;
    const recipients = [{ address: 'archive@elsewhere.example', state: 'failed', attempts: 1, smtpReply: '550 5.1.1 No such user' }];
    expect(journal).toMatchObject({ account: 'outbox', origin: 'rule', from: '', nextAt: null, recipients });
    const text = verbs.find(({ name }) => name === 'outbox list')!.print(await failed());
    expect(text).toMatch(/^outbox .* rule +archive@elsewhere\.example +1 +550 5\.1\.1 No such user$/m);
    expect(text).toMatch(/^me@localhost .* smtp +zoe@elsewhere\.example +1 +550 5\.1\.1 No such user$/m);
    // The report to the sender is on its way for a moment.
    await expect.poll(() => verb('outbox list', {})).toEqual({ submissions: [], hasMore: false });
  });
});

interface FailedList {
  readonly submissions: readonly object[];
}

describe('a message by SMTP whose copy is in Sent', () => {
  it('is a submission in JMAP too: held by FUTURERELEASE it is taken back there', async () => {
    const jam = await JamSender.connect(server);
    expect(await jam.submissionIds()).toEqual([]);
    const client = LineClient.connect(server.addressOf('submission'));
    await submit(client, 'me@localhost> HOLDFOR=3600', 'zoe@elsewhere.example', 'From: me@localhost\r\nSubject: Later\r\n\r\nx\r\n');
    const [id] = await jam.submissionIds();
    expect(await jam.look(id!)).toMatchObject({
      undoStatus: 'pending',
      envelope: { mailFrom: { email: 'me@localhost', parameters: { HOLDFOR: '3600' } }, rcptTo: [{ email: 'zoe@elsewhere.example' }] },
    });
    expect(await jam.undo(id!)).toMatchObject({ updated: { [id!]: null } });
    expect(((await verb('outbox list', {})) as { submissions: unknown[] }).submissions).toEqual([]);
    expect(sink.messages).toEqual([]);
  });
});

describe('a grant to send as somebody else', () => {
  it('opens the address by SMTP and JMAP, until it is taken away', async () => {
    await verb('account add', { address: 'boss@localhost', password });
    const jam = await JamSender.connect(server);
    const client = LineClient.connect(server.addressOf('submission'));
    const asBoss = { subject: 'By JMAP', from: 'boss@localhost', to: ['zoe@elsewhere.example'] };
    await client.send('', /^220 /);
    await client.send('EHLO c\r\n', /^250 /m);
    await client.send(`AUTH PLAIN ${Buffer.from(`\0me@localhost\0${password}`).toString('base64')}\r\n`, /^235 /m);
    expect(await client.send('MAIL FROM:<boss@localhost>\r\n', /^\d{3} .*\r\n/m)).toMatch(/^553 5\.7\.1 /);
    await expect(jam.send(asBoss)).rejects.toThrow(/forbiddenFrom/);
    await verb('send-as add', { account: 'me@localhost', as: 'Boss@localhost' });
    expect(await verb('send-as list', {})).toEqual({ grants: [{ account: 'me@localhost', as: 'boss@localhost' }] });
    expect(await client.send('MAIL FROM:<boss@localhost>\r\nRCPT TO:<zoe@elsewhere.example>\r\nDATA\r\n', /^354 /m)).toContain('354');
    await client.send('From: boss@localhost\r\nSubject: By SMTP\r\n\r\nx\r\n.\r\n', /^250 2\.0\.0 queued/m);
    await jam.send(asBoss);
    const messages = await sink.received(2);
    expect(messages.map(({ bytes }) => /^From: (.*)\r$/m.exec(bytes.toString())![1])).toEqual(['boss@localhost', 'boss@localhost']);
    // RFC 8621 §7: the envelope is the identity's, which is the user's own.
    expect(messages.map(({ from }) => from)).toEqual(['boss@localhost', 'me@localhost']);
    await verb('send-as remove', { account: 'me@localhost', as: 'boss@localhost' });
    expect(await client.send('MAIL FROM:<boss@localhost>\r\n', /^\d{3} .*\r\n/m)).toMatch(/^553 5\.7\.1 /);
    await expect(jam.send(asBoss)).rejects.toThrow(/forbiddenFrom/);
  });
});

/** Logs in and sends; resolves when it was acknowledged. */
async function submit(client: LineClient, from: string, to: string, message: string): Promise<void> {
  await client.send('', /^220 /);
  await client.send('EHLO c\r\n', /^250 /m);
  await client.send(`AUTH PLAIN ${Buffer.from(`\0me@localhost\0${password}`).toString('base64')}\r\n`, /^235 /m);
  const path = from.includes('>') ? `<${from}` : `<${from}>`;
  await client.send(`MAIL FROM:${path}\r\nRCPT TO:<${to}>\r\nDATA\r\n`, /^354 /m);
  expect(await client.send(`${message}.\r\n`, /^\d{3} .*\r\n/m)).toMatch(/^250 2\.0\.0 queued/);
}
