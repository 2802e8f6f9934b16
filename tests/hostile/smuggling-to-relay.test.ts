/**
 * SMTP smuggling from the socket to the next server: on the ports of submission and of LMTP, each end of DATA that some server may take for one, around a
 * second message. What comes out at the other side is one message at most, and what was kept of it is data.
 */
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LineClient } from '../support/line-client.ts';
import { makeServerFolder, password, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { SmtpSink } from '../support/smtp-sink.ts';

const any = '127.0.0.1:0';
let sink: SmtpSink;
let folder: ServerFolder;
let server: RunningServer;

beforeAll(async () => {
  sink = await SmtpSink.open();
  folder = makeServerFolder({
    listen: { http: null, https: null, imap: null, imaps: any, lmtp: any, submission: any, submissions: any, managesieve: null },
    relay: { driver: 'smtp', host: '127.0.0.1', port: sink.port, tls: 'none' },
    limits: { messageBytesMax: 1_000_000 },
  });
  server = await folder.start();
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
  await sink?.[Symbol.asyncDispose]();
});

const ends: readonly (readonly [name: string, end: string])[] = [
  ['LF.LF', '\n.\n'],
  ['LF.CRLF', '\n.\r\n'],
  ['CR.CR', '\r.\r'],
  ['CR.CRLF', '\r.\r\n'],
  ['CRLF.CR', '\r\n.\r'],
  ['CRLF NUL.CRLF', '\r\n\0.\r\n'],
];

/** Past EHLO, and login where there is one. */
async function open(port: 'submission' | 'submissions' | 'lmtp'): Promise<LineClient> {
  const address = server.addressOf(port);
  const client = new LineClient(port === 'submissions' ? connectTls({ ...address, rejectUnauthorized: false }) : connect(address));
  await client.send('', /^220 .*\r\n/m);
  await client.send(`${port === 'lmtp' ? 'LHLO' : 'EHLO'} c\r\n`, /^250 .*\r\n/m);
  if (port !== 'lmtp') await client.send(`AUTH PLAIN ${Buffer.from(`\0me@localhost\0${password}`).toString('base64')}\r\n`, /^235 .*\r\n/m);
  return client;
}

/** The message with a second one behind `end`, and a real end, then NOOP: all codes that are answered. */
async function attack(client: LineClient, to: string, subject: string, end: string): Promise<readonly string[]> {
  const from = 'me@localhost';
  await client.send(`MAIL FROM:<${from}>\r\nRCPT TO:<${to}>\r\nDATA\r\n`, /^354 .*\r\n/m);
  const second = `MAIL FROM:<${from}>\r\nRCPT TO:<${to}>\r\nDATA\r\nFrom: ${from}\r\nSubject: smuggled\r\n\r\nPay at once\r\n`;
  const answer = await client.send(
    `From: ${from}\r\nSubject: ${subject}\r\n\r\nHello${end}${second}\r\n.\r\nNOOP\r\n`,
    /^250 2\.0\.0 ok\r\n/m,
  );
  return answer
    .split('\r\n')
    .slice(0, -1)
    .map((line) => line.slice(0, 3));
}

async function subjects(): Promise<readonly (string | undefined)[]> {
  const imap = await server.imap();
  const { exists } = await imap.mailboxOpen('INBOX');
  const found = exists === 0 ? [] : await imap.fetchAll('1:*', { envelope: true });
  await imap.logout();
  return found.map(({ envelope }) => envelope?.subject);
}

describe.each(['submission', 'submissions'] as const)('on the port of %s', (port) => {
  it.each(ends)('%s brings the next server one message at most', async (name, end) => {
    const before = sink.messages.length;
    const client = await open(port);
    const codes = await attack(client, 'zoe@elsewhere.example', name, end);
    // One answer to the message, one to NOOP: what stands behind the false end is no command.
    expect(codes).toHaveLength(2);
    expect(codes[0]).toMatch(/^(250|5\d\d)$/);
    const isKept = codes[0] === '250';
    // A message behind it shows that all before has left.
    await client.send(`MAIL FROM:<me@localhost>\r\nRCPT TO:<zoe@elsewhere.example>\r\nDATA\r\n`, /^354 .*\r\n/m);
    await client.send('From: me@localhost\r\nSubject: behind\r\n\r\nx\r\n.\r\n', /^250 2\.0\.0 queued.*\r\n/m);
    const arrived = (await sink.received(before + (isKept ? 2 : 1))).slice(before);
    expect(arrived).toHaveLength(isKept ? 2 : 1);
    expect(arrived.every(({ bytes }) => /^From: me@localhost\r$/m.test(bytes.toString('latin1').split('\r\n\r\n')[0]!.concat('\r')))).toBe(
      true,
    );
    expect(arrived.filter(({ bytes }) => /^Subject: smuggled/m.test(bytes.toString('latin1').split('\r\n\r\n')[0]!))).toEqual([]);
    client.socket.destroy();
  });
});

describe('on the port of LMTP', () => {
  it.each(ends)('%s brings one message at most', async (name, end) => {
    const before = (await subjects()).length;
    const client = await open('lmtp');
    const codes = await attack(client, 'me@localhost', name, end);
    expect(codes).toHaveLength(2);
    const after = (await subjects()).slice(before);
    expect(after).toEqual(codes[0] === '250' ? [name] : []);
    client.socket.destroy();
  });
});

describe('a client that never ends', () => {
  it.each(['submission', 'submissions'] as const)(
    'its message on the port of %s hears 552 5.3.4 when it does, and nothing is kept',
    async (port) => {
      const before = sink.messages.length;
      const client = await open(port);
      await client.send(`MAIL FROM:<me@localhost>\r\nRCPT TO:<zoe@elsewhere.example>\r\nDATA\r\n`, /^354 .*\r\n/m);
      const chunk = `${'x'.repeat(998)}\r\n`.repeat(100);
      for (let sent = 0; sent < 50; sent += 1)
        if (!client.socket.write(chunk)) await new Promise((resolve) => client.socket.once('drain', resolve));
      expect(await client.send('.\r\n', /^\d{3} .*\r\n/m)).toMatch(/^552 5\.3\.4 /);
      expect(await client.send('MAIL FROM:<me@localhost> SIZE=1000001\r\n', /^\d{3} .*\r\n/m)).toMatch(/^552 5\.3\.4 /);
      expect(sink.messages).toHaveLength(before);
      client.socket.destroy();
    },
  );
});
