import { describe, expect, test } from 'vitest';
import { withBanner, withField } from '../../../indexer/rules/edit-message.ts';
import { decodePartText } from '../../../protocol/mime/part-content.ts';
import { type Part, parseStructure } from '../../../protocol/mime/structure.ts';

const lines = (...all: string[]) => Buffer.from(all.join('\r\n'), 'latin1');

function texts(message: Buffer): string[] {
  const visit = (part: Part): string[] =>
    part.children?.flatMap(visit) ?? [`${part.type}/${part.subtype}: ${decodePartText(message, part)}`];
  return visit(parseStructure(message).root);
}

describe('a banner', () => {
  test('stands above plain text of any charset and encoding', () => {
    const message = lines(
      'Subject: x',
      'Content-Type: text/plain; charset=iso-8859-1; format=flowed',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Gr=FC=DFe',
      '',
    );
    const changed = withBanner(message, 'From outside: ünsafe');
    // RFC 3676 §4.4: stuffed, since the text flows.
    expect(texts(changed)).toEqual(['text/plain:  From outside: ünsafe\r\n\r\nGrüße\r\n']);
    expect(changed.toString()).toContain('Subject: x\r\n');
    expect(changed.toString()).toContain('MIME-Version: 1.0\r\n');
  });

  test('goes into a message without any MIME fields', () => {
    expect(texts(withBanner(lines('Subject: x', '', 'Hello', ''), 'Look out'))).toEqual(['text/plain: Look out\r\n\r\nHello\r\n']);
  });

  test.each([
    ['<html><head><title>t</title></head><body class="a">Hi</body></html>', /<body class="a"><div[^>]*>1 &#60; 2<\/div>Hi/],
    ['<!-- <body> --><body>Hi', /<!-- <body> --><body><div[^>]*>1 &#60; 2<\/div>Hi/],
    ['<title><body></title><body>Hi', /<\/title><body><div[^>]*>1 &#60; 2<\/div>Hi/],
    ['<script>"<body>"</script ><p>Hi', /^<div[^>]*>1 &#60; 2<\/div><script>/],
    ['<head><style><body></style></head><body title="a>b" class=x>Hi', /class=x><div[^>]*>1 &#60; 2<\/div>Hi/],
    ['<textarea>never ends <body>Hi', /^<div[^>]*>1 &#60; 2<\/div><textarea>/],
    ['<p>Hi</p>', /^<div[^>]*>1 &#60; 2<\/div><p>Hi/],
    ['<html><head><style>x</style></head><p>Hi', /<\/head><div[^>]*>1 &#60; 2<\/div><p>Hi/],
    ['<!-- never ends <body>Hi', /^<div[^>]*>1 &#60; 2<\/div><!--/],
  ])('stands escaped at the beginning of HTML: %s', (html, want) => {
    const changed = withBanner(lines('Content-Type: text/html', '', html), '1 < 2');
    expect(texts(changed)[0]!.slice('text/html: '.length)).toMatch(want);
  });

  test('is in both alternatives, and not in attachments, which keep their bytes', () => {
    const attachment = ['--m', 'Content-Type: text/plain; name=notes.txt', 'Content-Disposition: attachment', '', 'keep', '--m--', ''];
    const message = lines(
      'Content-Type: multipart/mixed; boundary=m',
      '',
      '--m',
      'Content-Type: multipart/alternative; boundary=a',
      '',
      '--a',
      'Content-Type: text/plain',
      '',
      'plain',
      '--a',
      'Content-Type: multipart/related; boundary=r',
      '',
      '--r',
      'Content-Type: text/html',
      '',
      'html',
      '--r--',
      '--a--',
      ...attachment,
    );
    const changed = withBanner(message, 'B');
    expect(texts(changed)[0]).toBe('text/plain: B\r\n\r\nplain');
    expect(texts(changed)[1]).toMatch(/^text\/html: <div[^>]*>B<\/div>html$/);
    expect(texts(changed)[2]).toBe('text/plain: keep');
    expect(changed.toString().endsWith(attachment.join('\r\n'))).toBe(true);
  });

  test.each([
    [
      'S/MIME signed',
      lines(
        'Content-Type: multipart/signed; boundary=s; protocol="application/pkcs7-signature"',
        '',
        '--s',
        'Content-Type: text/plain',
        '',
        'a',
        '--s',
        'Content-Type: application/pkcs7-signature',
        '',
        'x',
        '--s--',
        '',
      ),
    ],
    ['S/MIME opaque', lines('Content-Type: application/pkcs7-mime', '', 'abc')],
    [
      'PGP encrypted',
      lines(
        'Content-Type: multipart/encrypted; boundary=s',
        '',
        '--s',
        'Content-Type: application/pgp-encrypted',
        '',
        'Version: 1',
        '--s--',
        '',
      ),
    ],
    [
      'signed inside a mailing list’s wrapping',
      lines(
        'Content-Type: multipart/mixed; boundary=m',
        '',
        '--m',
        'Content-Type: multipart/signed; boundary=s',
        '',
        '--s',
        'Content-Type: text/plain',
        '',
        'a',
        '--s--',
        '--m--',
        '',
      ),
    ],
    [
      'PGP inline, encoded',
      lines('Content-Transfer-Encoding: base64', '', Buffer.from('-----BEGIN PGP SIGNED MESSAGE-----\r\n').toString('base64')),
    ],
    ['a picture', lines('Content-Type: image/png', '', 'abc')],
    ['an attachment alone', lines('Content-Type: text/plain', 'Content-Disposition: attachment', '', 'abc')],
  ])('never touches %s', (_name, message) => {
    expect(withBanner(message, 'B')).toBe(message);
  });

  test('keeps bytes that do not fit the charset, as mail programs show them', () => {
    const message = Buffer.from(
      'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ncaf\xe9 5\x80\r\n',
      'latin1',
    );
    expect(texts(withBanner(message, 'B'))).toEqual(['text/plain: B\r\n\r\ncafé 5€\r\n']);
  });

  test('lets flowed text flow, and does not flow into it', () => {
    const message = lines('Content-Type: text/plain; format=flowed; delsp=yes', '', 'one ', 'line', '');
    const changed = withBanner(message, 'Look out \n> here');
    expect(texts(changed)).toEqual(['text/plain: Look out\r\n > here\r\n\r\none \r\nline\r\n']);
    expect(changed.toString()).toMatch(/format="flowed";\r\n delsp="yes"/);
  });

  test('stands above the first text of a mixture, whatever is before it', () => {
    const picture = ['--m', 'Content-Type: image/png', '', 'x'];
    const text = (body: string) => ['--m', 'Content-Type: text/plain', '', body];
    const message = lines('Content-Type: multipart/mixed; boundary=m', '', ...picture, ...text('one'), ...text('two'), '--m--', '');
    expect(texts(withBanner(message, 'B'))).toEqual(['image/png: x', 'text/plain: B\r\n\r\none', 'text/plain: two']);
  });

  test.each(['<!--<body', '<title></title', '<body "', '<body a="', '<script></script '])(
    'takes time in proportion to hostile HTML: %s',
    (piece) => {
      const message = lines('Content-Type: text/html', '', piece.repeat(400_000));
      const start = performance.now();
      withBanner(message, 'B');
      expect(performance.now() - start).toBeLessThan(2_000);
    },
  );
});

test('a long field is folded, and any text becomes ASCII', () => {
  const [header] = withField(Buffer.from('\r\n'), 'X-Note', `ü${' word'.repeat(60)}`)
    .toString()
    .split('\r\n\r\n');
  for (const line of header!.split('\r\n')) expect(line.length).toBeLessThanOrEqual(90);
  expect(/^[\x20-\x7e\r\n]*$/.test(header!)).toBe(true);
});
