import { describe, expect, test } from 'vitest';
import { Gate } from '../../../server/auth/gate.ts';
import { addressKey, isLoopback } from '../../../server/auth/remote-address.ts';
import { LoginThrottle } from '../../../server/auth/throttle.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const away = '192.0.2.7';
const guess = (password: string, credential: unknown = 'credential') => ({ fingerprint: password, credential });

describe('the throttle', () => {
  const open = () => {
    const clock = new ManualClock();
    return { clock, throttle: new LoginThrottle(clock) };
  };

  test('answers the first two failures at once and then doubles the wait, up to eight seconds', () => {
    const { throttle } = open();
    const delays = Array.from({ length: 10 }, (_, index) => throttle.failed('ann', away, guess(`${index}`)));
    expect(delays).toEqual([0, 0, 250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
  });

  test('keeps loopback waiting a second at most and never refuses it for its address', () => {
    const { throttle } = open();
    for (let index = 0; index < 100; index++) expect(throttle.failed(`user${index}`, '127.0.0.1', guess('x'))).toBeLessThanOrEqual(1_000);
    expect(() => throttle.admit('ann', '127.0.0.1')).not.toThrow();
  });

  test('refuses an address after thirty failures, whatever the logins, and lets it in again with time', () => {
    const { clock, throttle } = open();
    for (let index = 0; index < 30; index++) {
      throttle.admit(`user${index}`, away);
      throttle.failed(`user${index}`, away, guess('x'));
    }
    expect(() => throttle.admit('ann', away)).toThrow(/Too many failed logins: try again in 30 seconds/);
    expect(() => throttle.admit('ann', '192.0.2.8')).not.toThrow();
    clock.advance(30_001);
    expect(() => throttle.admit('ann', away)).not.toThrow();
    throttle.failed('ann', away, guess('x'));
    expect(() => throttle.admit('ann', away)).toThrow();
  });

  test('takes all addresses of one IPv6 network for one client', () => {
    const { throttle } = open();
    for (let index = 0; index < 30; index++) throttle.failed(`user${index}`, `2001:db8:1:2::${index + 1}`, guess('x'));
    expect(() => throttle.admit('ann', '2001:db8:1:2:ffff::1')).toThrow();
    expect(() => throttle.admit('ann', '2001:db8:1:3::1')).not.toThrow();
  });

  test('refuses a login that many addresses guess at, but not from where its owner has been', () => {
    const { throttle } = open();
    throttle.succeeded('ann', away);
    for (let index = 0; index < 50; index++) throttle.failed('ann', `198.51.100.${index}`, guess(`${index}`));
    expect(() => throttle.admit('ann', '203.0.113.1')).toThrow(/Too many failed logins/);
    expect(() => throttle.admit('ann', away)).not.toThrow();
    expect(() => throttle.admit('bob', '203.0.113.1')).not.toThrow();
  });

  test('counts a wrong password that is sent again once', () => {
    const { throttle } = open();
    for (let index = 0; index < 200; index++) expect(throttle.failed('ann', away, guess('old password'))).toBe(0);
    expect(() => throttle.admit('ann', away)).not.toThrow();
  });

  test('looks anew at a wrong password after the credential changed', () => {
    const { throttle } = open();
    throttle.failed('ann', away, guess('new password', 'before'));
    expect(throttle.isKnownWrong('ann', 'new password', 'before')).toBe(true);
    expect(throttle.isKnownWrong('ann', 'new password', 'after')).toBe(false);
    expect(throttle.isKnownWrong('ann', 'another', 'before')).toBe(false);
  });

  test('counts every failure of a mechanism that shows no password', () => {
    const { throttle } = open();
    for (let index = 0; index < 30; index++) throttle.failed('ann', away);
    expect(() => throttle.admit('bob', away)).toThrow();
  });
});

describe('client addresses', () => {
  test.each([
    ['127.0.0.1', true],
    ['127.8.9.1', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['::ffff:10.0.0.1', false],
    ['10.0.0.1', false],
    ['127.example.com', false],
    ['2001:db8::1', false],
  ])('%s is loopback: %s', (address, want) => {
    expect(isLoopback(address)).toBe(want);
  });

  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:0DB8:0:1::9', '2001:db8:0:1::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/64'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4::/64'],
    ['::', '0:0:0:0::/64'],
  ])('%s counts as %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});

describe('the gate', () => {
  test('runs two at a time in order of arrival, and refuses what would wait too long', async () => {
    const gate = new Gate(2, 3);
    const started: number[] = [];
    const ends = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
    const runs = ends.map(({ promise }, index) =>
      gate.run(() => {
        started.push(index);
        return promise;
      }),
    );
    await expect(gate.run(() => Promise.resolve())).rejects.toMatchObject({ code: 'limit' });
    expect(started).toEqual([0, 1]);
    ends[1]!.resolve();
    await runs[1];
    expect(started).toEqual([0, 1, 2]);
    ends[0]!.reject(new Error('a failure frees the place too'));
    await expect(runs[0]).rejects.toThrow();
    expect(started).toEqual([0, 1, 2, 3]);
    for (const end of ends) end.resolve();
    await Promise.all(runs.slice(1));
    expect(await gate.run(() => Promise.resolve('free again'))).toBe('free again');
  });
});
