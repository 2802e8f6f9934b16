import { describe, expect, it } from 'vitest';
import { cleanHtml, plainHtmlText } from '../../../protocol/mime/html-text.ts';
import { extractText, previewOf } from '../../../protocol/mime/text-extract.ts';
import { unflow } from '../../../protocol/mime/text-parts.ts';

const textOf = async (raw: string | Buffer) => (await extractText(Buffer.from(raw as string, 'latin1'))).text;
const html = (body: string) => `Content-Type: text/html; charset=utf-8\r\n\r\n${body}`;
const mixed = (...parts: string[]) =>
  `Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts.map((part) => `--b\r\n${part}\r\n`).join('')}--b--`;

describe('text of a message', () => {
  it.each([
    ['plain text', '\r\nhello\r\nthere', 'hello\nthere'],
    [
      'a charset and an encoding',
      'Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe',
      'Grüße',
    ],
    ['UTF-7', 'Content-Type: text/plain; charset=utf-7\r\n\r\na+AOQ-b', 'aäb'],
    [
      'HTML without links, scripts and styles',
      html('<style>x{}</style><h1>Title</h1><p>Hello <a href="http://x">there</a><script>alert("</p>")</script></p>'),
      'Title\n\nHello there',
    ],
    ['HTML tables with cells apart', html('<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>'), 'a b\nc'],
    ['HTML entities', html('a &amp; b &lt;c&gt; &#228;'), 'a & b <c> ä'],
    [
      'text attachments',
      mixed('\r\none', 'Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\ntwo'),
      'one\ntwo',
    ],
    ['nested messages', mixed('\r\none', 'Content-Type: message/rfc822\r\n\r\nSubject: no\r\n\r\ninner'), 'one\ninner'],
    ['no binary', mixed('\r\none', 'Content-Type: application/pdf\r\n\r\n%PDF'), 'one'],
    ['an unflowed paragraph', 'Content-Type: text/plain; format=flowed\r\n\r\nlong \r\nline\r\nnext', 'long line\nnext'],
    ['no NUL', '\r\na\0b', 'ab'],
  ])('holds %s', async (_, raw, want) => {
    expect(await textOf(raw)).toBe(want);
  });

  const alternative = (plain: string, markup: string) =>
    `Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\n${plain}\r\n--c\r\nContent-Type: text/html\r\n\r\n${markup}\r\n--c--`;
  it('holds the plain alternative, or the HTML where the plain one is a stub', async () => {
    expect(await textOf(alternative('the same text', '<p>the same text</p>'))).toBe('the same text');
    expect(await textOf(alternative('see HTML', `<p>${'real words '.repeat(60)}</p>`))).toContain('real words real words');
    expect(await textOf(alternative('', '<p>only here</p>'))).toBe('only here');
  });

  it('is cut at 64 KiB between characters', async () => {
    const { text } = await extractText(Buffer.from(`Content-Type: text/plain; charset=utf-8\r\n\r\n${'語'.repeat(30_000)}`));
    expect(Buffer.byteLength(text)).toBe(65535);
    expect(text.endsWith('語')).toBe(true);
  });

  it('of a 40 MB message costs no more than its text', async () => {
    const attachment = Buffer.alloc(40 * 1024 * 1024, `${'A'.repeat(76)}\r\n`);
    const raw = Buffer.concat([
      Buffer.from(
        'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n',
      ),
      attachment,
      Buffer.from('\r\n--b--'),
    ]);
    const before = process.memoryUsage().arrayBuffers;
    expect(await extractText(raw)).toEqual({ text: 'hello', preview: 'hello' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
  });

  it('of HTML that the reader refuses comes from the plain one', async () => {
    expect(await textOf(html(`${'<div><b>'.repeat(2000)}deep &amp; found`))).toBe('deep & found');
    expect(await textOf(html('<p>row</p>'.repeat(7000)))).toContain('row\n\nrow');
  });
});

describe('previews', () => {
  it('are one line without padding, at most 256 characters', () => {
    expect(previewOf('  a\r\n\r\n b\u00ad\u034f\u200c \u200c c\ufeff ')).toBe('a b c');
    expect(previewOf('word '.repeat(200)).length).toBeLessThanOrEqual(256);
    const emoji = previewOf(`a${'😀'.repeat(200)}`);
    expect([emoji.isWellFormed(), emoji.length]).toEqual([true, 255]);
    expect(previewOf('👩\u200d👧 hi')).toBe('👩\u200d👧 hi');
  });
});

describe('helpers', () => {
  it('clean HTML keeps text beside broken tags', () => {
    const read = (source: string) => plainHtmlText(cleanHtml(source).html);
    expect(read('a < b and <p class="x>y">c</p><!-- never closed')).toBe('a < b and\nc\nnever closed');
    expect(read('<style>p{}<p>shown')).toBe('p{}\nshown');
    expect(read('<img alt="1>2">after')).toBe('after');
    expect(read('x&nbsp;&euro; &unknown; &#x110000;')).toBe('x € &unknown; &#x110000;');
  });

  it('unflow keeps quotes and signatures apart (RFC 3676)', () => {
    expect(unflow('a \r\nb\r\n> quoted \r\n> text\r\n-- \r\nme', false)).toBe('a b\n> quoted \n> text\n-- \nme');
    expect(unflow('del \nsp', true)).toBe('delsp');
  });
});
