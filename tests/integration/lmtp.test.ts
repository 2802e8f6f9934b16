/** LMTP on a socket: what was answered 250 is in the mailbox, with and without TLS. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LineClient } from '../support/line-client.ts';
import { makeServerFolder, type RunningServer, type ServerFolder } from '../support/running-server.ts';

let folder: ServerFolder;
let server: RunningServer;
beforeEach(async () => {
  folder = makeServerFolder();
  server = await folder.start();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const connect = () => LineClient.connect(server.addressOf('lmtp'));

const message = 'Subject: by hand\r\nFrom: mta@example.org\r\n\r\nHanded over.\r\n';

async function subjects(): Promise<string[]> {
  const imap = await server.imap();
  await imap.mailboxOpen('INBOX');
  const found = await imap.fetchAll('1:*', { envelope: true });
  await imap.logout();
  return found.map(({ envelope }) => envelope!.subject!);
}

it('what was answered 250 is in the INBOX; who is unknown is refused alone', async () => {
  const client = connect();
  await client.send('', /^220 .* LMTP/);
  await client.send('LHLO mta.example.org\r\n', /^250 /m);
  const replies = await client.send(
    `MAIL FROM:<mta@example.org>\r\nRCPT TO:<me@localhost>\r\nRCPT TO:<nobody@localhost>\r\nDATA\r\n`,
    /^354 .*\r\n/m,
  );
  expect(replies.match(/^\d{3}/gm)).toEqual(['250', '250', '550', '354']);
  expect(await client.send(`${message}.\r\n`, /^\d{3} .*\r\n/m)).toMatch(/^250 2\.1\.5 /);
  expect(await subjects()).toEqual(['by hand']);
  expect(await client.send('QUIT\r\n', /^221 /m)).toMatch(/^221/);
});

it('the same by STARTTLS, in one BDAT, from a client that closes its side at once', async () => {
  const client = connect();
  await client.send('', /^220 /);
  expect(await client.send('LHLO mta\r\n', /^250 .*\r\n/m)).toMatch(/^250-STARTTLS|^250 STARTTLS/m);
  await client.startTls();
  expect(await client.send('LHLO mta\r\n', /^250 .*\r\n/m)).not.toContain('STARTTLS');
  const rest = client.send(`MAIL FROM:<>\r\nRCPT TO:<me@localhost>\r\nBDAT ${message.length} LAST\r\n${message}`, /delivered/);
  client.socket.end();
  expect(await rest).toMatch(/^250 2\.1\.5 .*delivered/m);
  expect(await subjects()).toEqual(['by hand']);
});
