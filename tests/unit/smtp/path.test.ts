import { describe, expect, test } from 'vitest';
import { parsePathAndParameters } from '../../../protocol/smtp/path.ts';

const read = (args: string, keyword: 'FROM:' | 'TO:' = 'TO:') => {
  try {
    const { address, parameters } = parsePathAndParameters(args, keyword);
    return parameters.size === 0 ? address : [address, Object.fromEntries(parameters)];
  } catch (error) {
    return (error as { reply?: { code: number } }).reply?.code;
  }
};

describe('a path', () => {
  test.each<[string, unknown]>([
    ['TO:<a@example.com>', 'a@example.com'],
    ['to:<a+b.c@Example.COM>', 'a+b.c@Example.COM'],
    ['TO: <a@example.com>', 'a@example.com'],
    ['TO:<@one.example,@two.example:a@example.com>', 'a@example.com'],
    ['TO:<"a b>c"@example.com>', '"a b>c"@example.com'],
    ['TO:<"a\\"b"@example.com>', '"a\\"b"@example.com'],
    ['TO:<a@[192.0.2.1]>', 'a@[192.0.2.1]'],
    ['TO:<jürgen@bücher.example>', 'jürgen@bücher.example'],
    ['TO:<Postmaster>', 'Postmaster'],
    ['TO:<a@example.com> NOTIFY=NEVER X', ['a@example.com', { NOTIFY: 'NEVER', X: null }]],
  ])('%s is read', (args, expected) => {
    expect(read(args)).toEqual(expected);
  });

  test.each([
    'TO:a@example.com',
    'TO:<a@example.com',
    'TO:<>',
    'TO:<a>',
    'TO:<a@>',
    'TO:<@example.com>',
    'TO:<a@b@example.com>',
    'TO:<a b@example.com>',
    'TO:<a..b@example.com>',
    'TO:<a@exa mple.com>',
    'TO:<a@example.com>X=1',
    'TO:<a@example.com> =1',
    'TO:<a@example.com> A=1 A=2',
    'TO:<a\r\nb@example.com>',
    `TO:<${'a'.repeat(65)}@example.com>`,
    `TO:<a@${'b.'.repeat(150)}com>`,
    'FROM:<a@example.com>',
    '',
  ])('%j is refused', (args) => {
    expect(read(args)).toBe(501);
  });

  test('of a sender may be empty', () => {
    expect(read('FROM:<>', 'FROM:')).toBe('');
    expect(read('FROM:<> SIZE=7', 'FROM:')).toEqual(['', { SIZE: '7' }]);
  });

  test('is read in linear time', () => {
    const start = performance.now();
    for (const args of [`TO:<${'a.'.repeat(100)}@x>`, `TO:<"${'\\a'.repeat(5000)}`, `TO:<a@${'a-'.repeat(120)}>`]) read(args);
    expect(performance.now() - start).toBeLessThan(100);
  });
});
