/** JMAPACCESS (RFC 9698): told to who has logged in where there is JMAP, and nowhere else. */
import { expect, it } from 'vitest';
import { password, startImapApp, user } from '../../support/imap/app.ts';

const login = `LOGIN ${user} "${password}"`;

it('who has logged in is told where the JMAP session is', async () => {
  await using app = await startImapApp({ jmapSessionUrl: 'https://mail.example.com/.well-known/jmap' });
  const client = await app.connect();
  expect(client.greeting).not.toContain('JMAPACCESS');
  expect((await client.command('GETJMAPACCESS')).at(-1)).toMatch(/^x BAD /);
  expect((await client.command(login)).at(-1)).toMatch(/ JMAPACCESS[ \]]/);
  expect(await client.command('GETJMAPACCESS')).toEqual([
    '* JMAPACCESS "https://mail.example.com/.well-known/jmap"',
    'x OK GETJMAPACCESS completed',
  ]);
  client.close();
});

it('a server without JMAP does not speak of it', async () => {
  await using app = await startImapApp();
  const client = await app.connect();
  expect((await client.command(login)).at(-1)).not.toContain('JMAPACCESS');
  expect((await client.command('GETJMAPACCESS')).at(-1)).toMatch(/^x BAD /);
  client.close();
});
