import { expect, test } from 'vitest';
import { readAuthenticationResults } from '../../../indexer/authentication-results.ts';

const read = (...lines: string[]) =>
  readAuthenticationResults(Buffer.from([...lines, 'From: a@b.example', '', ''].join('\r\n')), ['mx.example.net']);
const received = 'Received: from client by mx.example.net; Tue, 5 Jan 2027 08:30:11 +0000';
const pass = 'Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=b.example; dkim=pass header.d=b.example; dmarc=pass';
const fail = 'Authentication-Results: mx.example.net; spf=softfail; dkim=none; dmarc=fail policy.dmarc=reject header.from=b.example';

test.each<[string, string[], object | undefined]>([
  ['is read above the first Received', [pass, received], { spf: 'PASS', dkim: 'PASS', dmarc: 'PASS' }],
  ['is read below it, where a milter writes', [received, fail], { spf: 'GRAY', dkim: 'GRAY', dmarc: 'FAIL', dmarcPolicy: 'reject' }],
  ['is not read below the second, where the sender may have written it', [received, received, pass], undefined],
  ['of another service does not count', [pass.replace('mx.example.net', 'mx.attacker.example'), received], undefined],
  [
    'compares the name in any case, and passes a version over',
    ['Authentication-Results: MX.Example.NET 1; spf=pass', received],
    { spf: 'PASS' },
  ],
  [
    'in several fields is united',
    ['Authentication-Results: mx.example.net; spf=fail', 'Authentication-Results: mx.example.net; dkim=pass', received],
    { spf: 'FAIL', dkim: 'PASS' },
  ],
  [
    'needs one signature of several that passed',
    ['Authentication-Results: mx.example.net; dkim=fail; dkim=pass; dkim=fail', received],
    { dkim: 'PASS' },
  ],
  [
    'does not read results in comments',
    ['Authentication-Results: mx.example.net; spf=fail (helo=x; dmarc=pass); dkim=none', received],
    { spf: 'FAIL', dkim: 'GRAY' },
  ],
  [
    'does not read results in strings',
    ['Authentication-Results: mx.example.net; spf=fail reason="x; dmarc=pass; dkim=pass"', received],
    { spf: 'FAIL' },
  ],
  ['without results says nothing, and was there', ['Authentication-Results: mx.example.net; none', received], {}],
])('a result %s', (_, lines, want) => {
  const got = read(...lines);
  expect(got && Object.fromEntries(Object.entries(got).filter(([, value]) => value !== undefined))).toEqual(want);
});

test('nothing is read when nobody is believed', () => {
  expect(readAuthenticationResults(Buffer.from(`${pass}\r\n${received}\r\n\r\n`), [])).toBeUndefined();
});
