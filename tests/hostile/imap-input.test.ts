/** Hostile IMAP input: every one is answered with BAD or NO, the session goes on or ends with BYE, and nothing grows without bound. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImapApp, password, startImapApp, user } from '../support/imap/app.ts';
import type { ImapTestClient } from '../support/imap/client.ts';

let app: ImapApp;
beforeAll(async () => {
  app = await startImapApp();
});
afterAll(() => app[Symbol.asyncDispose]());

async function login(): Promise<ImapTestClient> {
  const client = await app.connect();
  await client.command(`LOGIN ${user} "${password}"`);
  await client.command('SELECT INBOX');
  return client;
}

/** The session still answers. */
async function expectAlive(client: ImapTestClient): Promise<void> {
  client.write('alive NOOP\r\n');
  for (;;) {
    const line = await client.line();
    expect(line).not.toBe('');
    if (line.startsWith('alive OK')) return;
  }
}

describe('bad input is answered and survived', () => {
  const rows: readonly (readonly [claim: string, bytes: string, answer: RegExp])[] = [
    ['a literal of four gigabytes is refused before it is sent', 'x SEARCH SUBJECT {4294967295}\r\n', /^x BAD \[TOOBIG\]/],
    ['a literal longer than a number can say', 'x SEARCH SUBJECT {99999999999999999999}\r\n', /^x BAD/],
    ['an APPEND of four gigabytes', 'x APPEND INBOX {4294967295}\r\n', /^x NO \[TOOBIG\]/],
    ['a mailbox name of a megabyte', `x SELECT {1000000+}\r\n${'a'.repeat(1_000_000)}\r\n`, /^x BAD \[TOOBIG\]/],
    ['a hundred thousand parentheses', `x SEARCH ${'('.repeat(60_000)}ALL\r\n`, /^x BAD/],
    ['a hundred thousand NOTs', `x SEARCH ${'NOT '.repeat(15_000)}ALL\r\n`, /^x BAD/],
    ['nested ORs', `x SEARCH ${'OR ALL '.repeat(9_000)}ALL\r\n`, /^x BAD/],
    ['a line of a megabyte', `x NOOP ${'y'.repeat(1_000_000)}\r\n`, /^x BAD/],
    ['a tag of a megabyte', `${'y'.repeat(1_000_000)} NOOP\r\n`, /^\* BAD/],
    ['thousands of header fields', `x FETCH 1 BODY[HEADER.FIELDS (${'a '.repeat(5_000)}b)]\r\n`, /^x BAD/],
    ['a section of a thousand numbers', `x FETCH 1 BODY[${'1.'.repeat(1_000)}1]\r\n`, /^x BAD/],
    ['a sequence number above 32 bits', 'x FETCH 4294967296 FLAGS\r\n', /^x BAD/],
    ['sequence number zero', 'x FETCH 0 FLAGS\r\n', /^x BAD/],
    ['an unended quoted string', 'x LOGIN "a\r\n', /^x BAD/],
    ['NUL in a name', 'x SELECT {3+}\r\na\0b\r\n', /^x BAD/],
    ['invalid UTF-8 in a name', 'x SELECT {2+}\r\n\xc3(\r\n', /^x BAD|^x NO/],
    ['an unended base64 run in a mailbox name', 'x CREATE &AOk\r\n', /^x BAD/],
    ['half a surrogate in a mailbox name', 'x CREATE &2D0-\r\n', /^x BAD/],
    ['an empty line', '\r\n', /^\* BAD/],
    ['a line of spaces', '   \r\n', /^\* BAD/],
    ['a partial with zero octets', 'x FETCH 1 BODY[]<0.0>\r\n', /^x BAD/],
    ['a date that is none', 'x SEARCH SINCE 31-Feb-2026\r\n', /^x BAD/],
    ['a pattern made to backtrack', `x LIST "" "${'*a'.repeat(2_000)}"\r\n`, /^x OK/],
    ['a flag list without end', `x STORE 1 +FLAGS (${'a '.repeat(20_000)}\r\n`, /^x BAD/],
    ['the largest number there is, to the last one', 'x FETCH 4294967295:*,1 FLAGS\r\n', /^x BAD/],
    ['UIDs up to the largest there is', 'x UID FETCH 4294967295:*,1,*:4294967295 FLAGS\r\n', /^x OK/],
    ['a range of four billion UIDs', 'x UID STORE 1:4294967295 +FLAGS (\\Seen)\r\n', /^x OK/],
    ['a set of ten thousand ranges', `x UID SEARCH UID ${'1:4294967295,'.repeat(4_000)}1\r\n`, /^\* SEARCH/],
    ['a pair of sets that name billions', 'x SELECT INBOX (QRESYNC (1 1 1:4294967295 (1:4294967295 1:4294967295)))\r\n', /^x BAD/],
    ['invalid UTF-8 in a quoted string', 'x CREATE "\xff\xfe"\r\n', /^x BAD/],
    ['an overlong form of UTF-8', 'x CREATE {2+}\r\n\xc0\xaf\r\n', /^x BAD/],
    ['an encoded letter that needs no modified UTF-7, without its end', 'x CREATE "&AGE"\r\n', /^x BAD/],
    ['padding within modified UTF-7', 'x CREATE "&AOk=-"\r\n', /^x BAD/],
    ['a NOTIFY of a hundred groups', `x NOTIFY SET ${'(personal NONE) '.repeat(99)}(personal NONE)\r\n`, /^x BAD/],
    ['a NOTIFY of thousands of mailboxes', `x NOTIFY SET (mailboxes (${'a '.repeat(5_000)}b) NONE)\r\n`, /^x BAD/],
    ['parentheses within NOTIFY', `x NOTIFY SET ${'('.repeat(30_000)}\r\n`, /^x BAD/],
    ['a GETMETADATA of thousands of entries', `x GETMETADATA "" (${'/private/a '.repeat(3_000)}/private/b)\r\n`, /^x BAD/],
    ['an annotation that is too long', `x SETMETADATA "" (/private/a {40000+}\r\n${'y'.repeat(40_000)})\r\n`, /^x NO \[METADATA MAXSIZE/],
    ['an entry with wildcards', 'x GETMETADATA "" /private/*\r\n', /^x BAD/],
    ['an ESEARCH of a hundred filters', `x ESEARCH IN (${'personal '.repeat(99)}personal) ALL\r\n`, /^x BAD/],
    ['UIDBATCHES of one message each', 'x UIDBATCHES 1\r\n', /^x NO \[TOOFEW\]/],
    ['UIDBATCHES of four billion batches', 'x UIDBATCHES 500 1:4294967295\r\n', /^\* UIDBATCHES/],
    ['an identifier of controls', 'x SETACL INBOX {3+}\r\na\x07b lr\r\n', /^x BAD/],
    ['rights without end', `x SETACL INBOX anyone ${'l'.repeat(60_000)}\r\n`, /^x BAD/],
    ['a name of nothing but delimiters', `x MYRIGHTS "Other Users/${'/'.repeat(5_000)}"\r\n`, /^x NO \[NONEXISTENT\]/],
    ['an owner who is escaped and nobody', 'x STATUS "Other Users/=2F=25=zz/INBOX" (MESSAGES)\r\n', /^x NO \[NONEXISTENT\]/],
    ['a quota root that is none', 'x GETQUOTA {3+}\r\n\0\0\0\r\n', /^x BAD/],
    [
      'a CATENATE of a thousand parts',
      `x APPEND INBOX CATENATE (${'URL "/INBOX/;UID=1" '.repeat(1_000)}URL "/INBOX/;UID=1")\r\n`,
      /^x BAD/,
    ],
    ['ID with fifty pairs', `x ID (${'"a" "b" '.repeat(50)}"c" "d")\r\n`, /^x BAD/],
  ];
  for (const [claim, bytes, answer] of rows) {
    it(claim, async () => {
      const client = await login();
      client.write(Buffer.from(bytes, 'latin1'));
      expect(await client.line()).toMatch(answer);
      await expectAlive(client);
      client.close();
    });
  }

  it('commands in states that do not permit them are told so', async () => {
    const anonymous = await app.connect();
    for (const command of [
      'SELECT INBOX',
      'LIST "" *',
      'FETCH 1 FLAGS',
      'IDLE',
      'NOTIFY NONE',
      'APPEND INBOX {3+}\r\nabc',
      'ENABLE CONDSTORE',
    ])
      expect((await anonymous.command(command)).at(-1)).toMatch(/^x BAD Cannot read this: a login before/);
    const client = anonymous;
    await client.command(`LOGIN ${user} "${password}"`);
    for (const command of ['FETCH 1 FLAGS', 'STORE 1 FLAGS ()', 'SEARCH ALL', 'CLOSE', 'UID EXPUNGE 1', 'UIDBATCHES 500', 'MOVE 1 INBOX'])
      expect((await client.command(command)).at(-1)).toMatch(/^x BAD Cannot read this: a selected mailbox before/);
    for (const command of ['STARTTLS', `LOGIN ${user} "${password}"`, 'AUTHENTICATE PLAIN'])
      expect((await client.command(command)).at(-1)).toMatch(/^x BAD/);
    await expectAlive(client);
    client.close();
  });

  it('a line without end within IDLE is refused, and the session goes on', async () => {
    const client = await login();
    client.write('x IDLE\r\n');
    expect(await client.line()).toMatch(/^\+/);
    client.write(`${'y'.repeat(100_000)}\r\n`);
    expect(await client.line()).toMatch(/^x BAD/);
    await expectAlive(client);
    client.close();
  });

  it('a stranger may not send what a user may', async () => {
    const client = await app.connect();
    client.write('x LOGIN {5000+}\r\n');
    expect(await client.line()).toMatch(/^x BAD \[TOOBIG\]/);
    client.close();
  });

  it('an endless literal ends the connection', async () => {
    const client = await login();
    client.write('x APPEND INBOX {4000000000+}\r\n');
    expect(await client.line()).toMatch(/^x NO \[TOOBIG\]/);
    expect(await client.line()).toMatch(/^\* BYE/);
    await client.ended();
  });

  it('garbage never makes the server fail', async () => {
    const words = fc.constantFrom(
      'FETCH',
      'STORE',
      'UID',
      'SEARCH',
      '1:*',
      '(',
      ')',
      'BODY[',
      ']',
      '<',
      '"',
      '\\',
      '{3+}\r\nabc',
      '{0+}\r\n',
      '*',
      ' ',
      '\r\n',
      'x',
      'LIST',
      'RETURN',
      'APPEND',
      'INBOX',
      '\xff',
      '\0',
      '~{2+}\r\n\0\0',
      'FLAGS',
      '+FLAGS',
      '$',
      'OR',
      'NOT',
      'HEADER',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(words, { maxLength: 25 }), async (list) => {
        const client = await login();
        client.write(Buffer.from(`t ${list.join(' ')}\r\n`, 'latin1'));
        client.write('alive NOOP\r\n'.repeat(2));
        let line = await client.line();
        while (line !== '' && !line.startsWith('alive OK') && !line.startsWith('+')) line = await client.line();
        expect(line).not.toBe('');
        client.close();
      }),
      { numRuns: 150 },
    );
  });
});
