import { describe, expect, it } from 'vitest';
import { bodyLists, hasAttachment, partCharset, partCid, partName, partSize } from '../../../protocol/mime/body-lists.ts';
import { deriveFacts } from '../../../protocol/mime/facts.ts';
import { headerFieldsFromRaw } from '../../../protocol/mime/header.ts';
import { headerFieldsFromFacts, headerValuesFromFacts, isTraceName, listNames } from '../../../protocol/mime/header-facts.ts';
import { headerFactsBytesMax } from '../../../protocol/mime/limits.ts';
import { decodePart, decodePartText } from '../../../protocol/mime/part-content.ts';
import { findPart } from '../../../protocol/mime/sections.ts';
import { parseStructure } from '../../../protocol/mime/structure.ts';

interface Tree {
  header: string[];
  children?: Tree[];
}

let boundaries = 0;
const leaf = (type: string, ...header: string[]): Tree => ({ header: [`Content-Type: ${type}`, ...header] });
const multi = (subtype: string, ...children: Tree[]): Tree => ({ header: [`Content-Type: multipart/${subtype}`], children });

function write({ header, children }: Tree): string {
  if (children === undefined) return `${header.join('\r\n')}\r\n\r\nx`;
  const boundary = `b${++boundaries}x`;
  return `${header.join('\r\n')}; boundary=${boundary}\r\n\r\n${children.map((child) => `--${boundary}\r\n${write(child)}\r\n`).join('')}--${boundary}--\r\n`;
}
const rootOf = (tree: Tree) => parseStructure(Buffer.from(write(tree))).root;

describe('body lists', () => {
  it("are those of RFC 8621 §4.1.4's example", () => {
    const id = (name: string) => `Content-ID: <${name}>`;
    const inline = 'Content-Disposition: inline';
    const attachment = 'Content-Disposition: attachment';
    const tree = multi(
      'mixed',
      leaf('text/plain', inline, id('A')),
      multi(
        'mixed',
        multi(
          'alternative',
          multi('mixed', leaf('text/plain', inline, id('B')), leaf('image/jpeg', inline, id('C')), leaf('text/plain', inline, id('D'))),
          multi('related', leaf('text/html', id('E')), leaf('image/jpeg', id('F'))),
        ),
        leaf('image/jpeg', attachment, id('G')),
        leaf('application/x-excel', id('H')),
        leaf('message/rfc822', id('J')),
      ),
      leaf('text/plain', inline, id('K')),
    );
    const lists = bodyLists(rootOf(tree));
    const names = (parts: typeof lists.textBody) => parts.map(({ part }) => partCid(part)).join('');
    expect([names(lists.textBody), names(lists.htmlBody), names(lists.attachments)]).toEqual(['ABCDK', 'AEK', 'CFGHJ']);
    expect(lists.attachments[0]?.section).toBe('2.1.1.2');
  });

  it('name a part by filename, else by name, and know charset and size', () => {
    const part = rootOf(leaf('text/plain; charset=koi8-r; name=a', 'Content-Disposition: inline; filename=b'));
    expect([partName(part), partCharset(part), partSize(part)]).toEqual(['b', 'koi8-r', 1]);
    expect(partCharset(rootOf(leaf('text/html')))).toBe('us-ascii');
    expect(partCharset(rootOf(leaf('image/png')))).toBeNull();
  });
});

describe('hasAttachment', () => {
  const pdf = leaf('application/pdf', 'Content-Disposition: attachment; filename=a.pdf');
  const text = leaf('text/plain');
  const html = leaf('text/html');
  const rows: [claim: string, tree: Tree, want: boolean][] = [
    ['a text has none', text, false],
    ['alternatives have none', multi('alternative', text, html), false],
    ['a file is one', multi('mixed', text, pdf), true],
    ['a file without a disposition is one', multi('mixed', text, leaf('application/zip; name=a.zip')), true],
    ['a named text after the first is one', multi('mixed', text, leaf('text/plain; name=a.txt')), true],
    ['an attached image is one', multi('mixed', text, leaf('image/png', 'Content-Disposition: attachment; filename=a.png')), true],
    ['an image of the HTML is none', multi('related', html, leaf('image/png', 'Content-ID: <x>')), false],
    [
      'an image of the HTML marked as attachment is none',
      multi('related', html, leaf('image/png', 'Content-ID: <x>', 'Content-Disposition: attachment')),
      false,
    ],
    ['an inline image is none', multi('mixed', text, leaf('image/png', 'Content-Disposition: inline')), false],
    ['a signature is none', multi('signed', text, leaf('application/pgp-signature; name=signature.asc')), false],
    [
      'an S/MIME signature is none',
      multi('signed', text, leaf('application/pkcs7-signature; name=smime.p7s', 'Content-Disposition: attachment; filename=smime.p7s')),
      false,
    ],
    ['a report has none', multi('report', text, leaf('message/delivery-status'), leaf('message/rfc822')), false],
    ['an invitation is none', multi('alternative', text, html, leaf('text/calendar; method=REQUEST')), false],
    ['an invitation beside a file is one', multi('mixed', multi('alternative', text, leaf('text/calendar')), pdf), true],
    ['a forwarded message is one', multi('mixed', text, leaf('message/rfc822')), true],
    ['a lone file is one', pdf, true],
  ];
  it.each(rows)('%s', (_, tree, want) => {
    expect(hasAttachment(rootOf(tree))).toBe(want);
  });
});

describe('facts of a header', () => {
  it('hold what lists ask for: no name of theirs is that of a trace field', () => {
    expect([...listNames].filter(isTraceName)).toEqual([]);
    expect(['received', 'arc-seal', 'x-ses-receipt', 'x-ms-exchange-organization-scl', 'x-originatororg'].filter(isTraceName)).toHaveLength(
      5,
    );
    expect(['x-search', 'xx-ses-a', 'x-sesame', 'arc'].filter(isTraceName)).toEqual([]);
  });

  const raw = Buffer.from(
    'Received: from a\r\n\tby b\r\nFrom: a@b\r\nReceived: c\r\nDKIM-Signature: v=1;\r\n b=xyz\r\nSubject: one\r\nX-Mine: 1\r\nnonsense line\r\nx-mine: 2\r\n\r\nbody',
  );
  const facts = deriveFacts(raw);

  it('leave trace fields out and say so', () => {
    expect(facts.header).toBe('From: a@b\r\nSubject: one\r\nX-Mine: 1\r\nnonsense line\r\nx-mine: 2\r\n');
    expect(facts.headerOmitted).toEqual(['received', 'dkim-signature']);
    expect(facts.headerOctets).toBe(raw.indexOf('body'));
  });

  it('answer what they hold as the bytes do, and nothing else', () => {
    const ask = (names: string[], not: boolean) => {
      const answer = headerFieldsFromFacts(facts, names, not);
      if (answer !== undefined) expect(Buffer.from(answer).toString()).toBe(Buffer.from(headerFieldsFromRaw(raw, names, not)).toString());
      return answer === undefined ? undefined : Buffer.from(answer).toString();
    };
    expect(ask(['SUBJECT', 'from'], false)).toBe('From: a@b\r\nSubject: one\r\n\r\n');
    expect(ask(['X-Absent'], false)).toBe('\r\n');
    expect(ask(['Received'], false)).toBeUndefined();
    expect(ask(['Subject', 'Received'], false)).toBeUndefined();
    expect(ask(['Subject'], true)).toBeUndefined();
    expect(ask(['Received', 'DKIM-Signature', 'X-Mine'], true)).toBe('From: a@b\r\nSubject: one\r\nnonsense line\r\n\r\n');
    expect(headerValuesFromFacts(facts, 'X-MINE')).toEqual([' 1', ' 2']);
    expect(headerValuesFromFacts(facts, 'received')).toBeUndefined();
  });

  it('keep what lists ask for when room is short', () => {
    const filler = Array.from({ length: 40 }, (_, i) => `X-Filler-${i}: ${'y'.repeat(400)}\r\n`).join('');
    const crowded = deriveFacts(Buffer.from(`${filler}From: a@b\r\nSubject: last\r\n\r\n`));
    expect(crowded.header.length).toBeLessThanOrEqual(headerFactsBytesMax);
    expect(headerValuesFromFacts(crowded, 'subject')).toEqual([' last']);
    expect(headerValuesFromFacts(crowded, 'x-filler-39')).toBeUndefined();
    expect(headerValuesFromFacts(crowded, 'x-other')).toEqual([]);
  });

  it('say nothing for certain where the fields left out are too many to name', () => {
    const many = Array.from({ length: 300 }, (_, i) => `X-F-${i}: ${'y'.repeat(60)}\r\n`).join('');
    const crowded = deriveFacts(Buffer.from(`From: a@b\r\n${many}\r\n`));
    expect(crowded.headerOmitted).toEqual(['*']);
    expect(headerFieldsFromFacts(crowded, ['From'], false)).toBeUndefined();
  });

  it('end every answer with an empty line, also for a header that has none', () => {
    const cut = Buffer.from('Subject: x');
    expect(Buffer.from(headerFieldsFromRaw(cut, ['subject'], false)).toString()).toBe('Subject: x\r\n\r\n');
    expect(Buffer.from(headerFieldsFromFacts(deriveFacts(cut), ['subject'], false)!).toString()).toBe('Subject: x\r\n\r\n');
  });
});

describe('facts of a message', () => {
  it('hold what threads and lists ask for', () => {
    const facts = deriveFacts(
      Buffer.from(
        'Date: Mon, 1 Jan 2001 12:00:00 +0100\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\nReferences: <a@x>\r\n <0@x>\r\n\r\n',
      ),
    );
    expect(facts).toMatchObject({
      sentAt: Date.UTC(2001, 0, 1, 11),
      sentAtOffset: 60,
      subject: 'Grüße',
      messageIds: ['1@x'],
      inReplyTo: ['0@x'],
      references: ['a@x', '0@x'],
    });
  });

  it('keep the first and the newest of very many references', () => {
    const ids = Array.from({ length: 500 }, (_, i) => `<${i}@x>`).join(' ');
    const { references } = deriveFacts(Buffer.from(`References: ${ids}\r\n\r\n`));
    expect([references.length, references[0], references.at(-1)]).toEqual([100, '0@x', '499@x']);
  });

  it('take the last of several instances of a field', () => {
    expect(deriveFacts(Buffer.from('Subject: one\r\nSubject: two\r\n\r\n')).subject).toBe('two');
  });

  it('lead to the decoded content of a part', () => {
    const raw = Buffer.from(
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\n8NLJ18XU\r\n--b--',
    );
    const part = findPart(deriveFacts(raw).root, [1])!;
    expect(decodePart(raw, part).length).toBe(6);
    expect(decodePartText(raw, part)).toBe('Привет');
  });
});
