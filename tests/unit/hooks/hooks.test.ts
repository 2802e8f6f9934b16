import { describe, expect, test } from 'vitest';
import { decodeAnswer, eventOf, idsOf } from '../../../indexer/hooks/contract.ts';
import { type Hook, type HookFallback, type HookReport, Hooks } from '../../../indexer/hooks/hooks.ts';
import { transitKeptMs } from '../../../indexer/hooks/limits.ts';
import { flowToken, isFlowToken, MessageFlow } from '../../../indexer/hooks/message-flow.ts';
import type { HookCall } from '../../../indexer/rules/transport.ts';
import { systemClock } from '../../../server/clock.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const bytes = Buffer.from('From: Grace <grace@example.org>\r\nSender: assistant@example.org\r\nSubject: Kick-off notes\r\n\r\nHello\r\n');
const call: HookCall = {
  direction: 'inbound',
  bytes,
  envelopeFrom: 'grace@example.org',
  recipients: ['alice@example.com', 'bob@example.com'],
  results: {},
  key: 'ses:1',
};

function openFlow(clock: { now(): number } = systemClock) {
  return new MessageFlow({ clock, secret: 's', baseUrl: 'http://localhost/message-flow', messageBytesMax: 1_000 });
}

function openHooks(run: Hook['call'], changes: Partial<Hook> = {}) {
  const reports: HookReport[] = [];
  const flow = openFlow();
  const hook: Hook = { name: 'scan', mode: 'sync', timeoutMs: 50, attempts: 1, fallback: 'wait', call: run, ...changes };
  return { hooks: new Hooks({ hooks: [hook], flow, clock: systemClock, observe: (report) => reports.push(report) }), reports, flow };
}

describe('the event', () => {
  test("is WorkMail's", () => {
    expect(eventOf('scan', call, undefined)).toEqual({
      summaryVersion: '2019-07-28',
      envelope: {
        mailFrom: { address: 'grace@example.org' },
        recipients: [{ address: 'alice@example.com' }, { address: 'bob@example.com' }],
      },
      sender: { address: 'assistant@example.org' },
      subject: 'Kick-off notes',
      messageId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/),
      invocationId: expect.stringMatching(/^[0-9a-f]{40}$/),
      flowDirection: 'INBOUND',
      truncated: false,
    });
  });

  test('has the same ids at every attempt, others for another message, hook or group of recipients', () => {
    const all = [
      idsOf('scan', call),
      idsOf('other', call),
      idsOf('scan', { ...call, key: 'ses:2' }),
      idsOf('scan', { ...call, recipients: ['alice@example.com'] }),
    ];
    expect(idsOf('scan', { ...call, bytes: Buffer.from(bytes) })).toEqual(all[0]);
    expect(new Set(all.map(({ messageId }) => messageId)).size).toBe(4);
    expect(new Set(all.map(({ invocationId }) => invocationId)).size).toBe(4);
  });

  test('cuts subjects and recipients, and says so of these', () => {
    const recipients = Array.from({ length: 5_000 }, (_, index) => `somebody-${index}@example.com`);
    const event = eventOf('scan', { ...call, recipients, bytes: Buffer.from(`Subject: ${'x'.repeat(300)}\r\n\r\n`) }, undefined);
    expect(event.truncated).toBe(true);
    expect(event.subject).toHaveLength(256);
    expect(JSON.stringify(event.envelope.recipients).length).toBeLessThanOrEqual(128 * 1024);
  });
});

describe('an answer', () => {
  const action = (type: string, more: object) => ({ action: { type }, ...more });
  test.each([
    ['DEFAULT', 'for all', [action('DEFAULT', { allRecipients: true })], {}],
    ['DROP', 'for one', [action('DROP', { recipients: ['Bob@Example.com'] })], { 'bob@example.com': 'drop' }],
    [
      'BYPASS_SPAM_CHECK',
      'for all',
      [action('BYPASS_SPAM_CHECK', { allRecipients: true })],
      { 'alice@example.com': 'neverJunk', 'bob@example.com': 'neverJunk' },
    ],
    [
      'MOVE_TO_JUNK',
      'then DEFAULT for all: the first that names a recipient holds',
      [action('MOVE_TO_JUNK', { recipients: ['bob@example.com'] }), action('DROP', { allRecipients: true })],
      { 'bob@example.com': 'junk', 'alice@example.com': 'drop' },
    ],
    ['DROP', 'for somebody who was not asked about: nothing', [action('DROP', { recipients: ['eve@example.net'] })], {}],
    [
      'DROP',
      'for all, as the first functions said it',
      [action('DROP', { default: true })],
      { 'alice@example.com': 'drop', 'bob@example.com': 'drop' },
    ],
    ['no action', 'at all', [], {}],
  ])('%s %s', (_type, _claim, actions, want) => {
    expect(Object.fromEntries(decodeAnswer({ actions }, call).actions)).toEqual(want);
  });

  test('BOUNCE carries its message', () => {
    const actions = [{ action: { type: 'BOUNCE', parameters: { bounceMessage: 'Too\r\nbad' } }, allRecipients: true }];
    expect(decodeAnswer({ actions }, call).bounceMessages).toEqual(new Map(call.recipients.map((address) => [address, 'Too bad'])));
  });

  test('BOUNCE carries a message for each of those whom it names', () => {
    const bounce = (bounceMessage: string, recipient: string) => ({
      action: { type: 'BOUNCE', parameters: { bounceMessage } },
      recipients: [recipient],
    });
    const { bounceMessages } = decodeAnswer({ actions: [bounce('Full', 'alice@example.com'), bounce('Gone', 'bob@example.com')] }, call);
    expect(Object.fromEntries(bounceMessages ?? [])).toEqual({ 'alice@example.com': 'Full', 'bob@example.com': 'Gone' });
  });

  test.each([
    [null],
    ['DROP'],
    [[]],
    [{}],
    [{ actions: 'DROP' }],
    [{ actions: [null] }],
    [{ actions: [{ action: 'DROP', allRecipients: true }] }],
    [{ actions: [action('REJECT', { allRecipients: true })] }],
    [{ actions: [action('constructor', { allRecipients: true })] }],
    [{ actions: [action('DROP', {})] }],
    [{ actions: [action('DROP', { recipients: [1] })] }],
    [{ actions: Array(11).fill(action('DROP', { allRecipients: true })) }],
  ])('that the contract does not allow is no answer: %j', (value) => {
    expect(() => decodeAnswer(value, call)).toThrow();
  });

  test('of Junk is none for mail on its way out', () => {
    const outbound = { ...call, direction: 'outbound' } as const;
    expect(() => decodeAnswer({ actions: [action('MOVE_TO_JUNK', { allRecipients: true })] }, outbound)).toThrow('on its way in');
  });
});

describe('a hook', () => {
  const hang: Hook['call'] = () => new Promise(() => {});
  const drop = { actions: [{ action: { type: 'DROP' }, allRecipients: true }] };

  test.each<[string, Hook['call']]>([
    ['hangs', hang],
    ['throws', async () => Promise.reject(new Error('no'))],
    ['gives garbage', async () => 'garbage'],
  ])('that %s is asked as often as configured, and its message then waits', async (_what, run) => {
    let asked = 0;
    const { hooks, reports } = openHooks((...args) => run(...args).finally(() => undefined), { attempts: 2 });
    asked = reports.length;
    await expect(hooks.ask('scan', call)).rejects.toMatchObject({ code: 'unavailable' });
    expect(reports.slice(asked).map(({ kind }) => kind)).toEqual(['failed', 'failed', 'fellBack']);
  });

  test.each<[HookFallback, object]>([
    ['deliver', {}],
    ['junk', { 'alice@example.com': 'junk', 'bob@example.com': 'junk' }],
    ['drop', { 'alice@example.com': 'drop', 'bob@example.com': 'drop' }],
    ['bounce', { 'alice@example.com': 'bounce', 'bob@example.com': 'bounce' }],
  ])('that hangs falls back to %s, with the bytes as they came', async (fallback, want) => {
    const { hooks, flow } = openHooks(
      (event) => {
        flow.replace(event.messageId, Buffer.from('Subject: half done\r\n\r\n'));
        return new Promise(() => {});
      },
      { fallback },
    );
    const answer = await hooks.ask('scan', call);
    expect(Object.fromEntries(answer.actions)).toEqual(want);
    expect(answer.bytes.equals(bytes)).toBe(true);
  });

  test('that answers at its second attempt is believed, and what the first had put there is gone', async () => {
    let attempt = 0;
    const { hooks, flow } = openHooks(
      async (event) => {
        attempt += 1;
        if (attempt > 1) return drop;
        flow.replace(event.messageId, Buffer.from('Subject: half done\r\n\r\n'));
        throw new Error('no');
      },
      { attempts: 2 },
    );
    const answer = await hooks.ask('scan', call);
    expect(answer.actions.get('bob@example.com')).toBe('drop');
    expect(answer.bytes.equals(bytes)).toBe(true);
  });

  test('is told to stop when its time is over', async () => {
    const stopped = Promise.withResolvers<void>();
    const { hooks } = openHooks(
      (_event, signal) => {
        signal.addEventListener('abort', () => stopped.resolve());
        return new Promise(() => {});
      },
      { fallback: 'deliver' },
    );
    await hooks.ask('scan', call);
    await stopped.promise;
  });

  test('that is asynchronous is told, cannot replace, and can still read', async () => {
    const seen: unknown[] = [];
    const { hooks, flow } = openHooks(
      async ({ messageId }) => {
        seen.push(flow.replace(messageId, Buffer.from('Subject: x\r\n\r\n')), flow.read(messageId));
        return 'garbage';
      },
      { mode: 'async' },
    );
    expect(await hooks.ask('scan', call)).toEqual({ bytes, actions: new Map() });
    expect(seen).toEqual(['frozen', bytes]);
  });
});

describe('the message flow', () => {
  test('refuses what is no message, or too large, or not there', () => {
    const flow = openFlow();
    flow.open('m', bytes);
    expect(flow.replace('m', Buffer.from('no field here\r\n'))).toBe('rejected');
    expect(flow.replace('m', Buffer.alloc(1_001, 'a: b\r\n'))).toBe('rejected');
    expect(flow.replace('n', bytes)).toBe('missing');
    expect(flow.read('m')).toBe(bytes);
  });

  test('takes lines as Unix has them, and keeps them as mail has them', () => {
    const flow = openFlow();
    flow.open('m', Buffer.from('A: b\r\n\r\nold\r\n'));
    expect(flow.replace('m', Buffer.from('A: b\n\nnew\r\nbody\n'))).toBe('replaced');
    expect(flow.freeze('m')?.toString()).toBe('A: b\r\n\r\nnew\r\nbody\r\n');
  });

  test('forgets what was delivered after an hour', () => {
    const clock = new ManualClock();
    const flow = openFlow(clock);
    flow.open('m', bytes);
    flow.freeze('m');
    clock.advance(transitKeptMs - 1);
    expect(flow.read('m')).toBe(bytes);
    clock.advance(1);
    expect(flow.read('m')).toBeUndefined();
  });

  test('has addresses that are good for their message and their time only', () => {
    const clock = new ManualClock();
    const flow = openFlow(clock);
    const url = new URL(flow.rawUrl('m'));
    const [expires, signature] = [url.searchParams.get('expires')!, url.searchParams.get('signature')!];
    expect(flow.mayUse('m', expires, signature)).toBe(true);
    expect(flow.mayUse('n', expires, signature)).toBe(false);
    expect(flow.mayUse('m', `${expires}0`, signature)).toBe(false);
    clock.advance(60 * 60 * 1000);
    expect(flow.mayUse('m', expires, signature)).toBe(false);
  });

  test('takes a token for the key that it was made of, while that is there', () => {
    const secretOf = (id: string) => (id === 'SATCHEL1' ? 'secret' : undefined);
    expect(isFlowToken(flowToken('SATCHEL1', 'secret'), secretOf)).toBe(true);
    for (const token of [flowToken('SATCHEL1', 'other'), flowToken('SATCHEL2', 'secret'), 'SATCHEL1.', '', 'SATCHEL1']) {
      expect(isFlowToken(token, secretOf)).toBe(false);
    }
  });
});
