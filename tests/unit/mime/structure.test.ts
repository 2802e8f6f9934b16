import { describe, expect, it } from 'vitest';
import { formatBodyStructure } from '../../../protocol/mime/body-structure.ts';
import { deriveFacts, encodeBodyStructure, encodeEnvelope } from '../../../protocol/mime/facts.ts';
import { sectionRange } from '../../../protocol/mime/sections.ts';
import { type Part, parseStructure } from '../../../protocol/mime/structure.ts';

/** A message from lines, with CRLF. */
function message(...lines: string[]): Buffer {
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

/** The tree as one line: type, and the body of each leaf. */
function outline(raw: Buffer, part: Part = parseStructure(raw).root): string {
  if (part.children !== undefined) return `${part.subtype}(${part.children.map((child) => outline(raw, child)).join(', ')})`;
  if (part.message !== undefined) return `message(${outline(raw, part.message.root)})`;
  return `${part.type}/${part.subtype} ${JSON.stringify(raw.toString('latin1', part.bodyStart, part.bodyEnd))}`;
}

const multipart = 'Content-Type: multipart/mixed; boundary=b';

describe('the part tree', () => {
  const rows: [claim: string, lines: string[], outline: string][] = [
    ['of an empty message is one empty text', [], 'text/plain ""'],
    ['of a header only is an empty text', ['Subject: x', ''], 'text/plain ""'],
    ['of a header without an end is an empty text', ['Subject: x'], 'text/plain ""'],
    ['of a body only has no header', ['', 'body'], 'text/plain "body"'],
    [
      'leaves preamble and epilogue out',
      [multipart, '', 'preamble', '--b', '', 'one', '--b', '', 'two', '--b--', 'epilogue'],
      'mixed(text/plain "one", text/plain "two")',
    ],
    [
      'gives the line end before a boundary to the boundary',
      [multipart, '', '--b', '', 'one', '', '--b--'],
      'mixed(text/plain "one\\r\\n")',
    ],
    [
      'ends at the end where the last boundary is missing',
      [multipart, '', '--b', '', 'one', '--b', '', 'two'],
      'mixed(text/plain "one", text/plain "two")',
    ],
    ['makes no part after a boundary at the end', [multipart, '', '--b', '', 'one', '--b', ''], 'mixed(text/plain "one")'],
    [
      'ends an open inner multipart at the outer boundary',
      [multipart, '', '--b', 'Content-Type: multipart/alternative; boundary=c', '', '--c', '', 'one', '--b', '', 'two', '--b--'],
      'mixed(alternative(text/plain "one"), text/plain "two")',
    ],
    [
      'takes the whole line before a prefix of it',
      [
        'Content-Type: multipart/mixed; boundary=bc',
        '',
        '--bc',
        'Content-Type: multipart/mixed; boundary=b',
        '',
        '--b',
        '',
        'one',
        '--bc',
        '',
        'two',
        '--bc--',
      ],
      'mixed(mixed(text/plain "one"), text/plain "two")',
    ],
    [
      'tells a closing boundary from one that ends in dashes',
      ['Content-Type: multipart/mixed; boundary="b--"', '', '--b--', '', 'one', '--b----'],
      'mixed(text/plain "one")',
    ],
    [
      'nests multiparts that reuse a boundary',
      [multipart, '', '--b', multipart, '', '--b', '', 'one', '--b--', '--b', '', 'two', '--b--'],
      'mixed(mixed(text/plain "one"), text/plain "two")',
    ],
    ['allows spaces after a boundary', [multipart, '', '--b  ', '', 'one', '--b-- '], 'mixed(text/plain "one")'],
    [
      'ends a part header at a boundary',
      [multipart, '', '--b', 'Content-Type: text/html', '--b', '', 'two', '--b--'],
      'mixed(text/html "", text/plain "two")',
    ],
    ['reads a multipart without a boundary as text', ['Content-Type: multipart/mixed', '', '--b', 'x'], 'text/plain "--b\\r\\nx"'],
    ['reads a multipart whose boundary never comes as text', [multipart, '', 'only', 'text'], 'text/plain "only\\r\\ntext"'],
    [
      'reads parts of a digest as messages',
      ['Content-Type: multipart/digest; boundary=b', '', '--b', '', 'Subject: x', '', 'one', '--b--'],
      'digest(message(text/plain "one"))',
    ],
    [
      'enters nested messages',
      [multipart, '', '--b', 'Content-Type: message/rfc822', '', 'Subject: x', '', 'inner', '--b--'],
      'mixed(message(text/plain "inner"))',
    ],
    [
      'does not enter an encoded message',
      ['Content-Type: message/rfc822', 'Content-Transfer-Encoding: base64', '', 'U3ViamVjdDogeA=='],
      'message/rfc822 "U3ViamVjdDogeA=="',
    ],
    ['takes the first of two Content-Types', ['Content-Type: text/html', 'Content-Type: text/plain', '', 'x'], 'text/html "x"'],
    ['takes text/plain for a type that cannot be read', ['Content-Type: nonsense; a=b', '', 'x'], 'text/plain "x"'],
    ['reads a folded and commented type', ['Content-Type: (c) Text / (d)', '\tHTML ; charset="utf-8"', '', 'x'], 'text/html "x"'],
    ['is not led astray by an mbox line', ['From me@x Mon Jan  1 00:00:00 2001', 'Content-Type: text/html', '', 'x'], 'text/html "x"'],
    ['is not led astray by lines without a colon', ['no colon here', 'Content-Type: text/html', '\xff\xfe: y', '', 'x'], 'text/html "x"'],
  ];
  it.each(rows)('%s', (_, lines, want) => {
    expect(outline(message(...lines))).toBe(want);
  });

  it('is the same with bare LF', () => {
    for (const [claim, lines, want] of rows) {
      expect(outline(Buffer.from(lines.join('\n'), 'latin1')).replaceAll('\\n', '\\r\\n'), claim).toBe(want);
    }
  });

  it('counts octets as stored and LF as lines', () => {
    const root = parseStructure(Buffer.from('A: b\n\none\ntwo\r\nthree')).root;
    expect({ octets: root.bodyEnd - root.bodyStart, lines: root.lines }).toEqual({ octets: 14, lines: 2 });
  });

  it('knows decoded sizes', () => {
    const sizes = [
      ['base64', 'aGVs\r\nbG8=\r\n', 5],
      ['quoted-printable', 'a=3Db =\r\nc', 5],
      ['7bit', 'abc', undefined],
    ] as const;
    for (const [encoding, body, want] of sizes) {
      expect(parseStructure(message(`Content-Transfer-Encoding: ${encoding}`, '', body)).root.decodedOctets, encoding).toBe(want);
    }
  });
});

describe('sections (RFC 3501 §6.4.5)', () => {
  const raw = message(
    'Subject: outer',
    multipart,
    '',
    '--b',
    'X-Part: 1',
    '',
    'one',
    '--b',
    'Content-Type: message/rfc822',
    '',
    'Subject: inner',
    'Content-Type: multipart/mixed; boundary=c',
    '',
    '--c',
    '',
    'inner one',
    '--c',
    'X-Part: 2.2',
    '',
    'inner two',
    '--c--',
    '--b',
    'Content-Type: message/rfc822',
    '',
    'Subject: single',
    '',
    'only',
    '--b--',
    '',
  );
  const { root } = parseStructure(raw);
  const rows: [numbers: number[], text: 'HEADER' | 'TEXT' | 'MIME' | undefined, want: string | undefined][] = [
    [[], undefined, raw.toString()],
    [[], 'HEADER', `Subject: outer\r\n${multipart}\r\n\r\n`],
    [[], 'MIME', undefined],
    [[1], undefined, 'one'],
    [[1], 'MIME', 'X-Part: 1\r\n\r\n'],
    [[1], 'HEADER', undefined],
    [[1, 1], undefined, undefined],
    [[2], 'MIME', 'Content-Type: message/rfc822\r\n\r\n'],
    [[2], 'HEADER', 'Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n'],
    [[2], 'TEXT', '--c\r\n\r\ninner one\r\n--c\r\nX-Part: 2.2\r\n\r\ninner two\r\n--c--'],
    [[2, 1], undefined, 'inner one'],
    [[2, 2], 'MIME', 'X-Part: 2.2\r\n\r\n'],
    [[2, 3], undefined, undefined],
    [[3], undefined, 'Subject: single\r\n\r\nonly'],
    [[3, 1], undefined, 'only'],
    [[3, 1], 'MIME', 'Subject: single\r\n\r\n'],
    [[3, 1, 1], undefined, undefined],
    [[4], undefined, undefined],
    [[0], undefined, undefined],
  ];
  it.each(rows)('BODY[%j %s]', (numbers, text, want) => {
    const range = sectionRange(root, numbers, text);
    expect(range && raw.toString('latin1', range.start, range.end)).toBe(want);
  });

  it('part 1 of a single part is its body, even where that is a message', () => {
    const single = message('Content-Type: message/rfc822', '', 'Subject: in', '', 'text');
    const structure = parseStructure(single).root;
    const cut = (numbers: number[]) => {
      const range = sectionRange(structure, numbers);
      return range && single.toString('latin1', range.start, range.end);
    };
    expect([cut([1]), cut([1, 1]), cut([1, 1, 1]), cut([2])]).toEqual(['Subject: in\r\n\r\ntext', 'text', undefined, undefined]);
  });
});

describe('IMAP bytes', () => {
  it('show a multipart with its parameters and extension data', () => {
    const raw = message(
      'Content-Type: multipart/mixed; boundary="b"',
      'Content-Language: de, en',
      '',
      '--b',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: 8BIT',
      'Content-ID: <1@x>',
      'Content-Description: a "quoted" \\ one',
      '',
      'hello',
      '',
      '--b',
      'Content-Type: application/pdf',
      "Content-Disposition: attachment; filename*0*=utf-8''%C3%A4; filename*1=b.pdf",
      'Content-MD5: abc',
      'Content-Location: http://x/',
      '',
      'x',
      '--b--',
    );
    expect(Buffer.from(encodeBodyStructure(deriveFacts(raw))).toString()).toBe(
      '(("text" "plain" ("charset" "utf-8") "<1@x>" "a \\"quoted\\" \\\\ one" "8bit" 7 1 NIL NIL NIL NIL)' +
        '("application" "pdf" NIL NIL NIL "7bit" 1 "abc" ("attachment" ("filename*" "utf-8\'\'%C3%A4b.pdf")) NIL "http://x/")' +
        ' "mixed" ("boundary" "b") NIL ("de" "en") NIL)',
    );
    expect(formatBodyStructure(parseStructure(raw).root, false)).toBe(
      '(("text" "plain" ("charset" "utf-8") "<1@x>" "a \\"quoted\\" \\\\ one" "8bit" 7 1)("application" "pdf" NIL NIL NIL "7bit" 1) "mixed")',
    );
  });

  it('show an envelope with groups, defaults and words as they stand', () => {
    const raw = message(
      'Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)',
      'Subject: =?utf-8?q?=C3=A4?=',
      ' folded',
      'From: "Joe \\"Q\\" Doe" <joe@x.example>',
      'To: Friends: a@b, "C" <c@d>;, root',
      'Cc:',
      'Message-ID: <1@x>',
      'In-Reply-To: ',
      '',
    );
    const from = '(("Joe \\"Q\\" Doe" NIL "joe" "x.example"))';
    expect(Buffer.from(encodeEnvelope(deriveFacts(raw))).toString()).toBe(
      `("Mon, 7 Feb 1994 21:52:25 -0800 (PST)" "=?utf-8?q?=C3=A4?= folded" ${from} ${from} ${from} ((NIL NIL "Friends" NIL)(NIL NIL "a" "b")("C" NIL "c" "d")(NIL NIL NIL NIL)(NIL NIL "root" "")) NIL NIL "" "<1@x>")`,
    );
  });

  it('turn 8-bit bytes into encoded words', () => {
    const utf8 = Buffer.from('Subject: Grüße\r\nFrom: Jörg <j@x>\r\n\r\n');
    const latin1 = Buffer.from('Subject: Grüße\r\nFrom: Jörg <j@x>\r\n\r\n', 'latin1');
    for (const raw of [utf8, latin1]) {
      const encoded = Buffer.from(encodeEnvelope(deriveFacts(raw))).toString('latin1');
      expect(encoded).toContain(`"=?utf-8?B?${Buffer.from('Grüße').toString('base64')}?="`);
      expect(encoded).toContain(`"=?utf-8?B?${Buffer.from('Jörg').toString('base64')}?="`);
    }
  });

  it('never hold CR, LF or NUL', () => {
    const raw = Buffer.from('Subject: a\0b\r c\r\n\td\r\nFrom: "x\0y" <a\0@b>\r\n\r\n');
    expect(Buffer.from(encodeEnvelope(deriveFacts(raw))).toString()).toContain('"ab c\td"');
    expect(encodeEnvelope(deriveFacts(raw)).some((byte) => byte === 0 || byte === 10 || byte === 13)).toBe(false);
  });

  it('give a message that was not read an empty envelope and body', () => {
    const raw = message('Content-Type: message/rfc822', 'Content-Transfer-Encoding: base64', '', 'eA==');
    expect(formatBodyStructure(parseStructure(raw).root, false)).toBe(
      '("message" "rfc822" NIL NIL NIL "base64" 4 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) 0)',
    );
  });
});
