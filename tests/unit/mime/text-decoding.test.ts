import { describe, expect, it } from 'vitest';
import { decodeText } from '../../../protocol/mime/charset.ts';
import { decodeWords, encodeWords } from '../../../protocol/mime/encoded-word.ts';
import { decodeParameter, parseParameterized } from '../../../protocol/mime/parameters.ts';
import { decodeTransfer } from '../../../protocol/mime/transfer-encoding.ts';

const latin1 = (text: string) => Buffer.from(text).toString('latin1');

describe('encoded words', () => {
  const rows: [claim: string, value: string, want: string][] = [
    ['plain text stays', 'Hello', 'Hello'],
    ['Q and B', '=?iso-8859-1?Q?Andr=E9?= and =?UTF-8?B?w6Q=?=', 'André and ä'],
    ['the space between words goes', '=?utf-8?q?a?= =?utf-8?q?b?=', 'ab'],
    ['the fold between words goes', '=?utf-8?q?a?=\r\n =?utf-8?q?b?=', 'ab'],
    ['the space beside text stays', 'x =?utf-8?q?a?= y', 'x a y'],
    ['underscores are spaces', '=?utf-8?q?a_b?=', 'a b'],
    ['a character split over words is whole', '=?utf-8?q?=E4=B8?= =?utf-8?q?=AD?=', '中'],
    ['a character split over B words is whole', '=?utf-8?B?5Lg=?= =?utf-8?B?rQ==?=', '中'],
    ['charsets may change between words', '=?utf-8?q?=C3=A4?= =?iso-8859-1?q?=E4?=', 'ää'],
    ['a language suffix is passed over', '=?us-ascii*en?Q?Keith?=', 'Keith'],
    ['words glued to text are read', 'a=?utf-8?q?b?=c', 'abc'],
    ['words in quotes are read', '"=?utf-8?q?b?="', '"b"'],
    ['spaces in a Q word are kept', '=?utf-8?Q?a b?=', 'a b'],
    ['a word without an end stays', '=?utf-8?Q?abc', '=?utf-8?Q?abc'],
    ['a word without an end does not swallow the next', '=?utf-8?Q?abc =?utf-8?Q?d?=', '=?utf-8?Q?abc d'],
    ['an unknown encoding stays', '=?utf-8?X?abc?=', '=?utf-8?X?abc?='],
    ['an unknown charset is guessed', '=?nonsense?Q?=C3=A4?=', 'ä'],
    ['bad base64 gives what it can', '=?utf-8?B?YWJ*j?=', 'abc'],
    ['bad hex stays', '=?utf-8?Q?=ZZ?=', '=ZZ'],
    ['ISO-2022-JP', '=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=', '日本'],
    ['GB2312', '=?gb2312?B?1tDOxA==?=', '中文'],
    ['KOI8-R', '=?koi8-r?B?8NLJ18XU?=', 'Привет'],
    ['empty word', 'a =?utf-8?Q??= b', 'a  b'],
    ['raw UTF-8', latin1('Grüße'), 'Grüße'],
    ['raw windows-1252', 'Gr\xfc\xdfe \x80', 'Grüße €'],
    ['raw UTF-8 beside a word', `${latin1('ä')} =?utf-8?q?b?=`, 'ä b'],
  ];
  it.each(rows)('%s', (_, value, want) => {
    expect(decodeWords(value)).toBe(want);
  });

  it('are written within 75 characters, split between characters', () => {
    const text = '日本語の長い件名 👩‍👩‍👧 '.repeat(8);
    const words = encodeWords(text).split(' ');
    expect(Math.max(...words.map((word) => word.length))).toBeLessThanOrEqual(75);
    for (const word of words) expect(decodeWords(word)).not.toContain('\ufffd');
    expect(decodeWords(encodeWords(text))).toBe(text);
  });
});

describe('charsets', () => {
  const rows: [charset: string, bytes: number[] | string, want: string][] = [
    ['utf-8', [0xc3, 0xa4], 'ä'],
    ['UTF8', [0xc3, 0xa4], 'ä'],
    ['iso-8859-1', [0xe4, 0x80], 'ä€'],
    ['iso-8859-15', [0xa4], '€'],
    ['windows-1251', [0xcf, 0xf0], 'Пр'],
    ['cp1252', [0x80], '€'],
    ['koi8-r', [0xf0], 'П'],
    ['gb2312', [0xd6, 0xd0], '中'],
    ['big5', [0xa4, 0xa4], '中'],
    ['shift_jis', [0x82, 0xa0], 'あ'],
    ['Shift-JIS', [0x82, 0xa0], 'あ'],
    ['ks_c_5601-1987', [0xb0, 0xa1], '가'],
    ['iso-2022-jp', '\x1b$B$"\x1b(B', 'あ'],
    ['iso-2022-kr', '\x1b$)C\x0e0!\x0fA', '가A'],
    ['hz-gb-2312', 'a~{VPND~}~~', 'a中文~'],
    ['utf-7', 'a+AOQ-b', 'aäb'],
    ['unicode-1-1-utf-7', '+AOQ-', 'ä'],
    ['utf-16le', [0xe4, 0x00], 'ä'],
    ['cp850', [0x84], 'ä'],
    ['us-ascii', [0x61, 0xe4], 'aä'],
    ['us-ascii', [0xc3, 0xa4], 'ä'],
    ['', [0xc3, 0xa4], 'ä'],
    ['x-unknown', [0xe4], 'ä'],
    ['"utf-8"', [0xc3, 0xa4], 'ä'],
    ['charset=utf-8', [0xc3, 0xa4], 'ä'],
    ['utf-8; format=flowed', [0xc3, 0xa4], 'ä'],
    ['nonsense', [0xe4], 'ä'],
    ['utf-8', [0x61, 0xff], 'a\ufffd'],
    ['__proto__', [0x61], 'a'],
  ];
  it.each(rows)('%s', (charset, bytes, want) => {
    expect(decodeText(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Uint8Array.from(bytes), charset)).toBe(want);
  });
});

describe('transfer encodings', () => {
  const rows: [claim: string, encoding: string, body: string, want: string][] = [
    ['base64 with line ends', 'base64', 'aGVs\r\nbG8=', 'hello'],
    ['base64 without padding', 'base64', 'aGVsbG8', 'hello'],
    ['base64 with stray bytes', 'base64', 'a!G-V s*bG8=', 'hello'],
    ['joined base64 pieces', 'base64', 'aGVsbG8=aGVsbG8=', 'hellohello'],
    ['quoted-printable', 'quoted-printable', 'a=3Db=\r\nc=e4', 'a=bc\xe4'],
    ['a soft line end with spaces after it', 'quoted-printable', 'a= \t\r\nb', 'ab'],
    ['white space at a line end is padding', 'quoted-printable', 'a  \r\nb \n', 'a\r\nb\n'],
    ['a lone = stays', 'quoted-printable', 'a=b =zz 1=', 'a=b =zz 1'],
    ['bare CR is data', 'quoted-printable', 'a\rb', 'a\rb'],
    ['uuencode', 'x-uuencode', 'begin 644 x\n#8V%T\n`\nend\n', 'cat'],
    ['an unknown encoding is none', 'base9000', 'aGVs', 'aGVs'],
  ];
  it.each(rows)('%s', (_, encoding, body, want) => {
    expect(Buffer.from(decodeTransfer(Buffer.from(body, 'latin1'), encoding)).toString('latin1')).toBe(want);
  });
});

describe('parameters', () => {
  const rows: [value: string, name: string, want: string | undefined][] = [
    ['text/plain; charset=utf-8', 'charset', 'utf-8'],
    ['text/plain; charset="utf-8"; x=y', 'x', 'y'],
    ['text/plain; charset = us-ascii (Plain text)', 'charset', 'us-ascii'],
    ['text/plain;charset="a\\"b\\\\c"', 'charset', 'a"b\\c'],
    ['a/b; name="C:\\dir\\file.txt"', 'name', 'C:\\dir\\file.txt'],
    ['a/b; name=my file (1).pdf', 'name', 'my file (1).pdf'],
    ['a/b; name=file(1).pdf', 'name', 'file(1).pdf'],
    ['a/b; name="x" other=y', 'other', 'y'],
    ['a/b; name="never closed; x=y', 'name', 'never closed; x=y'],
    ['a/b; ; junk; name=x', 'name', 'x'],
    ['a/b; name=', 'name', ''],
    ['a/b; NAME=x; name=y', 'name', 'x'],
    ["a/b; name*=utf-8''%e2%82%ac%20rates", 'name', '€ rates'],
    ["a/b; name*=iso-8859-1'en'%A3%20rates", 'name', '£ rates'],
    ['a/b; name*0="one "; name*1=two', 'name', 'one two'],
    ['a/b; name*1*=%20b; name*0*=utf-8\'\'%C3%A4; name*2=" 100%25"', 'name', 'ä b 100%25'],
    ["a/b; name*0*=utf-8''%E4%B8; name*1*=%AD", 'name', '中'],
    ["a/b; name=plain; name*=utf-8''ext", 'name', 'ext'],
    ['a/b; name="=?utf-8?Q?=C3=A4?="', 'name', 'ä'],
    [`a/b; name="${latin1('ä')}"`, 'name', 'ä'],
    ['a/b; name*=%C3%A4', 'name', 'ä'],
    ['a/b', 'name', undefined],
    ['a/b; __proto__=x', '__proto__', 'x'],
  ];
  it.each(rows)('%s gives %s', (value, name, want) => {
    expect(decodeParameter(parseParameterized(value).parameters, name)).toBe(want);
  });
});
