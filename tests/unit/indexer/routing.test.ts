import { describe, expect, test } from 'vitest';
import { type RecipientDirectory, type RouteEvidence, route, routeCandidates } from '../../../indexer/routing.ts';
import { readSesBlock } from '../../../indexer/ses/header-block.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { fixture, idOf } from './fixtures.ts';

/** ada, ben (and ben+…), team = ada and ben; everything else is unknown. */
const directory: RecipientDirectory = {
  async resolveRecipient(address) {
    const accounts: Record<string, string[]> = { ada: ['a1'], ben: ['b1'], team: ['a1', 'b1'] };
    const [local = '', domain] = address.toLowerCase().split('@');
    const found = domain === 'example.com' ? accounts[local.split('+')[0]!] : undefined;
    if (found === undefined) return { kind: 'unknown', reason: 'address' };
    return { kind: 'account', accounts: found as AccountId[], address, detail: null, via: 'account' };
  },
};

async function routed(message: Buffer | string, evidence: RouteEvidence = {}) {
  const { source, targets, unknown } = await route(directory, routeCandidates(Buffer.from(message), evidence));
  return { source, accounts: [...targets.keys()], unknown };
}

const head = (...fields: string[]) => `${fields.join('\r\n')}\r\n\r\nbody\r\n`;

describe('a message is for', () => {
  test("the receipt's recipients, whatever its header says, each account once", async () => {
    const receiptRecipients = ['Ada@example.com', 'ben+lists@example.com', 'team@example.com', 'nobody@example.com'];
    const to = await routed(fixture('many-recipients.eml'), { receiptRecipients, keyAddress: 'x@example.com' });
    expect(to).toEqual({ source: 'receipt', accounts: ['a1', 'b1'], unknown: ['nobody@example.com'] });
  });

  test("more of the receipt's recipients than are looked up at once, and none of them is called unknown", async () => {
    const receiptRecipients = [...Array.from({ length: 1_500 }, (_, at) => `ada+${at}@example.com`), 'ben@example.com'];
    expect(await routed(head('To: x@else.example'), { receiptRecipients })).toMatchObject({ accounts: ['a1', 'b1'], unknown: [] });
  });

  test('the address in the name of its object', async () => {
    expect(await routed(head('To: ben@example.com'), { keyAddress: 'ada@example.com' })).toEqual({
      source: 'key',
      accounts: ['a1'],
      unknown: [],
    });
    expect(await routed(head('To: ben@example.com'), { keyAddress: 'eve@example.com' })).toMatchObject({
      accounts: [],
      unknown: ['eve@example.com'],
    });
  });

  test('whom a proven SES block names, and nobody that the sender names', async () => {
    const message = fixture('forged.eml');
    const block = readSesBlock(message, idOf(message));
    expect(await routed(message, { block })).toEqual({ source: 'received', accounts: ['a1'], unknown: [] });
    const unknown = Buffer.from(message.toString('latin1').replace('for ada@example.com;', 'for eve@example.com;'), 'latin1');
    expect(await routed(unknown, { block: readSesBlock(unknown, idOf(message)) })).toMatchObject({
      accounts: [],
      unknown: ['eve@example.com'],
    });
  });

  test.each<[string, string, unknown]>([
    [
      'the topmost Received',
      head(
        'Received: from a (b for <x@example.com>) by c\r\n\tfor <ben@example.com>; Mon',
        'Received: from a by b for <ada@example.com>; Mon',
        'To: ada@example.com',
      ),
      { source: 'received', accounts: ['b1'] },
    ],
    [
      'X-Original-To',
      head('X-Original-To: ben@example.com', 'Delivered-To: ada@example.com', 'To: ada@example.com'),
      { source: 'xOriginalTo', accounts: ['b1'] },
    ],
    ['Delivered-To', head('Delivered-To: ben@example.com', 'To: ada@example.com'), { source: 'deliveredTo', accounts: ['b1'] }],
    [
      'To and Cc, those that exist here',
      head('To: "A, B" <ada@example.com>, x@else.example', 'Cc: Us: ben@example.com, eve@example.com;'),
      { source: 'toAndCc', accounts: ['a1', 'b1'], unknown: [] },
    ],
    [
      'the next field, when one names nobody here',
      head('Received: from a by b for <me@else.example>; Mon', 'X-Original-To: eve@example.com', 'To: ada@example.com'),
      { source: 'toAndCc', accounts: ['a1'] },
    ],
  ])('whom %s names', async (_, message, expected) => {
    expect(await routed(message)).toMatchObject(expected as object);
  });

  test('nobody, when no field names anybody here; the best guess is kept', async () => {
    expect(await routed(head('Delivered-To: eve@example.com', 'To: me@else.example'))).toMatchObject({
      accounts: [],
      unknown: ['eve@example.com'],
    });
    expect(await routed('')).toEqual({ source: undefined, accounts: [], unknown: [] });
  });

  test('an address in UTF-8 as it is spelt', () => {
    expect(routeCandidates(Buffer.from(head('To: <jürgen@bücher.example>')), {})[0]?.addresses).toEqual(['jürgen@bücher.example']);
  });
});
