import { describe, expect, it } from 'vitest';
import { htmlText } from '../../../protocol/mime/html-text.ts';
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
});

describe('text of HTML', () => {
  it.each([
    ['blocks on lines, paragraphs apart', '<div>a</div><div>b<p>c<p>d<h2>e</h2>f', 'a\nb\n\nc\n\nd\n\ne\n\nf'],
    ['white space as one space, and none at the ends of a line', '<p>\n a \t\r\n b <b> c</b> </p>\n<p> d', 'a b c\n\nd'],
    ['line breaks, of empty lines one', 'a<br>b<br/><br><br><br>c<div>d<br></div>e', 'a\nb\n\nc\nd\ne'],
    ['items of lists', '<ul><li>a<li>b<ol><li>c</li><li><p>d</p></ol><li></li></ul>e', ' * a\n * b\n\n    1. c\n\n    2. d\n\ne'],
    ['an item without a list', '<li>a', ' * a'],
    ['quotes', 'a<blockquote>b<br>c<blockquote>d</blockquote></blockquote>e', 'a\n\n> b\n> c\n\n> > d\n\ne'],
    ['lines of preformatted text', '<pre>\n a\n   b  c\n</pre>d  e', ' a\n   b  c\n\nd e'],
    ['a quote of preformatted text', '<blockquote><pre>a\nb', '> a\n> b'],
    ['a rule', 'a<hr>b', `a\n\n${'-'.repeat(40)}\n\nb`],
    ['cells apart', '<table><tr><th>a<th>b</tr><tr><td>c</td><td>d</td></table>', 'a b\nc d'],
    ['entities', '&AMP;&#x41;&nbsp;b&eacute;&sum;&ampx &unknown; &#128512;&#x110000;&#0;', '&A\u00a0bé∑&x &unknown; 😀\ufffd\ufffd'],
    ['no images and link targets', '<a href="http://x/?a=1&amp;b=2" title=\'>\'>a</a><img alt="1>2" src=x>b', 'ab'],
    [
      'nothing of what is hidden',
      'a<script>if (a<b) "</p>"</script><style>p{}</style><svg><text>x</svg><select><option>x</select><title>x</title>b',
      'a b',
    ],
    ['what follows an empty element of the hidden', '<title/>a<script src="x" />b<svg/>c', 'a b c'],
    ['the body of a head without an end', '<html><head><title>x</title><BODY>a', 'a'],
    ['no comments, declarations and instructions', '<!DOCTYPE html><?xml version="1"?>a<!-- b > c -->d<![if !mso]>e<![CDATA[f]]>', 'ade'],
    ['signs that begin no tag', 'a < b <3 <> & c >', 'a < b <3 <> & c >'],
    ['closing tags without an opening one', '</ul></blockquote></pre></li></div>a</br>b', 'a\nb'],
    ['all of nothing', '', ''],
  ])('has %s', (_, source, want) => {
    expect(htmlText(source)).toBe(want);
  });

  it.each([
    ['a comment', 'a<!-- b<p>c<!-- d', 'a b\n\nc d'],
    ['a section', 'a<![CDATA[b<p>c', 'ab\n\nc'],
    ['a hidden element', '<style>p{}<p>a<style>b', 'p{}\n\nab'],
    ['a hidden element in another', 'a<noscript>b<STYLE>c<p>d', 'a b c\n\nd'],
    ["an attribute's quote", 'a<p class="x>b<p>c=\'d', 'a\n\nb\n\nc= d'],
    ["a hidden element's quote", '<svg id="x>a<p>b', 'a\n\nb'],
    ['one after the other', 'a<head>b<!--c<title>d<i x="e>f<p>g', 'a bc df\n\ng'],
    ['a tag', 'a<b class', 'a'],
    ['a closing tag', 'a</b class', 'a'],
  ])('goes on where %s is never closed', (_, source, want) => {
    expect(htmlText(source)).toBe(want);
  });

  it('of deep elements is that of flat ones', () => {
    expect(htmlText(`${'<div><b>'.repeat(200_000)}deep &amp; found`)).toBe('deep & found');
    expect(htmlText(`${'<blockquote><ul><li>'.repeat(100_000)}deep`)).toBe(`${'> '.repeat(8)}${'   '.repeat(8)} * deep`);
  });
});

describe('previews', () => {
  it('are one line without padding, at most 256 characters', () => {
    expect(previewOf('  a\r\n\r\n b\u00ad\u034f\u200c \u200c c\ufeff ')).toBe('a b c');
    expect(previewOf('a \u2003\u00a0b\u3000 \u202f\u180ec \u17b4\u17b5 d\0e')).toBe('a b c d e');
    expect(previewOf('word '.repeat(200)).length).toBeLessThanOrEqual(256);
    const emoji = previewOf(`a${'😀'.repeat(200)}`);
    expect([emoji.isWellFormed(), emoji.length]).toEqual([true, 255]);
    expect(previewOf('👩\u200d👧 hi')).toBe('👩\u200d👧 hi');
  });
});

describe('helpers', () => {
  it('unflow keeps quotes and signatures apart (RFC 3676)', () => {
    expect(unflow('a \r\nb\r\n> quoted \r\n> text\r\n-- \r\nme', false)).toBe('a b\n> quoted \n> text\n-- \nme');
    expect(unflow('del \nsp', true)).toBe('delsp');
  });
});
