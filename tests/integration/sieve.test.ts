/** Scripts by ManageSieve over TLS, mail by LMTP, and what an IMAP client finds: the whole way. */
import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { LineClient } from '../support/line-client.ts';
import { makeServerFolder, password, type RunningServer } from '../support/running-server.ts';

const any = '127.0.0.1:0';
const listen = { http: null, https: null, imap: null, imaps: any, lmtp: any, submission: null, submissions: null, managesieve: any };
const plain = Buffer.from(`\0me@localhost\0${password}`).toString('base64');

async function manage(server: RunningServer): Promise<LineClient> {
  const client = LineClient.connect(server.addressOf('managesieve'));
  await client.send('', /^OK .*\r\n/m);
  await client.send('STARTTLS\r\n', /^OK .*\r\n/m);
  client.socket.removeAllListeners('data');
  const secure = connectTls({ socket: client.socket, rejectUnauthorized: false });
  await once(secure, 'secureConnect');
  const inner = new LineClient(secure);
  // Capabilities come again, unasked.
  expect(await inner.send('', /^OK .*\r\n/m)).not.toContain('"STARTTLS"');
  expect(await inner.send(`AUTHENTICATE "PLAIN" "${plain}"\r\n`, /^(OK|NO) .*\r\n/m)).toBe('OK "Logged in."\r\n');
  return inner;
}

/** What the MTA hears after the dot. */
async function mail(server: RunningServer, subject: string, to = 'me@localhost'): Promise<string> {
  const client = LineClient.connect(server.addressOf('lmtp'));
  await client.send('', /^220 .*\r\n/m);
  await client.send('LHLO mta.example.org\r\n', /^250 .*\r\n/m);
  await client.send('MAIL FROM:<noor@sender.example>\r\n', /^250 .*\r\n/m);
  await client.send(`RCPT TO:<${to}>\r\n`, /^250 .*\r\n/m);
  await client.send('DATA\r\n', /^354 .*\r\n/m);
  const answer = await client.send(`From: noor@sender.example\r\nTo: ${to}\r\nSubject: ${subject}\r\n\r\nx\r\n.\r\n`, /^\d{3} .*\r\n/m);
  client.socket.destroy();
  return answer;
}

const script = `require ["fileinto", "mailbox", "imap4flags", "reject", "vacation"];
if header :contains "subject" "list" { fileinto :create :flags "\\\\Flagged" "Lists"; stop; }
if header "subject" "no" { reject "Not wanted here."; stop; }
if header "subject" "on" { redirect "you@localhost"; stop; }
vacation "Away.";
`;

test('a script that is put and activated files, refuses, passes on and answers what comes next', async () => {
  using folder = makeServerFolder({ listen });
  await using server = await folder.start();
  await server.app.services.directory.addAccount('you@localhost');
  const client = await manage(server);
  const stored = await client.send(`PUTSCRIPT "main" {${Buffer.byteLength(script)}+}\r\n${script}\r\n`, /^(OK|NO) .*\r\n/m);
  expect(stored).toBe('OK "The script is stored."\r\n');
  expect(await client.send('SETACTIVE "main"\r\n', /^(OK|NO) .*\r\n/m)).toBe('OK "The script is active."\r\n');

  expect(await mail(server, 'a list')).toMatch(/^250 /);
  expect(await mail(server, 'no')).toBe('550 5.7.1 Not wanted here.\r\n');
  expect(await mail(server, 'on')).toMatch(/^250 /);
  expect(await mail(server, 'hello')).toMatch(/^250 /);

  const imap = await server.imap();
  const subjects = async (mailbox: string) => {
    await imap.mailboxOpen(mailbox);
    const found: string[] = [];
    for await (const message of imap.fetch('1:*', { envelope: true, flags: true })) {
      found.push(`${message.envelope?.subject} ${[...(message.flags ?? [])].join(' ')}`.trim());
    }
    return found;
  };
  expect(await subjects('Lists')).toEqual(['a list \\Flagged']);
  expect(await subjects('INBOX')).toEqual(['hello']);
  await imap.logout();

  const sieve = await folder.satchel(['sieve', 'list', 'me@localhost']);
  expect(sieve.out).toContain('active');
  expect(await client.send('LOGOUT\r\n', /^OK .*\r\n/m)).toBe('OK "Farewell."\r\n');

  // The redirect is delivered to the other account by the outbox.
  const { accounts } = server.app.services.mail;
  const you = server.app.services.directory.accountByAddress('you@localhost')!;
  const account = await accounts.open(you.id);
  const arrived = Promise.withResolvers<void>();
  const look = () => [...account.read((reader) => [...reader.emails()])].length > 0 && arrived.resolve();
  using _ = account.watch(look);
  look();
  await arrived.promise;
  expect(account.read((reader) => reader.facts([...reader.emails()][0]!)?.subject)).toBe('on');
}, 20_000);
