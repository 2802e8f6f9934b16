/** What editheader leaves of a message: nothing changes that no script changed, and the length is that of the bytes. */
import { expect, test } from 'vitest';
import { parseStructure } from '../../../protocol/mime/structure.ts';
import { Message } from '../../../protocol/sieve/message.ts';

const messages: readonly (readonly [claim: string, raw: string])[] = [
  ['is whole', 'From: a@b.example\r\nSubject: x\r\n\r\nbody\r\n'],
  ['has bare line feeds', 'From: a@b.example\nSubject: x\n\nbody\n'],
  ['ends within its header', 'From: a@b.example\r\nSubject: x'],
  ['has no header', '\r\nbody'],
  ['is empty', ''],
  ['has lines that are no fields', 'From: a@b.example\r\nno field\r\nSubject: x\r\n\r\nbody'],
];

test.each(messages)('a message that %s stays as it is until it is edited, and when the edit is taken back', (_, text) => {
  const raw = Buffer.from(text);
  const message = new Message(raw, parseStructure(raw).root);
  expect(message.bytes()).toBe(raw);
  expect(message.length).toBe(raw.length);
  for (const isLast of [false, true]) {
    message.addField('X-New', 'value', isLast);
    expect(message.bytes().includes('X-New: value\r\n')).toBe(true);
    expect(message.length).toBe(message.bytes().length);
    message.removeFields(({ name }) => name === 'x-new');
    expect(message.bytes()).toBe(raw);
  }
});
