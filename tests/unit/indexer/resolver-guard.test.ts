import { describe, expect, test } from 'vitest';
import { authenticate } from '../../../indexer/authenticate.ts';
import { dnsPauseMs, dnsQuestionMsMax, dnsSilencesMax } from '../../../indexer/limits.ts';
import { ResolverGuard } from '../../../indexer/resolver-guard.ts';

/** DNS whose answers a test chooses, on a clock on which only the questions that nobody answers take time. */
function open(answer: (name: string) => 'silence' | 'refused' | 'servfail' | string[][]) {
  const asked: string[] = [];
  const changes: boolean[] = [];
  let nowMs = 0;
  const hanging = new Set<() => void>();
  const clock = {
    monotonic: () => nowMs,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
        hanging.add(() => {
          nowMs += ms;
          resolve();
        });
      }),
  };
  const guard = new ResolverGuard({
    clock,
    onChange: (isAway) => changes.push(isAway),
    async resolver(name) {
      asked.push(name);
      const said = answer(name);
      if (said === 'refused') throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      if (said === 'servfail') throw Object.assign(new Error('server failure'), { code: 'ESERVFAIL' });
      if (said !== 'silence') return said;
      // The question's own time is over first.
      const [wake] = [...hanging].slice(-1);
      hanging.clear();
      wake!();
      return new Promise(() => {});
    },
  });
  return { guard, asked, changes, clock, advance: (ms: number) => void (nowMs += ms), now: () => nowMs };
}

const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'answered',
    (error: { code: string }) => error.code,
  );
const record = [['v=spf1 -all']];

describe('DNS', () => {
  test('that answers is asked each time', async () => {
    const { guard, asked } = open(() => record);
    for (let i = 0; i < 10; i++) expect(await guard.resolve(`d${i}.example`, 'TXT')).toEqual(record);
    expect(asked).toHaveLength(10);
  });

  test('that hangs is waited for as long as one question may take', async () => {
    const { guard, now } = open(() => 'silence');
    expect(await codeOf(guard.resolve('a.example', 'TXT'))).toBe('ETIMEOUT');
    expect(now()).toBe(dnsQuestionMsMax);
  });

  test.each(['silence', 'refused'] as const)(
    'that is gone (%s) is asked no more for a while, then tried, and used when it is back',
    async (how) => {
      let isGone = true;
      const { guard, asked, changes, advance } = open(() => (isGone ? how : record));
      for (let i = 0; i < dnsSilencesMax; i++) await codeOf(guard.resolve(`d${i}.example`, 'TXT'));
      expect(asked.at(-1)).toBe('.');
      expect(guard.isAway).toBe(true);
      const before = asked.length;
      for (let i = 0; i < 100; i++) expect(await codeOf(guard.resolve('e.example', 'TXT'))).toBe('ETIMEOUT');
      expect(asked).toHaveLength(before);
      advance(dnsPauseMs);
      const together = await Promise.all([1, 2, 3].map(() => codeOf(guard.resolve('e.example', 'TXT'))));
      expect(together).toEqual(['ETIMEOUT', 'ETIMEOUT', 'ETIMEOUT']);
      expect(asked.slice(before)).toEqual(['.']);
      isGone = false;
      advance(dnsPauseMs);
      expect(await guard.resolve('e.example', 'TXT')).toEqual(record);
      expect(guard.isAway).toBe(false);
      expect(changes).toEqual([true, false]);
    },
  );

  test('is not taken for away because of names that a sender lets hang', async () => {
    const { guard, asked, changes } = open((name) => (name.endsWith('hanging.example') ? 'silence' : record));
    for (let i = 0; i < 20; i++) await codeOf(guard.resolve(`${i}.hanging.example`, 'TXT'));
    expect(asked.filter((name) => name === '.')).toHaveLength(20 / dnsSilencesMax);
    expect(changes).toEqual([]);
    expect(await guard.resolve('good.example', 'TXT')).toEqual(record);
  });

  test('that fails for a name has answered', async () => {
    const { guard, asked } = open(() => 'servfail');
    for (let i = 0; i < 20; i++) expect(await codeOf(guard.resolve('broken.example', 'TXT'))).toBe('ESERVFAIL');
    expect(asked).not.toContain('.');
  });
});

test('while DNS is away a message has results at once, and none of them speaks for or against it', async () => {
  const { guard, asked, clock, now } = open(() => 'refused');
  const message = Buffer.from(
    'Received: from mail.good.example (mail.good.example [203.0.113.5])\r\n\tby mx.here.example; Tue, 5 Jan 2027 08:30:11 +0000\r\nFrom: noor@good.example\r\n\r\nHello.\r\n',
  );
  const check = () => authenticate(message, 'noor@good.example', { resolver: guard.resolve, clock, hostName: 'mx.here.example' });
  while (!guard.isAway) await check();
  const before = asked.length;
  const { spf, dkim, dmarc } = await check();
  expect({ spf, dmarc }).toEqual({ spf: 'PROCESSING_FAILED', dmarc: 'PROCESSING_FAILED' });
  expect(dkim).not.toBe('PASS');
  expect(asked).toHaveLength(before);
  expect(now()).toBe(0);
});
