/** How import hands messages in: what a batch that fails does to the rest. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CallVerb } from '../../../server/transfer/call-verb.ts';
import { importMessages } from '../../../server/transfer/import-messages.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'satchel-import-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function importMbox(messages: number, call: CallVerb) {
  const mbox = Array.from(
    { length: messages },
    (_, number) => `From a@example.com Thu Jan  1 00:00:00 2026\nSubject: ${number}\n\nHello\n\n`,
  );
  const path = join(folder, 'all.mbox');
  writeFileSync(path, mbox.join(''));
  return importMessages({ call, address: 'me@example.com', paths: [path], mailbox: undefined, messageBytesMax: 1000 });
}

const added = (parameters: Readonly<Record<string, unknown>>) => ({
  results: ((parameters['messages'] ?? parameters['mailboxes']) as readonly unknown[]).map(() => 'added'),
});

it('counts what the server answers for each message of each batch', async () => {
  const report = await importMbox(1000, async (_name, parameters) => added(parameters));
  expect(report).toMatchObject({ found: 1000, added: 1000, known: 0, faults: [] });
});

it.each([1, 2, 5])('fails where batch %i of five fails, and hands in no more than is under way by then', async (failing) => {
  let calls = 0;
  const importing = importMbox(1000, async (_name, parameters) => {
    calls++;
    if (calls === failing) throw new Error('the server is away');
    return added(parameters);
  });
  await expect(importing).rejects.toThrow('the server is away');
  expect(calls).toBeLessThan(failing + 3);
});
