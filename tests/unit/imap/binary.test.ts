/** BINARY (RFC 3516): octets with NULs go in by literal8 and come out by it, decoded. */
import { expect, it } from 'vitest';
import { password, startImapApp, user } from '../../support/imap/app.ts';

it('a message with NULs is appended by literal8 and fetched by it, and an encoded part is decoded', async () => {
  await using app = await startImapApp();
  const client = await app.connect();
  await client.command(`LOGIN ${user} "${password}"`);
  expect((await client.command('CAPABILITY'))[0]).toMatch(/ BINARY( |$)/);
  const binary = Buffer.from('Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b\xff', 'latin1');
  client.write(Buffer.concat([Buffer.from(`a APPEND INBOX ~{${binary.length}+}\r\n`), binary, Buffer.from('\r\n')]));
  expect((await client.until('a')).at(-1)).toMatch(/^a OK \[APPENDUID /);
  const encoded = 'Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nYQBiYw==\r\n';
  expect((await client.command(`APPEND INBOX {${encoded.length}+}\r\n${encoded}`)).at(-1)).toMatch(/^x OK /);
  await client.command('SELECT INBOX');
  const whole = await client.command('FETCH 1 (BINARY.PEEK[] BINARY.SIZE[1])');
  expect(whole[0]).toBe(`* 1 FETCH (BINARY[] ~{${binary.length}}\r\n${binary.toString('latin1')} BINARY.SIZE[1] 4)`);
  expect((await client.command('FETCH 1:2 BINARY.PEEK[1]')).slice(0, 2)).toEqual([
    '* 1 FETCH (BINARY[1] ~{4}\r\na\0b\xff)',
    '* 2 FETCH (BINARY[1] ~{4}\r\na\0bc)',
  ]);
  expect((await client.command('FETCH 2 BINARY.PEEK[1]<2.5>'))[0]).toBe('* 2 FETCH (BINARY[1]<2> {2}\r\nbc)');
  // RFC 9051 §9: a literal has no NUL.
  const withoutNul = binary.toString('latin1').replace('\0', '\x80');
  expect((await client.command('FETCH 1 BODY.PEEK[]'))[0]).toBe(`* 1 FETCH (BODY[] {${binary.length}}\r\n${withoutNul})`);
  client.close();
});

it('a header with NULs is fetched without them, whole and field by field', async () => {
  await using app = await startImapApp();
  const client = await app.connect();
  await client.command(`LOGIN ${user} "${password}"`);
  const message = 'Subject: a\0b\r\nX-Other: c\r\n\r\nbody';
  client.write(Buffer.from(`a APPEND INBOX ~{${message.length}+}\r\n${message}\r\n`, 'latin1'));
  expect((await client.until('a')).at(-1)).toMatch(/^a OK \[APPENDUID /);
  await client.command('SELECT INBOX');
  const [fields] = await client.command('FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]');
  expect(fields).toBe('* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: a\x80b\r\n\r\n)');
  const [others] = await client.command('FETCH 1 (BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)] BODY.PEEK[HEADER] ENVELOPE)');
  expect(others).toContain('{14}\r\nX-Other: c\r\n\r\n');
  expect(others).not.toContain('\0');
  client.close();
});
