/** Attacks on ManageSieve: what never ends, what is too large, who talks another language, who guesses. */
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { MailError } from '../../protocol/mail/errors.ts';
import { silentLogger } from '../../server/logger.ts';
import { createManageSieveServer } from '../../server/managesieve/server.ts';
import { Connection } from '../../server/net/connection.ts';
import { systemRandom } from '../../server/random.ts';
import { ImapTestClient } from '../support/imap/client.ts';
import { openTestBucket } from '../support/open-accounts.ts';

async function connect() {
  const nobody = () => Promise.reject(new MailError('authenticationFailed', 'The login name or the password is wrong.'));
  const server = createManageSieveServer({
    accounts: openTestBucket().node().accounts,
    authenticator: { verify: nobody, beginScram: nobody, authorize: (who) => who },
    random: systemRandom,
    logger: silentLogger,
    version: '1',
  });
  const [near, far] = duplexPair();
  void server.handle(new Connection(far, { remote: '192.0.2.1' }));
  const client = new ImapTestClient(near);
  while (!(await client.line()).startsWith('OK ')) {
    // The greeting's capabilities.
  }
  return client;
}

test('a line that does not end is cut off', async () => {
  const client = await connect();
  client.write('X'.repeat(20_000));
  expect(await client.line()).toBe('BYE "The line is too long."');
  expect(await client.line()).toBe('');
});

test('a literal of a stranger is refused when it is larger than any script, and ends the session when it is much larger', async () => {
  const client = await connect();
  client.write(`PUTSCRIPT "x" {600000+}\r\n${'x'.repeat(600_000)}\r\nNOOP\r\n`);
  expect(await client.line()).toMatch(/^NO \(QUOTA\/MAXSIZE\) /);
  expect(await client.line()).toBe('OK "Done."');
  client.write('PUTSCRIPT "x" {99999999999+}\r\n');
  expect(await client.line()).toBe('BYE "The literal is too large."');
});

test('octets that are no UTF-8 are refused, in lines and in literals', async () => {
  const client = await connect();
  client.write(Buffer.from('CHECKSCRIPT {6+}\r\n# \xff\xfe\r\n\r\nCHECKSCRIPT "# \xff"\r\nNOOP\r\n', 'latin1'));
  expect(await client.line()).toBe('NO "A command is UTF-8."');
  expect(await client.line()).toBe('NO "A command is UTF-8."');
  expect(await client.line()).toBe('OK "Done."');
});

test('whoever talks HTTP is let go', async () => {
  const client = await connect();
  client.write(`GET / HTTP/1.1\r\n${'Header: x\r\n'.repeat(20)}\r\n`);
  for (let count = 0; count < 9; count++) expect(await client.line()).toMatch(/^NO /);
  expect(await client.line()).toBe('BYE "Too many faults."');
  expect(await client.line()).toBe('');
});
