/** What a whole server makes of LMTP mail that SES has not seen: by a trusted MTA's Authentication-Results, else by its own look into DNS. */
import { generateKeyPairSync } from 'node:crypto';
import { dkimSign } from 'mailauth';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Uid } from '../../protocol/mail/ids.ts';
import { DnsServer } from '../support/dns-server.ts';
import { LineClient } from '../support/line-client.ts';
import { makeServerFolder, type RunningServer, type ServerFolder } from '../support/running-server.ts';

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 1024,
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const key = { signingDomain: 'bank.example', selector: 'sel', privateKey };
let dns: DnsServer;
let folder: ServerFolder;
let server: RunningServer;
let count = 0;

beforeAll(async () => {
  dns = await DnsServer.open({
    'bank.example': 'v=spf1 ip4:203.0.113.5 -all',
    '_dmarc.bank.example': 'v=DMARC1; p=reject',
    'sel._domainkey.bank.example': `v=DKIM1; k=rsa; p=${publicKey.toString('base64')}`,
  });
  folder = makeServerFolder({
    inbound: { sweepSeconds: 60, lmtp: { authservIds: ['filter.here.example'], dnsServers: [dns.address] } },
    verdicts: [
      { header: 'X-SES-DMARC-Policy', equals: 'reject', action: 'junk' },
      { header: 'X-Spam-Score', above: 5, action: 'junk' },
    ],
  });
  server = await folder.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Hands a message over as an MTA that took it from `client`; where it lies then, and what is known of it. */
async function hand(client: string, options: { readonly above?: string; readonly below?: string; readonly isSigned?: boolean } = {}) {
  const subject = `message ${count++}`;
  const { above = '', below = '', isSigned = false } = options;
  const sent = `${below}From: Teller <teller@bank.example>\r\nTo: me@localhost\r\nSubject: ${subject}\r\nDate: Tue, 5 Jan 2027 08:30:09 +0000\r\n\r\nHello.\r\n`;
  const signed = isSigned ? (await dkimSign(sent, { ...key, signatureData: [key] })).signatures + sent : sent;
  const received = `Received: from mail.bank.example (mail.bank.example [${client}])\r\n\tby mx.here.example with ESMTP id 1;\r\n\tTue, 5 Jan 2027 08:30:11 +0000\r\n`;
  const lmtp = LineClient.connect(server.addressOf('lmtp'));
  await lmtp.send('', /^220 /);
  await lmtp.send('LHLO mx.here.example\r\n', /^250 /m);
  await lmtp.send('MAIL FROM:<teller@bank.example>\r\n', /^250 .*\r\n/m);
  await lmtp.send('RCPT TO:<me@localhost>\r\n', /^250 .*\r\n/m);
  await lmtp.send('DATA\r\n', /^354 .*\r\n/m);
  expect(await lmtp.send(`${above}${received}${signed}.\r\n`, /^\d{3} .*\r\n/m)).toMatch(/^250 /);
  lmtp.socket.end();
  const { directory } = server.app.services;
  const account = await server.app.accounts.open(directory.accountByAddress('me@localhost')!.id);
  return account.read((reader) => {
    for (const box of reader.mailboxes()) {
      for (const uid of reader.uids(box.id)) {
        const { email } = reader.membership(box.id, uid as Uid)!;
        if (reader.facts(email)?.subject !== subject) continue;
        const { spf, dkim, dmarc } = reader.delivery(email)!;
        return { mailbox: box.name, spf, dkim, dmarc };
      }
    }
    throw new Error('it is nowhere');
  });
}

const results = (authservId: string, text: string) => `Authentication-Results: ${authservId};\r\n\t${text}\r\n`;

describe('mail by LMTP', () => {
  test('that nobody has checked is checked here: SPF by the client that the MTA names', async () => {
    expect(await hand('203.0.113.5')).toEqual({ mailbox: 'INBOX', spf: 'PASS', dkim: 'GRAY', dmarc: 'PASS' });
  });

  test('from a server that its domain does not know goes where the policy of the domain says', async () => {
    expect(await hand('198.51.100.9')).toMatchObject({ mailbox: 'Junk', spf: 'FAIL', dmarc: 'FAIL' });
  });

  test('from there, but signed by its domain, passes', async () => {
    expect(await hand('198.51.100.9', { isSigned: true })).toMatchObject({ mailbox: 'INBOX', spf: 'FAIL', dkim: 'PASS', dmarc: 'PASS' });
  });

  test('that an MTA we believe has checked is not checked again', async () => {
    dns.asked.length = 0;
    const said = results('filter.here.example', 'spf=fail; dkim=none; dmarc=fail (p=reject) policy.dmarc=reject');
    expect(await hand('203.0.113.5', { above: said })).toMatchObject({ mailbox: 'Junk', spf: 'FAIL', dmarc: 'FAIL' });
    expect(dns.asked).toEqual([]);
  });

  test('is checked here although its sender says that somebody else has, or that our MTA has, where only he can have written it', async () => {
    const pass = 'spf=pass; dkim=pass; dmarc=pass';
    const second = 'Received: from a (a [198.51.100.1]) by b; Tue, 5 Jan 2027 08:30:11 +0000\r\n';
    expect(await hand('198.51.100.9', { above: results('else.example', pass) })).toMatchObject({ mailbox: 'Junk', dmarc: 'FAIL' });
    expect(await hand('198.51.100.9', { below: second + results('filter.here.example', pass) })).toMatchObject({
      mailbox: 'Junk',
      dmarc: 'FAIL',
    });
  });

  test("goes by the score that the MTA's filter put on top, and not by one that the sender wrote", async () => {
    expect(await hand('203.0.113.5', { above: 'X-Spam-Score: 7.2\r\n' })).toMatchObject({ mailbox: 'Junk' });
    expect(await hand('203.0.113.5', { below: 'X-Spam-Score: 7.2\r\n' })).toMatchObject({ mailbox: 'INBOX' });
  });

  test('comes in at once while DNS is away, without results, and an administrator sees why', async () => {
    await dns[Symbol.asyncDispose]();
    const metrics = async () => {
      const { host, port } = server.addressOf('http');
      return (await fetch(`http://${host}:${port}/metrics`)).text();
    };
    expect(await metrics()).toContain('\nsatchel_dns_away 0');
    for (let i = 0; i < 8 && (await metrics()).includes('\nsatchel_dns_away 0'); i++) await hand('203.0.113.5');
    expect(await metrics()).toContain('\nsatchel_dns_away 1');
    expect(server.complaints.join()).toContain('DNS does not answer');
    const startedAt = performance.now();
    expect(await hand('198.51.100.9')).toMatchObject({ mailbox: 'INBOX', spf: 'PROCESSING_FAILED', dmarc: 'PROCESSING_FAILED' });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
