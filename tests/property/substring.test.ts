/** Searching the bytes of mail finds what searching its decoded text finds, whatever is in it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeWords } from '../../protocol/mime/encoded-word.ts';
import { scanHeader, unfold } from '../../protocol/mime/header.ts';
import { headerValuesFromRaw } from '../../protocol/mime/header-facts.ts';
import { encodeKeptHeader, KeptHeader } from '../../protocol/mime/kept-header.ts';
import { foldForSearch, Needle } from '../../protocol/mime/substring.ts';

const piece = fc.constantFrom(
  'Subject: ',
  'To: ',
  'X-Odd: ',
  'abc',
  'ABC',
  'b',
  'K',
  ' ',
  '=?utf-8?Q?b=C3=A9c?=',
  '=?',
  '=',
  '\xe9',
  'e\xcc\x81',
  '\xe2\x84\xaa',
  '\r\n',
  '\r\n ',
  '\n\t',
  '\r',
  '\0',
);
const needle = fc.oneof(
  fc.constantFrom('', 'abc', 'ABCb', 'bc', 'k', 'kk', 'bé', 'e', 'É', ';', 'a`', 'i', 'ke', 'b b', 'c =', '=?'),
  fc.string({ maxLength: 3 }),
);

describe('substring search', () => {
  it('in kept header fields equals a search of the decoded values', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), needle, fc.constantFrom('subject', 'to', 'x-odd', 'missing'), (list, text, name) => {
        const raw = Buffer.from(`Subject: ${list.join('')}`, 'latin1');
        const header = raw.subarray(0, scanHeader(raw, 0, Number.POSITIVE_INFINITY).fieldsEnd);
        const kept = new KeptHeader().load(encodeKeptHeader(header.toString('latin1'), ['received', 'x-more']));
        const want = headerValuesFromRaw(header, name).some((value) =>
          foldForSearch(decodeWords(unfold(value))).includes(foldForSearch(text)),
        );
        expect(new Needle(text).isInField(kept, name)).toBe(want);
        expect(kept.text).toBe(header.toString('latin1'));
        expect(kept.omitted).toEqual(['received', 'x-more']);
        expect(kept.lastValue(name)?.replace(/\r?\n$/, '')).toBe(headerValuesFromRaw(header, name).at(-1));
      }),
      { numRuns: 3000 },
    );
  });

  it('in UTF-8 text equals a search of the folded text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'B', 'é', 'e', '\u0301', '\u212a', '\u0130', '\u037e', '\u1fef', '\n', 'ß', 'k'), { maxLength: 12 }),
        needle,
        (list, text) => {
          const body = list.join('');
          expect(new Needle(text).isInUtf8(Buffer.from(body))).toBe(foldForSearch(body).includes(foldForSearch(text)));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('folding', () => {
  it('makes ASCII of no other characters than those that are looked for', () => {
    const folding: string[] = [];
    for (let code = 0x80; code <= 0x10ffff; code += 1) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      if (/[\0-\x7f]/.test(foldForSearch(String.fromCodePoint(code)))) folding.push(code.toString(16));
    }
    expect(folding).toEqual(['130', '37e', '1fef', '212a']);
  });
});
