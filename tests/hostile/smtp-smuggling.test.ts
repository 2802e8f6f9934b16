/**
 * SMTP smuggling: ends of DATA that some server on the way may take for one, around a second message. Each is refused, or kept as data; what lies in the outbox
 * is one message at most, and its sender is who logged in.
 */
import { describe, expect, test } from 'vitest';
import { openSubmission } from '../unit/submission/rig.ts';

const second = 'MAIL FROM:<ceo@example.com>\r\nRCPT TO:<zoe@elsewhere.example>\r\nDATA\r\nFrom: ceo@example.com\r\n\r\nPay at once\r\n';

describe('a second message behind', () => {
  test.each([
    ['LF.LF', '\n.\n'],
    ['LF.CRLF', '\n.\r\n'],
    ['CR.CR', '\r.\r'],
    ['CR.CRLF', '\r.\r\n'],
    ['CR.LF', '\r.\n'],
    ['CRLF.CR', '\r\n.\r'],
    ['CRLF.LF', '\r\n.\n'],
    ['CRLF NUL.CRLF', '\r\n\0.\r\n'],
    ['CRLF.NUL CRLF', '\r\n.\0\r\n'],
    ['CRLF. CRLF', '\r\n. \r\n'],
  ])('%s', async (_name, end) => {
    for (const splitAt of [0, 3, 40]) {
      const rig = await openSubmission();
      await rig.logIn();
      await rig.send('MAIL FROM:<ada@example.com>\r\nRCPT TO:<zoe@elsewhere.example>\r\nDATA\r\n');
      const data = `From: ada@example.com\r\nSubject: x\r\n\r\nHello${end}${second}\r\n.\r\n`;
      if (splitAt > 0) await rig.send(data.slice(0, splitAt));
      await rig.send(data.slice(splitAt));
      const codes = rig.lines.map((line) => line.slice(0, 3));
      expect(codes).toHaveLength(4);
      const isKept = codes.at(-1) === '250';
      expect(isKept || codes.at(-1) === '554').toBe(true);
      const queued = rig.queued();
      expect(queued).toHaveLength(isKept ? 1 : 0);
      expect(queued.every(({ envelope }) => envelope.mailFrom.email === 'ada@example.com')).toBe(true);
    }
  });
});

test('a command with a line end in it is no command', async () => {
  const rig = await openSubmission();
  await rig.logIn();
  await rig.send('MAIL FROM:<ada@example.com>\nRCPT TO:<zoe@elsewhere.example>\r\n');
  await rig.send('MAIL FROM:<ada@example.com>\rRCPT TO:<zoe@elsewhere.example>\r\n');
  expect(rig.lines.map((line) => line.slice(0, 3))).toEqual(['500', '503', '500']);
});

test('ten thousand recipients at once: the message goes to as many as the limit, and the others hear 452 4.5.3', async () => {
  const rig = await openSubmission();
  await rig.logIn();
  await rig.send(
    `MAIL FROM:<ada@example.com>\r\n${Array.from({ length: 10_000 }, (_, at) => `RCPT TO:<r${at}@elsewhere.example>\r\n`).join('')}`,
  );
  const counts = Object.groupBy(rig.lines, (line) => line.slice(0, 9));
  expect([counts['250 2.1.0']?.length, counts['250 2.1.5']?.length, counts['452 4.5.3']?.length]).toEqual([1, 3, 9_997]);
  await rig.send('DATA\r\nFrom: ada@example.com\r\n\r\nx\r\n.\r\n');
  expect(rig.lines.at(-1)).toMatch(/^250 2\.0\.0 queued/);
  expect(rig.queued().map(({ envelope }) => envelope.rcptTo.length)).toEqual([3]);
});

test('a field that is smuggled in by an address is none', async () => {
  const rig = await openSubmission();
  await rig.logIn();
  await rig.send('MAIL FROM:<ada@example.com>\r\nRCPT TO:<"zoe\\\r\nBcc: all"@elsewhere.example>\r\n');
  expect(rig.lines.map((line) => line.slice(0, 3))).toEqual(['250', '501', '500']);
});
