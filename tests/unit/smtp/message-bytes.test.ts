import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DataReader, encodeData, hasBareLineEnd } from '../../../protocol/smtp/message-bytes.ts';

/** What a slow reader that follows RFC 5321 §4.5.2 by the letter makes of it: [message, rest], or undefined when it does not end. */
function decodeByLetter(stream: string): readonly [string, string] | undefined {
  let text = `\r\n${stream}`;
  const end = text.indexOf('\r\n.\r\n');
  if (end < 0) return undefined;
  const rest = text.slice(end + 5);
  text = text.slice(0, end + 2).replaceAll('\r\n.', '\r\n');
  return [text.slice(2), rest];
}

function decode(stream: string, cuts: readonly number[] = []): readonly [string, string] | undefined {
  const reader = new DataReader(1_000_000);
  const bytes = Buffer.from(stream, 'latin1');
  let from = 0;
  for (const to of [...new Set(cuts.filter((cut) => cut <= bytes.length))].sort((a, b) => a - b).concat(bytes.length)) {
    const chunk = bytes.subarray(from, to);
    const at = reader.read(chunk, 0);
    from = to;
    if (reader.isComplete)
      return [Buffer.concat(reader.sink.chunks).toString('latin1'), bytes.subarray(to - chunk.length + at).toString('latin1')];
  }
  return undefined;
}

describe('DATA', () => {
  test.each([
    ['.\r\n', ''],
    ['a\r\n.\r\n', 'a\r\n'],
    ['..\r\n.\r\n', '.\r\n'],
    ['.a\r\n.\r\n', 'a\r\n'],
    ['a\r\n..\r\n...b\r\n.\r\n', 'a\r\n.\r\n..b\r\n'],
    ['\r\n\r\n.\r\n', '\r\n\r\n'],
    ['a\n.\nb\r\n.\r\n', 'a\n.\nb\r\n'],
    ['a\n.\r\nb\r\n.\r\n', 'a\n.\r\nb\r\n'],
    ['a\r.\r\nb\r\n.\r\n', 'a\r.\r\nb\r\n'],
    ['a\r\n.\rb\r\n.\r\n', 'a\r\n\rb\r\n'],
    ['a\r\n.\nb\r\n.\r\n', 'a\r\n\nb\r\n'],
    ['a\0\xff\r\n.\r\n', 'a\0\xff\r\n'],
  ])('%j is the message %j, at every split', (stream, message) => {
    for (let i = 0; i <= stream.length; i++) {
      for (let j = i; j <= stream.length; j++) expect(decode(`${stream}QUIT\r\n`, [i, j])?.[0]).toBe(message);
    }
  });

  test('ends where the letter of the RFC says, for any bytes and splits', () => {
    const piece = fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', '\r\n.\r\n', 'a', '\0');
    const stream = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(stream, fc.array(fc.nat(100), { maxLength: 6 }), (text, cuts) => {
        const expected = decodeByLetter(text);
        expect(decode(text, cuts)?.[0]).toBe(expected?.[0]);
      }),
      { numRuns: 3000 },
    );
  });

  test('gives back every message that was encoded', () => {
    const piece = fc.constantFrom('\r\n', '.', '..', 'text', '\n', '\xe9');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }).map((pieces) => `${pieces.join('')}\r\n`),
        (message) => {
          expect(decode(encodeData(Buffer.from(message, 'latin1')).toString('latin1'))).toEqual([message, '']);
        },
      ),
    );
  });

  test('past its limit counts on and keeps nothing', () => {
    const reader = new DataReader(100);
    for (let i = 0; i < 50; i++) reader.read(Buffer.from('0123456789\r\n'), 0);
    reader.read(Buffer.from('.\r\n'), 0);
    expect([reader.isComplete, reader.sink.isTooLarge, reader.sink.chunks.length]).toEqual([true, true, 0]);
  });
});

test.each([
  ['a\r\nb\r\n', false],
  ['a\nb', true],
  ['a\rb', true],
  ['a\r', true],
  ['a\r\r\n', true],
  ['', false],
])('%j has a bare line end: %s, at every split', (text, isBare) => {
  const bytes = Buffer.from(text);
  for (let i = 0; i <= bytes.length; i++) expect(hasBareLineEnd([bytes.subarray(0, i), bytes.subarray(i)])).toBe(isBare);
});
