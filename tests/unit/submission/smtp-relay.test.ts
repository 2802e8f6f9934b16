/** What the relay driver `smtp` hands on of what the sender asked for: DSN and REQUIRETLS, as far as the relay offers them. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RelayMessage } from '../../../indexer/outbox/relay.ts';
import { systemClock } from '../../../server/clock.ts';
import { openSmtpRelay, type SmtpRelay, type SmtpRelayOptions } from '../../../server/submission/relay/smtp.ts';
import { SmtpSink } from '../../support/smtp-sink.ts';
import { ada } from '../indexer/rig.ts';
import { to } from '../outbox/rig.ts';

let sink: SmtpSink;
let relay: SmtpRelay;
beforeEach(async () => {
  sink = await SmtpSink.open({ isSubmission: true });
  relay = open();
});
afterEach(async () => {
  relay[Symbol.dispose]();
  await sink[Symbol.asyncDispose]();
});

const open = (more: Partial<SmtpRelayOptions> = {}) =>
  openSmtpRelay({
    host: '127.0.0.1',
    port: sink.port,
    tls: 'implicit',
    user: 'u',
    password: 'p',
    connectionsMax: 2,
    hostName: 'mx.example.com',
    keysOf: () => [],
    clock: systemClock,
    trustsAnyCertificate: true,
    ...more,
  });

const message = (more: Partial<RelayMessage> = {}): RelayMessage => ({
  account: ada,
  submission: 's1',
  mailFrom: to('ada@example.com', { RET: 'HDRS', ENVID: 'a+b=c' }),
  rcptTo: [to('zoe@elsewhere.example', { NOTIFY: 'SUCCESS,DELAY', ORCPT: 'rfc822;zoe+boats@elsewhere.example' })],
  bytes: Buffer.from('From: ada@example.com\r\nSubject: Boats\r\n\r\nHello\r\n'),
  ...more,
});

test('DSN parameters go to a relay that offers DSN, and it is left to tell the sender of the delivery', async () => {
  await relay.lookForExtensions();
  expect([...relay.extensions]).toEqual(['DSN', 'REQUIRETLS']);
  expect(await relay.send(message())).toMatchObject([{ kind: 'relayed', tellsSender: true }]);
  const [taken] = await sink.received(1);
  expect(Object.fromEntries(taken!.mailParameters)).toMatchObject({ RET: 'HDRS', ENVID: 'a+2Bb+3Dc' });
  expect(Object.fromEntries(taken!.rcptParameters[0]!)).toEqual({
    NOTIFY: 'SUCCESS,DELAY',
    ORCPT: 'rfc822;zoe+2Bboats@elsewhere.example',
  });
});

test('recipients who want different notices go in different calls, where the relay offers DSN', async () => {
  const [plain, never] = [to('a@elsewhere.example'), to('b@elsewhere.example', { NOTIFY: 'NEVER' })];
  expect(relay.callKey!(plain)).toBe(relay.callKey!(never));
  await relay.lookForExtensions();
  expect(relay.callKey!(plain)).not.toBe(relay.callKey!(never));
  expect(relay.callKey!(plain)).toBe(relay.callKey!(to('c@elsewhere.example')));
});

test('without NOTIFY nothing is left to the relay', async () => {
  await relay.lookForExtensions();
  const [result] = await relay.send(message({ rcptTo: [to('zoe@elsewhere.example')] }));
  expect(result).not.toHaveProperty('tellsSender');
});

test('REQUIRETLS goes to a relay that offers it', async () => {
  await relay.lookForExtensions();
  await relay.send(message({ mailFrom: to('ada@example.com', { REQUIRETLS: null }) }));
  expect((await sink.received(1))[0]!.mailParameters.has('REQUIRETLS')).toBe(true);
});

test('a relay that offers REQUIRETLS no more gets no such message: it fails for good', async () => {
  sink.canRequireTls = false;
  expect(await relay.send(message({ mailFrom: to('ada@example.com', { REQUIRETLS: null }) }))).toEqual([
    { kind: 'failed', smtpReply: '550 5.7.30 REQUIRETLS support required' },
  ]);
  expect(sink.messages).toEqual([]);
});

test('what a relay without DSN and TLS is known for is nothing', async () => {
  await using plain = await SmtpSink.open();
  using poor = open({ port: plain.port, tls: 'none' });
  await poor.lookForExtensions();
  expect([...poor.extensions]).toEqual([]);
});

test('a relay that is not there is no answer, and is told', async () => {
  await sink[Symbol.asyncDispose]();
  await expect(relay.lookForExtensions()).rejects.toThrow();
});
