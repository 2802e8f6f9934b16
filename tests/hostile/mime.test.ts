/** Messages made to cost: deep, wide, endless or quadratic. Work is counted where it can be, and bounded in time far above linear and far below quadratic elsewhere. */
import { describe, expect, it, vi } from 'vitest';
import { parseAddresses } from '../../protocol/mime/address.ts';
import { baseSubject } from '../../protocol/mime/base-subject.ts';
import { parseDate } from '../../protocol/mime/date.ts';
import { decodeWords } from '../../protocol/mime/encoded-word.ts';
import { deriveFacts, encodeBodyStructure } from '../../protocol/mime/facts.ts';
import { htmlText } from '../../protocol/mime/html-text.ts';
import { fieldBytesMax, partDepthMax, partsMax } from '../../protocol/mime/limits.ts';
import { parseMessageIds } from '../../protocol/mime/message-id.ts';
import { parseParameterized } from '../../protocol/mime/parameters.ts';
import { walkParts } from '../../protocol/mime/sections.ts';
import { parseStructure } from '../../protocol/mime/structure.ts';
import { extractText } from '../../protocol/mime/text-extract.ts';
import { checkMessage } from '../unit/mime/invariants.ts';

/** Bytes that the native searches of a parse pass over. */
function scannedBytes(raw: Buffer): number {
  let scanned = 0;
  const { indexOf, compare } = Buffer.prototype;
  const indexOfSpy = vi.spyOn(Buffer.prototype, 'indexOf').mockImplementation(function (this: Buffer, ...parameters: unknown[]) {
    const found = Reflect.apply(indexOf, this, parameters) as number;
    scanned += (found < 0 ? this.length : found + 1) - (parameters[1] as number);
    return found;
  });
  const compareSpy = vi.spyOn(Buffer.prototype, 'compare').mockImplementation(function (this: Buffer, ...parameters: unknown[]) {
    scanned += (parameters[4] as number) - (parameters[3] as number);
    return Reflect.apply(compare, this, parameters) as 0;
  });
  try {
    parseStructure(raw);
  } finally {
    indexOfSpy.mockRestore();
    compareSpy.mockRestore();
  }
  return scanned;
}

const multipart = (boundary: string) => `Content-Type: multipart/mixed; boundary=${boundary}\r\n\r\n`;
const open = (depth: number, name = (i: number) => `b${i}`) =>
  Array.from({ length: depth }, (_, i) => `${multipart(name(i))}--${name(i)}\r\n`).join('');

const shapes: [claim: string, make: (n: number) => string][] = [
  ['lines without a colon', (n) => 'aaaa\n'.repeat(n)],
  ['one endless line', (n) => 'a'.repeat(5 * n)],
  ['lines that begin like a boundary', (n) => `${multipart('b')}${'--a\n'.repeat(n)}`],
  [
    'lines that begin like 50 boundaries',
    (n) => `${open(50, (i) => `${'x'.repeat(60)}${i}`)}\r\n${`--${'x'.repeat(60)}\n`.repeat(n / 12)}`,
  ],
  ['boundaries and nothing else', (n) => `${multipart('b')}${'--b\n'.repeat(n)}`],
  ['multiparts in multiparts', (n) => open(n / 50)],
  ['messages in messages', (n) => 'Content-Type: message/rfc822\r\n\r\n'.repeat(n / 30)],
  ['header fields', (n) => 'X: y\n'.repeat(n)],
  ['one folded field', (n) => `Subject: x\n${' y\n'.repeat(n)}`],
];

describe('the structure parser', () => {
  it.each(shapes)('scans %s in linear work', (_, make) => {
    const small = Buffer.from(make(20_000));
    const large = Buffer.from(make(80_000));
    expect(scannedBytes(small)).toBeLessThanOrEqual((partDepthMax + 4) * small.length);
    const growth = scannedBytes(large) / scannedBytes(small);
    expect(growth).toBeLessThan(6);
    checkMessage(small);
  });

  it('reads past the deepest allowed part as one opaque leaf', () => {
    for (const raw of [open(300), 'Content-Type: message/rfc822\r\n\r\n'.repeat(300)]) {
      const parts = [...walkParts(parseStructure(Buffer.from(raw)).root, true)];
      expect(parts.at(-1)![1]).toMatchObject({ type: 'application', subtype: 'octet-stream', isOpaque: true });
      checkMessage(Buffer.from(raw));
    }
  });

  it('reads what follows too many parts as one opaque leaf', () => {
    const raw = Buffer.from(`${multipart('b')}${'--b\r\n\r\nx\r\n'.repeat(5000)}--b--\r\n`);
    const { children } = parseStructure(raw).root;
    expect(children!.length).toBe(partsMax);
    expect(children!.at(-1)).toMatchObject({ isOpaque: true, bodyEnd: raw.length });
    checkMessage(raw);
  });

  it('keeps facts small whatever the header', () => {
    const wide = 'To: "name" <user@host.example>,\r\n'.padEnd(200_000, ' <u@h>,\r\n');
    const raw = Buffer.from(
      `${wide}\r\nCc: ${'a@b,'.repeat(100_000)}\r\nReferences: ${'<a@b> '.repeat(50_000)}\r\n${'X-Y: z\r\n'.repeat(10_000)}\r\n`,
    );
    const facts = deriveFacts(raw);
    expect(JSON.stringify(facts).length).toBeLessThan(600_000);
    checkMessage(raw);
  });

  it('keeps facts of a thousand nested headers small', () => {
    const inner = `Content-Type: message/rfc822\r\n\r\nTo: ${'a@b,'.repeat(2000)}\r\n\r\nx\r\n`;
    const raw = Buffer.from(`${multipart('b')}${`--b\r\n${inner}`.repeat(900)}--b--`);
    const facts = deriveFacts(raw);
    expect(JSON.stringify(facts).length).toBeLessThan(3_000_000);
    expect(encodeBodyStructure(facts).length).toBeLessThan(3_000_000);
  });
});

describe('header values of 64 KiB', () => {
  const pieces = [
    '"',
    '(',
    ')',
    '\\',
    '<',
    '>',
    '@',
    ',',
    ';',
    ':',
    '[',
    '=?',
    '=?a?q?',
    '?=',
    '=?utf-8?q?a?= ',
    '<@',
    '"a"',
    '(a)',
    'a;',
    'a=b;',
    'a*0*=%;',
    '[a]',
    'Re:',
    '[fwd:',
    '(fwd)',
    ' ',
    '1 ',
    'Jan ',
    '<a',
    'g:',
  ];
  it.each(pieces)('made of %j are read at once', (piece) => {
    const value = piece.repeat(Math.ceil(fieldBytesMax / piece.length)).slice(0, fieldBytesMax);
    for (const read of [parseAddresses, decodeWords, parseParameterized, parseMessageIds, baseSubject, parseDate]) {
      const start = performance.now();
      read(value);
      read(`${value}=x`);
      // Linear takes some milliseconds, quadratic many seconds.
      expect(performance.now() - start, read.name).toBeLessThan(1000);
    }
  });
});

describe('text of hostile HTML', () => {
  const bodies = [
    '<div>',
    '<blockquote>x',
    '<table><tr><td>x',
    '<ul><li>x',
    '<',
    '<a href="',
    '<!--',
    '&',
    '<style>',
    '</',
    '<p>x',
    '<pre>',
    '<![CDATA[',
    '&#x',
    '<b/',
    "<a b='",
    '<svg x="',
    '<a b="\'><a b=\'">',
    '<head><title><style><script><textarea>',
    '<![CDATA[<!--<noscript><select><object><template>="',
    '</b ',
    '&amp',
    '<ol><li>x',
    '<blockquote><pre>\n\n',
    ' \n\u200b',
    '\0',
  ];
  it.each(bodies)('made of %j comes at once', async (piece) => {
    const raw = Buffer.from(`Content-Type: text/html\r\n\r\n${piece.repeat(600_000 / piece.length)}`);
    const start = performance.now();
    const { text } = await extractText(raw);
    expect(performance.now() - start).toBeLessThan(2000);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65536);
  });

  it.each(bodies)('made of 1 MB of %j costs no more than linear time', (piece) => {
    const source = piece.repeat(1_000_000 / piece.length);
    const start = performance.now();
    htmlText(source);
    htmlText(`${source}<!--"'>x`);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
