/** What is sent to an SMTP server to make it misread, misdeliver, hang or grow. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { commandLineBytesMax, errorsMax, recipientsMax } from '../../protocol/smtp/limits.ts';
import { envelope, openSession } from '../unit/smtp/rig.ts';

const codes = (text: string) =>
  text
    .split('\r\n')
    .slice(0, -1)
    .map((line) => line.slice(0, 3));

describe('a second message smuggled behind', () => {
  const second = 'MAIL FROM:<ceo@example.com>\r\nRCPT TO:<ada@example.com>\r\nDATA\r\nSubject: smuggled\r\n';
  const ends = ['\n.\n', '\n.\r\n', '\r.\r', '\r.\r\n', '\r\n.\r', '\r\n\0.\r\n', '\r\n.\n', '\r\n.\r\r\n', '\r\n. \r\n'];
  test.each(ends)('%j stays inside the first where line ends are kept', async (end) => {
    const rig = openSession();
    await rig.send(`${envelope}DATA\r\nSubject: first${end}${second}\r\n.\r\nQUIT\r\n`);
    expect(rig.taken).toHaveLength(1);
    expect(rig.taken[0]!.text).toContain('Subject: smuggled');
  });

  test.each(ends.filter((end) => /(^|[^\r])\n|\r([^\n]|$)/.test(end)))('%j is refused where they are not', async (end) => {
    const rig = openSession({ mode: 'smtp', bareLineEnds: 'refuse' });
    const answers = codes(await rig.send(`${envelope.replace('LHLO', 'EHLO')}DATA\r\nSubject: first${end}${second}\r\n.\r\nNOOP\r\n`));
    expect(rig.taken).toEqual([]);
    expect(answers.slice(-2)).toEqual(['554', '250']);
  });

  test.each(['\n', '\r'])('%j inside a command line makes no second command of it', async (end) => {
    const rig = openSession();
    const answers = codes(await rig.send(`LHLO c\r\nMAIL FROM:<a@b.example>${end}RCPT TO:<ada@example.com>${end}\r\nNOOP\r\n`));
    expect(answers.slice(7)).toEqual(end === '\n' ? ['500', '500', '500', '250'] : ['500', '250']);
    expect(rig.session.transaction).toBeUndefined();
  });
});

describe('a peer that sends without end', () => {
  test('a line: it is read over and refused once', async () => {
    const rig = openSession();
    for (let i = 0; i < 200; i++) rig.session.receive(Buffer.alloc(64 * 1024, 'a'));
    expect(codes(await rig.send('\r\nNOOP\r\n'))).toEqual(['250']);
    expect(rig.writes.filter((text) => text.startsWith('500'))).toHaveLength(1);
  });

  test('a line just at the limit is refused by its content, not its length', async () => {
    const rig = openSession();
    const line = `NOOP ${'x'.repeat(commandLineBytesMax - 7)}\r\n`;
    expect(codes(await rig.send(line))).toEqual(['250']);
    expect(codes(await rig.send(`x${line}`))).toEqual(['500']);
  });

  test('data: nothing of it is kept, and the end is still found', async () => {
    const rig = openSession();
    await rig.send(`${envelope}DATA\r\n`);
    for (let i = 0; i < 200; i++) rig.session.receive(Buffer.alloc(64 * 1024, 'a'));
    expect(codes(await rig.send('\r\n.\r\nNOOP\r\n'))).toEqual(['552', '250']);
    expect(rig.taken).toEqual([]);
  });

  test('recipients: a thousand, and then 452', async () => {
    const rig = openSession();
    let answers = '';
    await rig.send('LHLO c\r\nMAIL FROM:<>\r\n');
    for (let i = 0; i < 10_000; i++) answers += await rig.send(`RCPT TO:<a${i}@example.com>\r\n`);
    const accepted = codes(answers).filter((code) => code === '250').length;
    expect(accepted).toBe(recipientsMax);
    expect(codes(answers).filter((code) => code === '452')).toHaveLength(10_000 - recipientsMax);
    expect(rig.session.transaction?.recipients).toHaveLength(recipientsMax);
  });

  test('nonsense: it is cut off', async () => {
    const rig = openSession();
    const answers = codes(await rig.send('FROB\r\n'.repeat(errorsMax * 2)));
    expect([answers.length, answers.at(-1), rig.isClosed()]).toEqual([errorsMax + 1, '421', true]);
  });
});

describe('a header or reply injected', () => {
  test('through an address is refused', async () => {
    for (const address of ['a\nb@example.com', 'a\0b@example.com', '"a\rb"@example.com', 'a>\tX: y@example.com']) {
      const rig = openSession();
      const answers = codes(await rig.send(`LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\n`));
      expect(['500', '501']).toContain(answers.at(-1));
    }
  });

  test('through the name of the client is refused', async () => {
    for (const name of ['a b', 'a\tb', 'a\0b', 'ü', 'x'.repeat(256)])
      expect(codes(await openSession().send(`LHLO ${name}\r\n`))).toEqual([expect.stringMatching(/^50[01]$/)]);
  });
});

test('any bytes at all get answers with codes, and the session survives or closes', async () => {
  const piece = fc.constantFrom(
    'LHLO c\r\n',
    'MAIL FROM:<a@b.example>\r\n',
    'RCPT TO:<ada@example.com>\r\n',
    'DATA\r\n',
    '.\r\n',
    '\r\n.\r\n',
    'BDAT 5\r\n',
    'BDAT 2 LAST\r\n',
    'RSET\r\n',
    '\r',
    '\n',
    '\0',
    '<',
    'x',
    '\xff',
    ' ',
    'BDAT ',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 60 }), async (pieces) => {
      const rig = openSession();
      for (const text of pieces) await rig.send(text);
      for (const line of rig.writes.join('').split('\r\n').slice(0, -1)) expect(line).toMatch(/^[2345]\d\d[ -][\x20-\x7e]*$/);
    }),
    { numRuns: 1500 },
  );
});
