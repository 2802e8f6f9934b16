import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasUnixLines, withCrlf, withUnixLines } from '../../../protocol/mime/line-ends.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

describe('line ends', () => {
  it.each([
    ['a\nb\n', true, 'a\r\nb\r\n'],
    ['\n', true, '\r\n'],
    ['a\rb\n\n', true, 'a\rb\r\n\r\n'],
    ['a\r\nb\n', false, 'a\r\nb\r\n'],
    ['a\r\n', false, 'a\r\n'],
    ['a\r', false, 'a\r'],
    ['', false, ''],
  ])('%j: of Unix %j, with CRLF %j', (text, isUnix, whole) => {
    expect(hasUnixLines(bytes(text))).toBe(isUnix);
    expect(withCrlf(bytes(text)).toString('latin1')).toBe(whole);
  });

  it('of Unix come back as they were', () => {
    const lines = fc.string({ unit: fc.constantFrom('a', '\n', '\r', '\xe9') }).map(bytes);
    fc.assert(
      fc.property(lines, (raw) => {
        if (hasUnixLines(raw)) expect(withUnixLines(withCrlf(raw))).toEqual(raw);
        else if (!withCrlf(raw).equals(raw)) expect(raw.toString('latin1')).toContain('\r\n');
      }),
    );
  });
});
