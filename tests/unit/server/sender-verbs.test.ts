import { afterAll, beforeAll, expect, it } from 'vitest';
import { verbs } from '../../../server/admin/verbs.ts';
import { makeServerFolder, type RunningServer, type ServerFolder } from '../../support/running-server.ts';

let folder: ServerFolder;
let server: RunningServer;
beforeAll(async () => {
  folder = makeServerFolder();
  server = await folder.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const run = (name: string, parameters: object) =>
  verbs.find((verb) => verb.name === name)!.run(server.app.services, { address: 'me@localhost', ...parameters });

it("an account's senders are set, shown where a move in IMAP taught them, and forgotten", async () => {
  await run('sender add', { sender: 'Safe@Friend.Example', kind: 'safe' });
  expect(await run('sender list', {})).toMatchObject({ senders: [{ sender: 'safe@friend.example', kind: 'safe', by: 'administrator' }] });
  const client = await server.imap();
  await client.append('INBOX', 'From: Pest <pest@spam.example>\r\nSubject: x\r\n\r\nBuy.\r\n');
  await client.mailboxOpen('INBOX');
  await client.messageMove('1', 'Junk');
  expect(await run('sender list', {})).toMatchObject({
    senders: expect.arrayContaining([expect.objectContaining({ sender: 'pest@spam.example', kind: 'blocked', by: 'move' })]),
  });
  await client.logout();
  await run('sender remove', { sender: 'pest@spam.example' });
  expect(((await run('sender list', {})) as { senders: unknown[] }).senders).toHaveLength(1);
  await expect(run('sender remove', { sender: 'pest@spam.example' })).rejects.toThrow(/sender list/);
});
