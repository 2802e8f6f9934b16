/** Pipelined APPENDs (RFC 9051 §5.5): UIDs rise in the order of the commands, however long a message takes to be read, and whatever is refused between. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { parseMessage } from '../../../indexer/parse-message.ts';
import { password, startImapApp, user } from '../../support/imap/app.ts';

it('a refused APPEND lets the next one not pass the one before it', async () => {
  const gate = Promise.withResolvers<void>();
  const last = Promise.withResolvers<void>();
  await using app = await startImapApp({
    async readMessage(message) {
      const text = String(Buffer.from(message));
      if (text.includes('slow')) await gate.promise;
      if (text.includes('last')) last.resolve();
      return parseMessage(message);
    },
  });
  const client = await app.connect();
  await client.command(`LOGIN ${user} "${password}"`);
  client.write('a APPEND INBOX {7+}\r\na: slow\r\nb APPEND Missing {4+}\r\na: b\r\nc APPEND INBOX {7+}\r\na: last\r\n');
  await last.promise;
  // As long as it would take to commit.
  for (let turns = 0; turns < 50; turns += 1) await turn();
  gate.resolve();
  const answers = [(await client.until('a')).at(-1), (await client.until('b')).at(-1), (await client.until('c')).at(-1)];
  expect(answers).toEqual([
    expect.stringMatching(/^a OK \[APPENDUID \d+ 1\]/),
    expect.stringMatching(/^b NO \[TRYCREATE\]/),
    expect.stringMatching(/^c OK \[APPENDUID \d+ 2\]/),
  ]);
  client.close();
});
