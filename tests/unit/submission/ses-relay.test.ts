import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RelayMessage } from '../../../indexer/outbox/relay.ts';
import { forSes, openSesRelay, type SesRelay } from '../../../server/submission/relay/ses.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { rawMessage } from '../../support/open-accounts.ts';
import { SesServer, sesCredentials } from '../../support/ses-server.ts';
import { ada } from '../indexer/rig.ts';
import { to } from '../outbox/rig.ts';

let ses: SesServer;
let relay: SesRelay;
const clock = new ManualClock();

beforeEach(async () => {
  ses = await SesServer.open();
  relay = open();
});
afterEach(async () => {
  relay[Symbol.dispose]();
  await ses[Symbol.asyncDispose]();
});

const open = (more: object = {}) =>
  openSesRelay({ region: 'us-east-1', endpoint: ses.endpoint, ...sesCredentials, configurationSet: 'mail', clock, ...more });

const message = (more: Partial<RelayMessage> = {}): RelayMessage => ({
  account: ada,
  submission: 's1',
  mailFrom: to('ada@example.com'),
  rcptTo: [to('zoe@elsewhere.example'), to('yan@elsewhere.example')],
  bytes: rawMessage({
    From: 'ada@example.com',
    'Message-ID': '<s1@example.com>',
    Date: 'Mon, 2 Nov 2026 10:00:00 +0000',
    Subject: 'Boats',
  }),
  ...more,
});

test('a message goes out signed, to its envelope, with tags and configuration set, and gets the id of SES', async () => {
  const results = await relay.send(message());
  const [taken] = ses.messages;
  expect(taken).toMatchObject({
    to: ['zoe@elsewhere.example', 'yan@elsewhere.example'],
    configurationSet: 'mail',
    tags: { account: 'ada1', submission: 's1' },
  });
  expect(taken!.bytes.toString()).toContain(`Message-ID: <${taken!.messageId}@email.amazonses.com>`);
  expect(results).toEqual(
    [1, 2].map(() => ({ kind: 'relayed', smtpReply: `250 2.0.0 Ok ${taken!.messageId}`, relayId: taken!.messageId })),
  );
});

test('the test service refuses another key: signatures are checked', async () => {
  using stranger = open({ secretAccessKey: 'a guess' });
  expect(await stranger.send(message())).toMatchObject([{ kind: 'deferred' }, { kind: 'deferred' }]);
  expect(ses.messages).toEqual([]);
});

test('users choose no configuration set; fields that SES takes once are sent once, the newest', async () => {
  const raw = Buffer.from(
    'X-SES-CONFIGURATION-SET: mine\r\nDelivered-To: a\r\nDelivered-To: b\r\nDKIM-Signature: 1\r\nDKIM-Signature: 2\r\nFrom: ada@example.com\r\n\r\nX-SES-kept: body\r\n',
  );
  expect(forSes(raw).toString()).toBe('Delivered-To: a\r\nDKIM-Signature: 1\r\nFrom: ada@example.com\r\n\r\nX-SES-kept: body\r\n');
  expect(await relay.send(message({ bytes: raw }))).toMatchObject([{ kind: 'relayed' }, { kind: 'relayed' }]);
});

test.each([
  [
    400,
    'MessageRejected',
    'Email address is not verified',
    'failed',
    '554 5.6.0 MessageRejected: Email address is not verified',
    undefined,
  ],
  [400, 'BadRequestException', 'Illegal address', 'failed', '554 5.6.0 BadRequestException: Illegal address', undefined],
  [429, 'TooManyRequestsException', 'Maximum sending rate exceeded.', 'deferred', '451 4.7.1', undefined],
  [429, 'TooManyRequestsException', 'Daily message quota exceeded.', 'deferred', '451 4.7.1', 3_600_000],
  [400, 'SendingPausedException', 'paused', 'deferred', '451 4.7.1', 1_800_000],
  [400, 'AccountSuspendedException', 'suspended', 'deferred', '451 4.7.1', 1_800_000],
  [400, 'MailFromDomainNotVerifiedException', 'DNS', 'deferred', '451 4.3.5', 900_000],
  [404, 'NotFoundException', 'Configuration set does not exist', 'deferred', '451 4.3.5', 900_000],
  [500, 'InternalFailure', 'oops', 'deferred', '451 4.4.1', undefined],
])('%i %s (%s) is %s', async (status, type, text, kind, smtpReply, afterMs) => {
  ses.refusal = { status, type, message: text };
  const [result] = await relay.send(message());
  expect(result).toMatchObject({ kind, smtpReply: expect.stringContaining(smtpReply), ...(afterMs === undefined ? {} : { afterMs }) });
});

test('an unverified author is refused for good', async () => {
  const bytes = rawMessage({ From: 'noor@foreign.example' });
  expect(await relay.send(message({ bytes }))).toMatchObject([{ kind: 'failed' }, { kind: 'failed' }]);
});

test('an address comes off the list of SES in whatever spelling it is there', async () => {
  ses.suppressed.push('yan@elsewhere.example', 'Zoe@Elsewhere.example');
  expect(await relay.unsuppress!('zoe@elsewhere.example')).toBe(true);
  expect(ses.suppressed).toEqual(['yan@elsewhere.example']);
  expect(await relay.unsuppress!('zoe@elsewhere.example')).toBe(false);
});

test('calls keep to the rate that SES grants, in recipients', async () => {
  ses.maxSendRate = 10;
  clock.sleeps.length = 0;
  await relay.send(message());
  await relay.send(message());
  await relay.send(message());
  expect(relay.ratePerSecond).toBe(10);
  expect(clock.sleeps).toEqual([200, 200]);
});

test('what would wait longer than a claim allows comes again, and takes no turn from others', async () => {
  ses.maxSendRate = 0.01;
  clock.sleeps.length = 0;
  await relay.send(message({ rcptTo: [to('zoe@elsewhere.example')] }));
  clock.isFrozen = true;
  const waits: unknown[] = [];
  for (let call = 0; call < 5; call += 1) waits.push((await relay.send(message({ rcptTo: [to('zoe@elsewhere.example')] })))[0]);
  clock.isFrozen = false;
  expect(waits.slice(0, 3)).toEqual([1, 2, 3].map(() => expect.objectContaining({ kind: 'relayed' })));
  expect(waits.slice(3)).toEqual(
    [1, 2].map(() => ({ kind: 'deferred', smtpReply: '451 4.7.1 The rate that SES grants is used up', afterMs: 400_000 })),
  );
});

test('a service that is not there: not now', async () => {
  await ses[Symbol.asyncDispose]();
  expect(await relay.send(message())).toMatchObject([{ kind: 'deferred' }, { kind: 'deferred' }]);
});
