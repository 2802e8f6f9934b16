/** ManageSieve by transcripts: `C:` and `S:` lines over one account, each file a claim. `…` ends a line of which only the beginning counts. */
import { readdirSync, readFileSync } from 'node:fs';
import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { MailError } from '../../../protocol/mail/errors.ts';
import { ManageReader } from '../../../protocol/sieve/manage/reader.ts';
import type { Authenticator } from '../../../server/auth/authenticator.ts';
import { silentLogger } from '../../../server/logger.ts';
import { createManageSieveServer } from '../../../server/managesieve/server.ts';
import { Connection } from '../../../server/net/connection.ts';
import { systemRandom } from '../../../server/random.ts';
import { ImapTestClient } from '../../support/imap/client.ts';
import { openProvisioned, openTestBucket, testAccount } from '../../support/open-accounts.ts';

const folder = new URL('./', import.meta.url);
const identity = { accountId: testAccount, address: 'me@example.com', name: 'Me', by: 'password' } as const;

const authenticator: Authenticator = {
  async verify(login, password) {
    if (login === identity.address && password === 'correct horse') return identity;
    throw new MailError('authenticationFailed', 'The login name or the password is wrong.');
  },
  beginScram: () => Promise.reject(new MailError('unsupported', 'Not in this test.')),
  authorize: (who) => who,
};

async function connect(remote: string) {
  const node = openTestBucket().node();
  await openProvisioned(node);
  const server = createManageSieveServer({
    accounts: node.accounts,
    authenticator,
    random: systemRandom,
    logger: silentLogger,
    version: '1',
  });
  const [near, far] = duplexPair();
  void server.handle(new Connection(far, { remote }));
  const client = new ImapTestClient(near);
  const waiting: string[] = [];
  return {
    server,
    write: (text: string) => client.write(text),
    async line() {
      if (waiting.length === 0) waiting.push(...(await client.line()).split('\r\n'));
      return waiting.shift()!;
    },
  };
}

describe('ManageSieve', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.managesieve'));
  test.each(files)('%s', async (name) => {
    const lines = readFileSync(new URL(name, folder), 'utf8').split('\n');
    const far = lines.some((line) => line === 'from far away');
    const peer = await connect(far ? '192.0.2.1' : '127.0.0.1');
    let said = 0;
    for (const [index, line] of lines.entries()) {
      const where = `${name}:${index + 1}`;
      const [, speaker, text = ''] = /^([CS]):(?: (.*))?$/.exec(line) ?? [];
      if (speaker === 'C') {
        peer.write(`${text}\r\n`);
      } else if (speaker === 'S') {
        const heard = await peer.line();
        const isRight = text.endsWith('…') ? heard.startsWith(text.slice(0, -1)) : heard === text;
        expect(`${where} ${isRight ? text : heard}`).toBe(`${where} ${text}`);
        said++;
      } else expect(`${where} ${line}`).toMatch(/^\S+ (#.*|from far away)?$/);
    }
    expect(said).toBeGreaterThan(0);
    await peer.server.close();
  });
});

test('commands read the same at every split of their bytes', () => {
  const bytes = Buffer.from(
    'PUTSCRIPT "a\\"b" {5+}\r\nab\r\nc\r\nHAVESPACE {1+}\r\nx 12\r\nNOOP\r\n"line"\r\nPUTSCRIPT {0+}\r\n {0}\r\n\r\nbad"\r\n',
  );
  const read = (cut: number) => {
    const reader = new ManageReader();
    const events = [];
    for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      reader.push(piece);
      for (let event = reader.next(); event !== undefined; event = reader.next()) events.push(event);
    }
    return events;
  };
  const whole = read(0);
  expect(whole).toMatchObject([
    { name: 'PUTSCRIPT', arguments: [{ text: 'a"b' }, { text: 'ab\r\nc' }] },
    { name: 'HAVESPACE', arguments: [{ text: 'x' }, { value: 12 }] },
    { name: 'NOOP', arguments: [] },
    { kind: 'line', text: 'line' },
    { name: 'PUTSCRIPT', arguments: [{ text: '' }, { text: '' }] },
    { kind: 'refused' },
  ]);
  for (let cut = 1; cut < bytes.length; cut++) expect(read(cut)).toEqual(whole);
});
