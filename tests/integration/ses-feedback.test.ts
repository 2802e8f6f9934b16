/** Mail out through SES's API, and what SES tells of it: what the sender sees of it over IMAP and JMAP, and what a run of complaints does to him. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { verbs } from '../../server/admin/verbs.ts';
import { countSending, ofDomain } from '../../storage/outbox/history.ts';
import { serviceOutboxId } from '../../storage/outbox/outbox.ts';
import { LineClient } from '../support/line-client.ts';
import { makeServerFolder, password, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { type SesMessage, SesServer, sesCredentials } from '../support/ses-server.ts';

const token = 'a token of the tests';
const any = '127.0.0.1:0';
let ses: SesServer;
let folder: ServerFolder;
let server: RunningServer;

beforeAll(async () => {
  ses = await SesServer.open();
  folder = makeServerFolder({
    listen: { http: any, https: null, imap: null, imaps: any, lmtp: null, submission: any, submissions: null, managesieve: null },
    inbound: { sweepSeconds: 60, http: { token } },
    relay: { driver: 'ses', region: 'us-east-1', endpoint: ses.endpoint, configurationSet: 'mail', ...sesCredentials },
  });
  server = await folder.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
  await ses[Symbol.asyncDispose]();
});

const verb = (name: string, parameters: object) => verbs.find((row) => row.name === name)!.run(server.app.services, parameters);

async function jmap(method: string, args: object): Promise<Record<string, never>> {
  const { host, port } = server.addressOf('http');
  const authorization = `Basic ${Buffer.from(`me@localhost:${password}`).toString('base64')}`;
  const origin = `http://${host}:${port}`;
  const session = (await (await fetch(`${origin}/.well-known/jmap`, { headers: { authorization } })).json()) as {
    primaryAccounts: Record<string, string>;
    apiUrl: string;
  };
  const accountId = session.primaryAccounts['urn:ietf:params:jmap:mail'];
  const response = await fetch(new URL(session.apiUrl, origin).href.replace(/^https?:\/\/[^/]+/, origin), {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({
      using: ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail', 'urn:ietf:params:jmap:submission'],
      methodCalls: [[method, { accountId, ...args }, 'c']],
    }),
  });
  return ((await response.json()) as { methodResponses: [string, Record<string, never>, string][] }).methodResponses[0]![1];
}

/** Sends over JMAP; resolves to the submission's id. */
async function sendByJmap(subject: string, to: string, more: object = {}): Promise<string> {
  const { ids } = (await jmap('Mailbox/query', { filter: { role: 'drafts' } })) as unknown as { ids: string[] };
  const email = {
    mailboxIds: { [ids[0]!]: true },
    from: [{ email: 'me@localhost' }],
    to: [{ email: to }],
    subject,
    textBody: [{ partId: '1', type: 'text/plain' }],
    bodyValues: { 1: { value: 'Hello' } },
  };
  const made = (await jmap('Email/set', { create: { e: email } })) as unknown as { created: { e: { id: string } } };
  const identities = (await jmap('Identity/get', {})) as unknown as { list: { id: string; email: string }[] };
  const submission = { emailId: made.created.e.id, identityId: identities.list[0]!.id, ...more };
  const sent = (await jmap('EmailSubmission/set', { create: { s: submission } })) as unknown as { created: { s: { id: string } } };
  return sent.created.s.id;
}

async function statusOf(id: string) {
  const got = (await jmap('EmailSubmission/get', { ids: [id] })) as unknown as {
    list: { undoStatus: string; deliveryStatus: Record<string, { smtpReply: string; delivered: string }>; dsnBlobIds: string[] }[];
  };
  return got.list[0]!;
}

async function sentBySes(count: number): Promise<SesMessage> {
  await expect.poll(() => ses.messages.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);
  return ses.messages[count - 1]!;
}

/** An event of SES about a message, as its configuration set posts it. */
async function tell(message: SesMessage, eventType: string, part: object): Promise<void> {
  const { host, port } = server.addressOf('http');
  const tags = Object.fromEntries(Object.entries(message.tags).map(([name, value]) => [name, [value]]));
  const mail = {
    messageId: message.messageId,
    source: 'me@localhost',
    destination: message.to,
    tags,
    timestamp: '2026-11-03T14:00:02.012Z',
  };
  const response = await fetch(`http://${host}:${port}/inbound`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ eventType, mail, ...part }),
  });
  expect(response.status).toBe(200);
}

async function inbox(): Promise<string[]> {
  const imap = await server.imap();
  const { exists } = await imap.mailboxOpen('INBOX');
  const found = exists === 0 ? [] : await imap.fetchAll('1:*', { envelope: true });
  await imap.logout();
  return found.map(({ envelope }) => envelope!.subject!);
}

it('a message by JMAP goes out through SES; a bounce is in deliveryStatus, in the INBOX and on the list', async () => {
  const id = await sendByJmap('Boats', 'zoe@elsewhere.example');
  const message = await sentBySes(1);
  expect(message).toMatchObject({ to: ['zoe@elsewhere.example'], configurationSet: 'mail', tags: { submission: id } });
  await expect
    .poll(async () => (await statusOf(id)).deliveryStatus['zoe@elsewhere.example'])
    .toMatchObject({
      smtpReply: `250 2.0.0 Ok ${message.messageId}`,
      delivered: 'unknown',
    });
  const bouncedRecipients = [{ emailAddress: 'zoe@elsewhere.example', status: '5.1.1', diagnosticCode: 'smtp; 550 5.1.1 user unknown' }];
  await tell(message, 'Bounce', { bounce: { bounceType: 'Permanent', bounceSubType: 'NoEmail', feedbackId: 'b1', bouncedRecipients } });
  expect(await statusOf(id)).toMatchObject({
    undoStatus: 'final',
    deliveryStatus: { 'zoe@elsewhere.example': { smtpReply: '550 5.1.1 user unknown', delivered: 'no' } },
    dsnBlobIds: [expect.any(String)],
  });
  await expect.poll(inbox).toEqual(['[Undelivered] Boats']);
  expect(await verb('suppression list', {})).toMatchObject({ addresses: [{ address: 'zoe@elsewhere.example', reason: 'bounce' }] });
  ses.suppressed.push('Zoe@elsewhere.example');
  expect(await verb('suppression remove', { address: 'zoe@elsewhere.example' })).toMatchObject({ isRemoved: true, isRemovedAtRelay: true });
  expect(await verb('suppression list', {})).toMatchObject({ addresses: [] });
});

it.skipIf(!existsSync('/usr/bin/swaks'))('swaks sends inside and outside through SES', async () => {
  const count = ses.messages.length;
  const { port } = server.addressOf('submission');
  const login = ['-tls', '--auth', 'PLAIN', '--auth-user', 'me@localhost', '--auth-password', password];
  const message = ['--from', 'me@localhost', '--to', 'me@localhost,wim@elsewhere.example', '--h-Subject', 'By swaks'];
  const options = { timeout: 20_000 };
  await promisify(execFile)('swaks', ['--server', `127.0.0.1:${port}`, ...login, ...message], options);
  expect((await sentBySes(count + 1)).to).toEqual(['wim@elsewhere.example']);
  await expect.poll(inbox).toContain('By swaks');
});

it.skipIf(!existsSync('/usr/bin/curl'))('curl sends outside through SES', async () => {
  const count = ses.messages.length;
  const { port } = server.addressOf('submission');
  const file = join(folder.path, 'mail.eml');
  await writeFile(file, 'From: Me <me@localhost>\r\nTo: wim@elsewhere.example\r\nSubject: By curl\r\n\r\nHello\r\n');
  const login = ['-sS', '--insecure', '--ssl-reqd', '--user', `me@localhost:${password}`, `smtp://127.0.0.1:${port}`];
  await promisify(execFile)('curl', [
    ...login,
    '--mail-from',
    'me@localhost',
    '--mail-rcpt',
    'wim@elsewhere.example',
    '--upload-file',
    file,
  ]);
  expect((await sentBySes(count + 1)).bytes.toString()).toContain('Subject: By curl');
});

it('a reply, which knows the message by the name that SES gave it, comes into its thread', async () => {
  const count = ses.messages.length;
  await sendByJmap('Tides', 'yan@elsewhere.example');
  const message = await sentBySes(count + 1);
  const [, wireId] = /^Message-ID: (.*)\r$/im.exec(message.bytes.toString())!;
  expect(wireId).toMatch(/@email\.amazonses\.com>$/);
  const account = await server.app.accounts.open(server.app.services.directory.accountByAddress('me@localhost')!.id);
  // What SES answered is to be written down first.
  await expect.poll(() => account.read((reader) => reader.object('SentAs', message.messageId))).toBeDefined();
  const reply = `From: yan@elsewhere.example\r\nTo: me@localhost\r\nSubject: Re: Tides\r\nMessage-ID: <r1@elsewhere.example>\r\nIn-Reply-To: ${wireId}\r\nReferences: ${wireId}\r\n\r\nYes\r\n`;
  await folder.drop('reply1', Buffer.from(reply));
  const { host, port } = server.addressOf('http');
  const record = {
    eventVersion: '2.0',
    eventSource: 'minio:s3',
    eventName: 's3:ObjectCreated:Put',
    s3: { bucket: { name: 'mail' }, object: { key: 'inbound/reply1' } },
  };
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  await fetch(`http://${host}:${port}/inbound`, { method: 'POST', headers, body: JSON.stringify({ Records: [record] }) });
  await expect.poll(inbox).toContain('Re: Tides');
  const threads = account.read((reader) =>
    [...reader.emails()].filter((id) => reader.facts(id)!.subject.endsWith('Tides')).map((id) => reader.email(id)!.thread),
  );
  expect(threads).toHaveLength(2);
  expect(new Set(threads).size).toBe(1);
});

it('sent later by JMAP waits, and can be taken back', async () => {
  const before = ses.messages.length;
  const envelope = { mailFrom: { email: 'me@localhost', parameters: { HOLDFOR: '3600' } }, rcptTo: [{ email: 'yan@elsewhere.example' }] };
  const id = await sendByJmap('Later', 'yan@elsewhere.example', { envelope });
  expect(await statusOf(id)).toMatchObject({ undoStatus: 'pending' });
  const answer = await jmap('EmailSubmission/set', { update: { [id]: { undoStatus: 'canceled' } } });
  expect(answer).toMatchObject({ updated: { [id]: null } });
  expect(await statusOf(id)).toMatchObject({ undoStatus: 'canceled' });
  expect(ses.messages).toHaveLength(before);
});

it('a run of complaints stops the account, which hears of it; the administrator releases it', async () => {
  const count = ses.messages.length;
  await sendByJmap('To the many', 'yan@elsewhere.example');
  const message = await sentBySes(count + 1);
  for (let complaint = 1; complaint <= 5; complaint += 1) {
    const complainedRecipients = [{ emailAddress: 'yan@elsewhere.example' }];
    await tell(message, 'Complaint', { complaint: { feedbackId: `c${complaint}`, complainedRecipients, complaintFeedbackType: 'abuse' } });
  }
  expect(await verb('outbox reputation', {})).toMatchObject({ accounts: [{ address: 'me@localhost', step: 'stopped', complained: 5 }] });
  await expect.poll(inbox).toContain('Sending of me@localhost is stopped');
  const client = LineClient.connect(server.addressOf('submission'));
  const send = (text: string) =>
    client.send(
      `MAIL FROM:<me@localhost>\r\nRCPT TO:<ben@elsewhere.example>\r\nDATA\r\nFrom: me@localhost\r\n\r\n${text}\r\n.\r\n`,
      /^(550|250) [25]\.[70]\.[01] (?!sender|recipient).*\r\n/m,
    );
  await client.send('', /^220 /);
  await client.send('EHLO c\r\n', /^250 /m);
  await client.send(`AUTH PLAIN ${Buffer.from(`\0me@localhost\0${password}`).toString('base64')}\r\n`, /^235 /m);
  expect(await send('stopped')).toMatch(/550 5\.7\.1 Sending is suspended/);
  await verb('outbox release', { account: 'me@localhost' });
  expect(await send('released')).toMatch(/250 2\.0\.0 queued/);
  expect((await sentBySes(count + 2)).to).toEqual(['ben@elsewhere.example']);
});

it('a run of complaints about many accounts of a domain stops the domain; the administrator sees it and releases it', async () => {
  const service = await server.app.accounts.open(serviceOutboxId);
  // Five came in above.
  await service.transact((tx) => countSending(tx, { relayed: 5000, complained: 44 }, ofDomain('localhost')));
  const count = ses.messages.length;
  await sendByJmap('One too many', 'yan2@elsewhere.example');
  const message = await sentBySes(count + 1);
  const complainedRecipients = [{ emailAddress: 'yan2@elsewhere.example' }];
  await tell(message, 'Complaint', { complaint: { feedbackId: 'd1', complainedRecipients, complaintFeedbackType: 'abuse' } });
  expect(await verb('outbox reputation', {})).toMatchObject({ domains: [{ domain: 'localhost', step: 'stopped' }] });
  const held = await sendByJmap('Held', 'xin@elsewhere.example');
  await expect
    .poll(async () => (await statusOf(held)).deliveryStatus['xin@elsewhere.example'])
    .toMatchObject({ smtpReply: '451 4.7.1 Sending from localhost is suspended', delivered: 'queued' });
  await verb('outbox release', { account: 'LOCALHOST' });
  expect((await sentBySes(count + 2)).to).toEqual(['xin@elsewhere.example']);
  await expect(verb('outbox release', { account: 'localhost' })).rejects.toThrow(/neither warned nor slowed nor stopped/);
});
