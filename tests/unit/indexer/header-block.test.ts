import { describe, expect, test } from 'vitest';
import { readSesBlock } from '../../../indexer/ses/header-block.ts';
import { fixture, idOf } from './fixtures.ts';

const read = (name: string) => {
  const message = fixture(name);
  return readSesBlock(message, idOf(message));
};

describe('the block that SES put on top', () => {
  test.each([
    ['clean.eml', { spam: 'PASS', virus: 'PASS', spf: 'PASS', dkim: 'PASS', dmarc: 'PASS' }],
    ['spam.eml', { spam: 'FAIL', virus: 'PASS', spf: 'PASS', dkim: undefined, dmarc: 'GRAY' }],
    ['virus.eml', { spam: 'GRAY', virus: 'FAIL', spf: 'PASS', dkim: undefined, dmarc: 'PASS' }],
    ['unscanned.eml', { spam: undefined, virus: undefined, spf: 'PASS', dkim: undefined, dmarc: 'PASS' }],
    ['forged.eml', { spam: 'FAIL', virus: 'PASS', spf: 'FAIL', dkim: undefined, dmarc: 'FAIL' }],
  ])('of %s says what SES found, and nothing that the sender wrote', (name, results) => {
    const block = read(name);
    expect(block?.results).toEqual(results);
    expect(block?.isProven).toBe(true);
  });

  test('has the envelope, also where sender and HELO are made to look like results', () => {
    expect(read('clean.eml')).toMatchObject({ envelopeFrom: 'noor@sender.example', recipient: 'ada@example.com' });
    expect(read('bounce.eml')).toMatchObject({ envelopeFrom: '', recipient: 'ada@example.com' });
    expect(read('forged.eml')).toMatchObject({ envelopeFrom: 'dkim=pass@evil.example', recipient: 'ada@example.com' });
  });

  test('ends where the sender begins', () => {
    const message = fixture('clean.eml');
    expect(message.subarray(read('clean.eml')!.end).toString().startsWith('Received: from laptop')).toBe(true);
    expect(
      read('added-header.eml')!
        .fields.filter((field) => field.name === 'x-org-score')
        .map((field) => field.value),
    ).toEqual(['7.5']);
  });

  test('is not proven under another name than its id', () => {
    expect(readSesBlock(fixture('forged-block-only.eml'), 'somewhere-else')?.isProven).toBe(false);
    expect(readSesBlock(fixture('clean.eml'), undefined)?.isProven).toBe(false);
  });

  test.each<[string, (message: string) => string]>([
    ['something stands above it', (message) => `X-First: 1\r\n${message}`],
    ['an empty line stands above it', (message) => `\r\n${message}`],
    ['Received is not second', (message) => message.replace('Received:', 'X-Between: 1\r\nReceived:')],
    [
      'another host received it',
      (message) => message.replace('inbound-smtp.eu-west-1.amazonaws.com', 'inbound-smtp.eu-west-1.amazonaws.com.evil.example'),
    ],
    [
      'the host is in a comment of the client',
      (message) => message.replace(' by inbound-smtp', ' by mx.evil.example (x) ; by inbound-smtp'),
    ],
    ['its end is missing', (message) => message.replace(/X-SES-DKIM-SIGNATURE/g, 'DKIM-SIGNATURE')],
    [
      "the sender's header begins before its end",
      (message) => message.replace('X-SES-RECEIPT:', 'From: someone@else.example\r\nX-SES-RECEIPT:'),
    ],
    ['there is a second Received', (message) => message.replace('X-SES-RECEIPT:', 'Received: from a by b; date\r\nX-SES-RECEIPT:')],
  ])('is none when %s', (_, change) => {
    const message = fixture('clean.eml');
    expect(readSesBlock(Buffer.from(change(message.toString('latin1')), 'latin1'), idOf(message))).toBeUndefined();
  });

  test('is none in a message cut anywhere inside it, and never throws', () => {
    const message = fixture('forged.eml');
    const { end } = read('forged.eml')!;
    for (let length = 0; length < end; length++) expect(readSesBlock(message.subarray(0, length), idOf(message))).toBeUndefined();
  });

  test('is read in linear time from hostile lines', () => {
    const hostile = Buffer.from(
      `Return-Path: <a@b>\r\nReceived: ${' by inbound-smtp.x.amazonaws.com with '.repeat(1500)}\r\nX-SES-DKIM-SIGNATURE: a\r\n`,
    );
    const start = performance.now();
    expect(readSesBlock(hostile, 'x')).toBeUndefined();
    expect(performance.now() - start).toBeLessThan(500);
  });
});
