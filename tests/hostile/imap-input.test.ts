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
