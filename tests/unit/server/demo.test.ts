import { expect, it } from 'vitest';
import { parseMessage } from '../../../indexer/parse-message.ts';
import { readSesBlock } from '../../../indexer/ses/header-block.ts';
import { demoMessages } from '../../../server/demo/demo-messages.ts';

const now = Date.UTC(2027, 0, 5);

it('are some dozens of messages, the same for the same time, each with a name and id of its own', () => {
  const messages = demoMessages('me@localhost', now);
  expect(messages.length).toBeGreaterThan(24);
  expect(new Set(messages.map(({ name }) => name)).size).toBe(messages.length);
  expect(demoMessages('me@localhost', now)).toEqual(messages);
});

it('have dates before now, threads, attachments, HTML, and a few that a scanner called spam', async () => {
  const messages = demoMessages('me@localhost', now);
  const parsed = await Promise.all(messages.map(({ raw }) => parseMessage(raw)));
  expect(parsed.filter(({ facts }) => facts.hasAttachment).length).toBeGreaterThanOrEqual(2);
  expect(parsed.filter(({ facts }) => facts.references !== undefined && facts.references.length > 0).length).toBeGreaterThanOrEqual(6);
  expect(parsed.every(({ preview }) => preview !== '')).toBe(true);
  const blocks = messages.map(({ name, raw }) => readSesBlock(raw, name)!);
  expect(blocks.filter(({ results }) => results.spam === 'FAIL')).toHaveLength(2);
  for (const { raw } of messages) {
    expect(raw.includes('\n') && !/[^\r]\n/.test(raw.toString('latin1'))).toBe(true);
    expect(Date.parse(/\r\nDate: (.*)\r\n/.exec(raw.toString('latin1'))![1]!)).toBeLessThan(now);
  }
});
