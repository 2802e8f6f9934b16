import { describe, expect, test } from 'vitest';
import { authenticate } from '../../../indexer/authenticate.ts';

const records: Record<string, string[][]> = {
  'TXT good.example': [['v=spf1 ip4:203.0.113.5 -all']],
  'TXT _dmarc.good.example': [['v=DMARC1; p=reject']],
};
let asked: string[] = [];
const resolver = async (name: string, type: string) => {
  asked.push(`${type} ${name}`);
  const found = records[`${type} ${name}`];
  if (found === undefined) throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
  return found;
};
const clock = {
  sleep: (_: number, signal?: AbortSignal) =>
    new Promise<void>((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
};
const check = (ip: string, port = resolver) => {
  asked = [];
  const message = `Received: from mail.good.example (mail.good.example [${ip}])\r\n\tby mx.here.example; Tue, 5 Jan 2027 08:30:11 +0000\r\nFrom: noor@good.example\r\nSubject: x\r\n\r\nHello.\r\n`;
  return authenticate(Buffer.from(message), 'noor@good.example', { resolver: port, clock, hostName: 'mx.here.example' });
};

describe('a message that nobody checked', () => {
  test('passes from where its domain sends', async () => {
    expect(await check('203.0.113.5')).toMatchObject({ spf: 'PASS', dmarc: 'PASS' });
  });

  test('fails from elsewhere, with the policy of its domain', async () => {
    expect(await check('198.51.100.9')).toMatchObject({ spf: 'FAIL', dmarc: 'FAIL', dmarcPolicy: 'reject' });
  });

  test.each(['127.0.0.1', '10.1.2.3', '::1'])('from %s without a signature asks nobody', async (ip) => {
    expect(await check(ip)).toEqual({});
    expect(asked).toEqual([]);
  });

  test('is delivered without results when DNS hangs', async () => {
    const message = Buffer.from('Received: from a (a [203.0.113.5]) by b; x\r\nFrom: noor@good.example\r\n\r\n');
    const hanging = authenticate(message, 'noor@good.example', {
      resolver: () => new Promise(() => {}),
      clock: { sleep: async () => {} },
      hostName: 'b',
    });
    expect(await hanging).toEqual({});
  });
});
