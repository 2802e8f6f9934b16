/**
 * Commands of the transcripts, damaged: cut, doubled, spliced with one another and with what grammars stumble over, sent in any pieces by several
 * clients of one account. The server answers or hangs up, reports no error of its own, and serves the next client. A failure names its seed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Logger } from '../../server/logger.ts';
import { Connection } from '../../server/net/connection.ts';
import { type ImapApp, password, startImapApp, user } from '../support/imap/app.ts';

const folder = new URL('../transcripts/imap/', import.meta.url);

/** What clients say in the transcripts, without tags. */
const commands = readdirSync(folder)
  .filter((name) => name.endsWith('.imap'))
  .flatMap((name) => readFileSync(new URL(name, folder), 'utf8').split('\n'))
  .flatMap((line) => /^C\d?: \S+ (.+)$/.exec(line)?.[1] ?? [])
  .map((command) => command.replaceAll('⏎', '\r\n').replaceAll(/\$\w+/g, '1'))
  .map((command) => command.replace(/\{=\+\}\r\n(.*)$/s, (_, literal: string) => `{${Buffer.byteLength(literal)}+}\r\n${literal}`));

const stumblingBlocks = [
  ...[
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '<',
    '>',
    '"',
    '\\',
    '*',
    '%',
    '$',
    ',',
    ':',
    ' ',
    '\r',
    '\n',
    '\r\n',
    '\0',
    '\x7f',
    '\xff',
    '\xc3\xa4',
  ],
  ...[
    '{0+}\r\n',
    '{3+}\r\na\0b',
    '~{2+}\r\n\0\0',
    '{4294967295}',
    '{70000+}\r\n',
    '4294967295',
    '4294967296',
    '0',
    '-1',
    '1:*',
    '*:1',
    'NIL',
  ],
  ...[
    'UID ',
    'NOT ',
    'OR ',
    '((((((((',
    '))))))))',
    'BODY[',
    '<0.4294967295>',
    '&',
    '&-',
    '&AOk',
    '\\Seen',
    '$Junk',
    'RETURN (',
    'CHARSET x ',
  ],
];

const damage = fc.oneof(
  fc.record({
    how: fc.constant('insert' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    text: fc.constantFrom(...stumblingBlocks),
  }),
  fc.record({ how: fc.constant('cut' as const), at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat(12) }),
  fc.record({ how: fc.constant('double' as const), at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat(12) }),
  fc.record({ how: fc.constant('splice' as const), at: fc.double({ min: 0, max: 1, noNaN: true }), text: fc.constantFrom(...commands) }),
);

const damagedCommand = fc
  .record({ command: fc.constantFrom(...commands), damages: fc.array(damage, { maxLength: 2 }) })
  .map(({ command, damages }) => {
    let bytes = Buffer.from(command).toString('latin1');
    for (const one of damages) {
      const at = Math.floor(one.at * bytes.length);
      const [before, after] = [bytes.slice(0, at), bytes.slice(at)];
      if (one.how === 'insert') bytes = before + one.text + after;
      else if (one.how === 'cut') bytes = before + after.slice(one.length);
      else if (one.how === 'double') bytes = before + after.slice(0, one.length) + after;
      else bytes = before + Buffer.from(one.text).toString('latin1');
    }
    return bytes;
  });

/** Loud where the server says that it was wrong. */
function watchfulLogger(): Logger & { readonly errors: unknown[] } {
  const errors: unknown[] = [];
  const error = (message: string, fields?: object) => void errors.push({ message, ...fields });
  const logger = { debug() {}, info() {}, warn() {}, error, errors, child: () => logger };
  return logger;
}

/** Says all of it and hangs up; resolves when the server is done with it. */
async function say(app: ImapApp, bytes: Buffer, pieces: readonly number[]): Promise<void> {
  const [near, far] = duplexPair();
  near.on('error', () => {});
  near.resume();
  const served = app.server.handle(new Connection(far, { remote: '127.0.0.1' }));
  let at = 0;
  for (const piece of pieces) {
    near.write(bytes.subarray(at, at + piece));
    at += piece;
    await new Promise((resolve) => setImmediate(resolve));
  }
  near.end(bytes.subarray(at));
  await served;
}

it('damaged commands are answered or end the connection, and never the server', async () => {
  expect(commands.length).toBeGreaterThan(500);
  const logger = watchfulLogger();
  await using app = await startImapApp({ logger });
  const session = fc.record({
    said: fc.array(damagedCommand, { minLength: 3, maxLength: 12 }),
    pieces: fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 6 }),
    isSelected: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(session, { minLength: 1, maxLength: 3 }), async (sessions) => {
      logger.errors.length = 0;
      const conversations = sessions.map(({ said, pieces, isSelected }) => {
        const start = `l LOGIN ${user} "${password}"\r\n${isSelected ? 's SELECT INBOX\r\n' : ''}`;
        const lines = said.map((command, at) => `t${at} ${command}\r\n`).join('');
        return say(app, Buffer.from(start + lines, 'latin1'), pieces);
      });
      await Promise.all(conversations);
      expect(logger.errors).toEqual([]);
    }),
    { numRuns: 250, endOnFailure: false },
  );
  const client = await app.connect();
  expect((await client.command(`LOGIN ${user} "${password}"`)).at(-1)).toMatch(/^x OK/);
  expect((await client.command('SELECT INBOX')).at(-1)).toMatch(/^x OK/);
  client.close();
});
