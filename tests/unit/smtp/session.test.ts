import { describe, expect, test } from 'vitest';
import { reply } from '../../../protocol/smtp/reply.ts';
import { envelope, openSession } from './rig.ts';

const whole = `${envelope}RCPT TO:<slow@example.com>\r\nRCPT TO:<eve@else.example>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nRSET\r\n`;
const codes = (text: string) =>
  text
    .split('\r\n')
    .slice(0, -1)
    .map((line) => line.slice(0, 4).trim());

describe('a session', () => {
  test('answers the same at every split of its input', async () => {
    const bytes = Buffer.from(whole);
    for (let i = 0; i <= bytes.length; i++) {
      const rig = openSession();
      const answers = (await rig.send(bytes.subarray(0, i).toString())) + (await rig.send(bytes.subarray(i).toString()));
      expect(codes(answers).filter((code) => !code.endsWith('-'))).toEqual(['250', '250', '250', '250', '550', '354', '250', '250', '250']);
      expect(rig.taken.map(({ text }) => text)).toEqual(['Subject: x\r\n\r\n.dot\r\n']);
    }
  });

  test('answers the same byte by byte', async () => {
    const rig = openSession();
    for (const byte of whole) await rig.send(byte);
    expect(rig.taken).toHaveLength(1);
    expect(rig.taken[0]!.transaction).toMatchObject({ sender: 'a@b.example', clientName: 'c' });
  });

  test('writes the replies of a burst at once', async () => {
    const rig = openSession();
    const before = rig.writes.length;
    await rig.send(`${envelope}NOOP\r\nNOOP\r\n`);
    expect(rig.writes.length - before).toBe(1);
  });

  test('greets, lists what it can, and refuses the other protocol', async () => {
    expect(openSession().writes).toEqual(['220 mx.example.com LMTP ready\r\n']);
    expect(await openSession().send('LHLO c\r\n')).toBe(
      '250-mx.example.com\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-SIZE 10000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n',
    );
    expect(codes(await openSession().send('EHLO c\r\nHELO c\r\n'))).toEqual(['500', '500']);
    expect(codes(await openSession({ mode: 'smtp' }).send('LHLO c\r\nHELO c\r\n'))).toEqual(['500', '250']);
    expect(await openSession({ startTls: async () => {} }).send('LHLO c\r\n')).toContain('250 STARTTLS');
  });

  test('answers once for all recipients in SMTP, and once for each in LMTP', async () => {
    const commands = 'MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nx\r\n.\r\n';
    expect(codes(await openSession({ mode: 'smtp' }).send(`HELO c\r\n${commands}`))).toEqual(['250', '250', '250', '250', '354', '250']);
    expect(codes(await openSession().send(`LHLO c\r\n${commands}`)).slice(-3)).toEqual(['354', '250', '250']);
  });

  test('says 451 for a handler that fails, and goes on', async () => {
    const errors: unknown[] = [];
    const handler = {
      recipient: () => ({ accept: 'x' }),
      message: async () => Promise.reject(new Error('the disk is full')),
      onError: (error: unknown) => void errors.push(error),
    };
    const rig = openSession({ handler });
    expect(codes(await rig.send(`${envelope}RCPT TO:<b@example.com>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n`)).slice(-3)).toEqual([
      '451',
      '451',
      '250',
    ]);
    expect(String(errors[0])).toContain('the disk is full');
    const broken = openSession();
    expect(codes(await broken.send(`${envelope}RCPT TO:<broken@example.com>\r\nNOOP\r\n`)).slice(-2)).toEqual(['451', '250']);
  });

  test('says 451 for recipients that the handler forgot', async () => {
    const rig = openSession({ handler: { recipient: () => ({ accept: 'x' }), message: () => [reply(250, '2.0.0', 'ok')] } });
    expect(codes(await rig.send(`${envelope}RCPT TO:<b@example.com>\r\nDATA\r\nx\r\n.\r\n`)).slice(-2)).toEqual(['250', '451']);
  });

  test('holds its input while a message is being stored, and asks the peer to wait', async () => {
    const stored = Promise.withResolvers<void>();
    const handler = {
      recipient: () => ({ accept: 'x' }),
      message: () => stored.promise.then(() => [reply(250, '2.0.0', 'ok')]),
    };
    const rig = openSession({ handler, messageBytesMax: 1_000_000 });
    rig.session.receive(Buffer.from(`${envelope}DATA\r\nx\r\n.\r\nNOOP\r\n`));
    const written = rig.writes.join('').length;
    for (let i = 0; i < 10; i++) rig.session.receive(Buffer.from(`NOOP ${'x'.repeat(60_000)}\r\n`.repeat(1)));
    expect([rig.writes.join('').length, rig.isPaused()]).toEqual([written, true]);
    stored.resolve();
    await rig.send('');
    expect(rig.isPaused()).toBe(false);
  });

  test('takes parameters that it knows, and refuses others', async () => {
    const mail = async (parameters: string) => {
      const answer = await openSession().send(`LHLO c\r\nMAIL FROM:<a@b.example> ${parameters}\r\n`);
      return answer.split('\r\n').at(-2)!.slice(0, 9);
    };
    expect(await mail('SIZE=100 BODY=8BITMIME SMTPUTF8')).toBe('250 2.1.0');
    expect(await mail('SIZE=10001')).toBe('552 5.3.4');
    expect(await mail('SIZE=x')).toBe('501 5.5.4');
    expect(await mail('BODY=BINARYMIME')).toBe('501 5.5.4');
    expect(await mail('AUTH=<>')).toBe('555 5.5.4');
  });

  test('needs SMTPUTF8 for addresses that are not ASCII', async () => {
    const rcpt = Buffer.from('RCPT TO:<jürgen@example.com>\r\n').toString('latin1');
    const without = await openSession().send(`LHLO c\r\nMAIL FROM:<>\r\n${rcpt}`);
    const withIt = await openSession().send(`LHLO c\r\nMAIL FROM:<> SMTPUTF8\r\n${rcpt}`);
    expect([without.slice(-60), withIt]).toEqual([expect.stringContaining('553 5.6.7'), expect.stringContaining('250 2.1.5')]);
  });

  test('takes commands only in their order', async () => {
    const last = async (text: string) => codes(await openSession().send(text)).at(-1);
    expect(await last('MAIL FROM:<>\r\n')).toBe('503');
    expect(await last('LHLO c\r\nRCPT TO:<a@example.com>\r\n')).toBe('503');
    expect(await last('LHLO c\r\nMAIL FROM:<>\r\nDATA\r\n')).toBe('503');
    expect(await last('LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@else.example>\r\nDATA\r\n')).toBe('503');
    expect(await last(`${envelope}MAIL FROM:<>\r\n`)).toBe('503');
    expect(await last(`${envelope}LHLO again\r\nRCPT TO:<a@example.com>\r\n`)).toBe('503');
    expect(await last('LHLO c\r\nFROB\r\n')).toBe('500');
    expect(await last('LHLO\r\n')).toBe('501');
  });

  test('ends on QUIT and takes nothing after it', async () => {
    const rig = openSession();
    expect(codes(await rig.send(`QUIT\r\n${envelope}DATA\r\nx\r\n.\r\n`))).toEqual(['221']);
    expect([rig.isClosed(), rig.taken.length]).toEqual([true, 0]);
    expect(await rig.send('NOOP\r\n')).toBe('');
  });

  test('ends with 421 when it is shut down', async () => {
    const rig = openSession();
    rig.session.shutDown('the server is stopping');
    expect([rig.writes.at(-1), rig.isClosed()]).toEqual(['421 4.3.2 the server is stopping\r\n', true]);
  });
});

describe('BDAT', () => {
  test('carries bytes that DATA would change, in chunks, at every split', async () => {
    const first = '.\r\n\0\n..';
    const commands = Buffer.from(`${envelope}BDAT ${first.length}\r\n${first}BDAT 0\r\nBDAT 3 LAST\r\nabcNOOP\r\n`);
    for (let i = 0; i <= commands.length; i++) {
      const rig = openSession();
      const answers = (await rig.send(commands.subarray(0, i).toString())) + (await rig.send(commands.subarray(i).toString()));
      expect(codes(answers).slice(-4)).toEqual(['250', '250', '250', '250']);
      expect(rig.taken.map(({ text }) => text)).toEqual([`${first}abc`]);
    }
  });

  test('is read over, not as commands, where it is refused', async () => {
    const rig = openSession();
    expect(codes(await rig.send('LHLO c\r\nBDAT 6\r\nQUIT\r\nNOOP\r\n')).slice(-2)).toEqual(['503', '250']);
    expect(rig.isClosed()).toBe(false);
  });

  test('cannot be mixed with DATA or more recipients', async () => {
    const rig = openSession();
    expect(codes(await rig.send(`${envelope}BDAT 1\r\nxDATA\r\nRCPT TO:<b@example.com>\r\nBDAT 1 LAST\r\ny`)).slice(-4)).toEqual([
      '250',
      '503',
      '503',
      '250',
    ]);
    expect(rig.taken[0]?.text).toBe('xy');
  });

  test('that is too large is refused, and so is the rest', async () => {
    const rig = openSession();
    const big = 'x'.repeat(10_001);
    expect(codes(await rig.send(`${envelope}BDAT 10001\r\n${big}BDAT 1 LAST\r\nx`)).slice(-2)).toEqual(['552', '552']);
    expect(rig.taken).toEqual([]);
  });

  test('without a size ends the connection: what follows cannot be told from commands', async () => {
    const rig = openSession();
    expect(codes(await rig.send(`${envelope}BDAT lots\r\n`)).at(-1)).toBe('501');
    expect(rig.isClosed()).toBe(true);
  });
});

describe('STARTTLS', () => {
  test('begins anew when TLS is there', async () => {
    const secured = Promise.withResolvers<void>();
    const rig = openSession({ startTls: () => secured.promise });
    rig.session.receive(Buffer.from('LHLO c\r\nMAIL FROM:<>\r\nSTARTTLS\r\n'));
    expect(rig.writes.at(-1)).toMatch(/220 2\.0\.0 go ahead\r\n$/);
    secured.resolve();
    expect(codes(await rig.send(''))).toEqual([]);
    expect(codes(await rig.send('RCPT TO:<a@example.com>\r\n'))).toEqual(['503']);
    expect(await rig.send('LHLO c\r\n')).not.toContain('STARTTLS');
    await rig.send(`${envelope.slice('LHLO c\r\n'.length)}DATA\r\nx\r\n.\r\n`);
    expect(rig.taken[0]?.transaction.isSecure).toBe(true);
  });

  test('with commands behind it in the clear ends the connection', async () => {
    let isStarted = false;
    const rig = openSession({
      startTls: async () => {
        isStarted = true;
      },
    });
    expect(codes(await rig.send('LHLO c\r\nSTARTTLS\r\nMAIL FROM:<evil@x.example>\r\n')).at(-1)).toBe('554');
    expect([isStarted, rig.isClosed()]).toEqual([false, true]);
  });

  test('is refused where it is not offered', async () => {
    expect(codes(await openSession().send('LHLO c\r\nSTARTTLS\r\n')).at(-1)).toBe('502');
  });
});
