import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Feedback, type FeedbackObservation } from '../../../indexer/outbox/feedback.ts';
import { Restraint } from '../../../indexer/outbox/restraint.ts';
import { decodeSesFeedback } from '../../../indexer/outbox/ses-feedback.ts';
import { decodeEvents, type FeedbackEvent } from '../../../indexer/ses/events.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { countSending, ofDomain, releaseSending, requireMaySend, sendingHistory } from '../../../storage/outbox/history.ts';
import { serviceOutboxId } from '../../../storage/outbox/outbox.ts';
import { suppression } from '../../../storage/outbox/suppression.ts';
import { ada, lookAt } from '../indexer/rig.ts';
import { openOutbox, to } from './rig.ts';

const sesId = '0100018f5a1b2c3d-11112222-3333-4444-8555-666677778888-000000';

function fixture(name: string, change: (body: Record<string, never>) => void = () => {}): FeedbackEvent {
  const body = JSON.parse(readFileSync(new URL(`../../fixtures/ses/feedback/${name}.json`, import.meta.url), 'utf8'));
  change(body);
  const [event] = decodeEvents(JSON.stringify(body));
  return event as FeedbackEvent;
}

/** A message of ada's to two people elsewhere, sent by SES as `s1`. */
async function sent() {
  const outbox = await openOutbox();
  const account = await outbox.open();
  const service = await outbox.open(serviceOutboxId);
  outbox.relay.answer = () => ({ kind: 'relayed', smtpReply: `250 2.0.0 Ok ${sesId}`, relayId: sesId });
  await outbox.send(account, [to('zoe@elsewhere.example'), to('yan@elsewhere.example')], { id: 's1' });
  await outbox.dispatcher.turn();
  const observed: FeedbackObservation[] = [];
  const feedback = new Feedback({
    ...outbox.ports,
    standing: outbox.standing,
    directory: {
      accountById: (id: AccountId) => (id === ada ? { id, address: 'ada@example.com', name: '', createdAt: 0 } : undefined),
      accountByAddress: (address: string) =>
        address === 'ada@example.com' ? { id: ada, address: 'ada@example.com', name: '', createdAt: 0 } : undefined,
    },
    observe: (event) => observed.push(event),
  });
  const statuses = () => outbox.record(account, 's1')!.recipients;
  const inbox = async () => {
    await outbox.dispatcher.turn();
    return (await lookAt(outbox.bucket, ada)).inbox;
  };
  return { outbox, account, service, feedback, observed, statuses, inbox };
}

describe('an event of SES', () => {
  test('Bounce, permanent: the recipient failed, the sender is told in the thread, the address is suppressed, and it counts', async () => {
    const { feedback, statuses, inbox, service, account } = await sent();
    await feedback.take(fixture('bounce'));
    expect(statuses()).toMatchObject([
      { state: 'failed', delivered: 'no', smtpReply: '550 5.1.1 user unknown' },
      { state: 'relayed', delivered: 'unknown' },
    ]);
    const [report, ...others] = await inbox();
    expect(others).toEqual([]);
    expect(report!.subject).toBe('[Undelivered] Boats');
    expect(report!.bytes.toString()).toContain('In-Reply-To: <s1@example.com>');
    expect(report!.bytes.toString()).toContain('Final-Recipient: rfc822; zoe@elsewhere.example\r\nAction: failed\r\nStatus: 5.1.1');
    expect(service.read((reader) => suppression(reader, 'Zoe@Elsewhere.example'))).toMatchObject({ reason: 'bounce' });
    expect(Object.values(account.read(sendingHistory).days)).toMatchObject([{ relayed: 2, bounced: 1 }]);
  });

  test('Bounce of an address on SES’s own list: failed and suppressed, and no mark against the sender', async () => {
    const { feedback, statuses, service, account } = await sent();
    await feedback.take(fixture('bounce-suppressed'));
    expect(statuses()[0]).toMatchObject({ state: 'failed', delivered: 'no' });
    expect(service.read((reader) => suppression(reader, 'zoe@elsewhere.example'))).toBeDefined();
    expect(Object.values(account.read(sendingHistory).days)).toMatchObject([{ bounced: 0 }]);
  });

  test('Bounce, transient: failed and told, the address stays usable', async () => {
    const { feedback, statuses, inbox, service } = await sent();
    await feedback.take(fixture('bounce-transient'));
    expect(statuses().filter(({ state }) => state === 'failed')).toHaveLength(1);
    expect(await inbox()).toHaveLength(1);
    expect(service.read((reader) => suppression(reader, 'zoe@elsewhere.example'))).toBeUndefined();
  });

  test('Complaint: the sender is told, the address is suppressed, the status stays', async () => {
    const { feedback, statuses, inbox, service, account } = await sent();
    await feedback.take(fixture('complaint'));
    expect(statuses()[1]).toMatchObject({ state: 'relayed', delivered: 'unknown' });
    expect((await inbox()).map(({ subject }) => subject)).toEqual(['[Complaint] Boats']);
    expect(service.read((reader) => suppression(reader, 'yan@elsewhere.example'))).toMatchObject({ reason: 'complaint' });
    expect(Object.values(account.read(sendingHistory).days)).toMatchObject([{ complained: 1 }]);
  });

  test('Complaint that names a whole domain suppresses nobody', async () => {
    const { feedback, service } = await sent();
    await feedback.take(
      fixture('complaint', (body: Record<string, { complainedRecipients: object[] }>) => {
        body['complaint']!.complainedRecipients.push({ emailAddress: 'zoe@elsewhere.example' });
      }),
    );
    expect(service.read((reader) => suppression(reader, 'yan@elsewhere.example'))).toBeUndefined();
  });

  test('Delivery: what the next server said, and `unknown` as JMAP has it', async () => {
    const { feedback, statuses, inbox } = await sent();
    await feedback.take(fixture('delivery'));
    expect(statuses().filter(({ smtpReply }) => !smtpReply.includes(sesId))).toMatchObject([{ state: 'relayed', delivered: 'unknown' }]);
    expect(await inbox()).toEqual([]);
  });

  test('Delivery after Bounce changes nothing: events come in any order', async () => {
    const { feedback, statuses } = await sent();
    await feedback.take(fixture('bounce'));
    await feedback.take(
      fixture('delivery', (body: Record<string, { recipients: string[] }>) => {
        body['delivery']!.recipients = ['zoe@elsewhere.example'];
      }),
    );
    expect(statuses()[0]).toMatchObject({ state: 'failed', delivered: 'no' });
  });

  test('DeliveryDelay: the sender is told once', async () => {
    const { feedback, inbox } = await sent();
    await feedback.take(fixture('delivery-delay'));
    await feedback.take(
      fixture('delivery-delay', (body: Record<string, { feedbackId: string }>) => {
        body['deliveryDelay']!.feedbackId = 'another';
      }),
    );
    expect((await inbox()).map(({ subject }) => subject)).toEqual(['[Delayed] Boats']);
  });

  test('Reject: all copies failed, the sender is told and counted', async () => {
    const { feedback, statuses, inbox, account } = await sent();
    await feedback.take(fixture('reject'));
    expect(statuses().map(({ smtpReply }) => smtpReply)).toEqual(['554 5.7.1 Bad content', '554 5.7.1 Bad content']);
    expect(await inbox()).toHaveLength(1);
    expect(account.read(sendingHistory).containment).toMatchObject({ step: 'warned' });
  });

  test('Rendering Failure: all copies failed, the sender is told, and no mark against him', async () => {
    const { feedback, statuses, inbox, account } = await sent();
    await feedback.take(fixture('rendering-failure'));
    const said = "554 5.6.0 Attribute 'name' is not present in the rendering data.";
    expect(statuses()).toMatchObject([
      { state: 'failed', smtpReply: said },
      { state: 'failed', smtpReply: said },
    ]);
    expect((await inbox()).map(({ subject }) => subject)).toEqual(['[Undelivered] Boats']);
    expect(account.read(sendingHistory).containment).toBeNull();
  });

  test('Send settles a claim whose answer was lost: the copy is not sent again', async () => {
    const { outbox, account, feedback } = await sent();
    outbox.relay.answer = () => new Promise(() => {});
    await outbox.send(account, [to('zoe@elsewhere.example')], { id: 's2' });
    void outbox.dispatcher.turn();
    await expect.poll(() => outbox.relay.sent.length).toBe(2);
    await feedback.take(
      fixture('send', (body: Record<string, { tags: Record<string, string[]>; messageId: string; destination: string[] }>) => {
        Object.assign(body['mail']!, { messageId: `${sesId}2`, destination: ['zoe@elsewhere.example'] });
        body['mail']!.tags['submission'] = ['s2'];
      }),
    );
    expect(outbox.record(account, 's2')!.recipients[0]).toMatchObject({ state: 'relayed', relayId: `${sesId}2` });
    const again = await openOutbox({ bucket: outbox.bucket, node: 'n1' });
    await again.open();
    await again.dispatcher.turn();
    expect(again.relay.sent).toEqual([]);
  });

  test('taken twice counts once', async () => {
    const { feedback, observed, inbox, account } = await sent();
    for (let time = 0; time < 3; time += 1) await feedback.take(fixture('bounce'));
    expect(await inbox()).toHaveLength(1);
    expect(Object.values(account.read(sendingHistory).days)).toMatchObject([{ bounced: 1 }]);
    expect(observed.map(({ kind }) => kind)).toEqual(['suppressed', 'taken', 'repeated', 'repeated']);
  });

  test('without tags, as an identity notifies, is found by the sender and SES’s id', async () => {
    const { feedback, statuses } = await sent();
    await feedback.take(
      fixture('bounce', (body: Record<string, unknown>) => {
        delete (body['mail'] as { tags?: unknown }).tags;
        body['notificationType'] = body['eventType'];
        delete body['eventType'];
      }),
    );
    expect(statuses()[0]).toMatchObject({ state: 'failed' });
  });

  test('of somebody else’s message is unknown; opens, clicks and what is malformed are ignored', async () => {
    const { feedback, observed } = await sent();
    const stranger = (body: Record<string, { tags: Record<string, string[]> }>) => {
      body['mail']!.tags['submission'] = ['s999'];
    };
    await feedback.take(fixture('delivery', stranger));
    await feedback.take(fixture('subscription'));
    await feedback.take({ kind: 'feedback', type: 'Open', body: {} });
    await feedback.take({ kind: 'feedback', type: 'Bounce', body: { mail: { messageId: '../../x' } } });
    expect(observed.map(({ kind }) => kind)).toEqual(['unknown', 'ignored', 'ignored', 'ignored']);
    expect(decodeSesFeedback({ kind: 'feedback', type: 'constructor', body: {} })).toBeUndefined();
  });
});

describe('a sender whose mail comes back', () => {
  test('is warned, slowed and stopped, and released by the administrator', async () => {
    const { account, outbox, service } = await sent();
    const restraint = new Restraint(service, outbox.bucket.clock);
    const steps: unknown[] = [];
    await account.transact((tx) => countSending(tx, { relayed: 1000 }));
    for (let complaint = 1; complaint <= 6; complaint += 1) {
      await account.transact((tx) => countSending(tx, { complained: 1 }));
      steps.push(account.read(sendingHistory).containment?.step);
    }
    expect(steps).toEqual([undefined, 'warned', 'warned', 'slowed', 'slowed', 'stopped']);
    expect(restraint.ofAccount(account)).toMatchObject({ kind: 'deferred', smtpReply: '451 4.7.1 Sending is suspended' });
    const limits = { messagesPerDayMax: 10, recipientsPerDayMax: 10 };
    expect(() => account.read((reader) => requireMaySend(reader, outbox.bucket.clock.now(), 1, limits))).toThrow(/suspended/);
    expect(await account.transact(releaseSending)).toBe(true);
    expect(restraint.ofAccount(account)).toBeUndefined();
    account.read((reader) => requireMaySend(reader, outbox.bucket.clock.now(), 1, limits));
  });

  test('slowed sends a message every two minutes', async () => {
    const { account, outbox, service } = await sent();
    const restraint = new Restraint(service, outbox.bucket.clock);
    await account.transact((tx) => countSending(tx, { relayed: 1000, complained: 4 }));
    expect(restraint.ofAccount(account)).toBeUndefined();
    expect(restraint.ofAccount(account)).toMatchObject({ kind: 'deferred', afterMs: 120_000 });
    outbox.bucket.clock.advance(120_000);
    expect(restraint.ofAccount(account)).toBeUndefined();
  });
});

describe('a domain whose mail comes back', () => {
  const bounces = (count: number, from = 0) =>
    Array.from({ length: count }, (_, at) =>
      fixture('bounce', (body: Record<string, { feedbackId: string }>) => {
        body['bounce']!.feedbackId = `b${from + at}`;
      }),
    );

  test('is warned, slowed and stopped at ten times the volume of an account, its postmaster is told, and it is released', async () => {
    const { feedback, observed, service, outbox } = await sent();
    const restraint = new Restraint(service, outbox.bucket.clock);
    const steps: unknown[] = [];
    for (const [at, event] of bounces(100).entries()) {
      await feedback.take(event);
      if ([49, 50, 74, 75, 99].includes(at))
        steps.push(service.read((reader) => sendingHistory(reader, ofDomain('example.com')).containment?.step));
    }
    expect(steps).toEqual(['warned', 'warned', 'slowed', 'slowed', 'stopped']);
    expect(observed.filter(({ kind }) => kind === 'domainContained')).toMatchObject([
      { domain: 'example.com', step: 'warned' },
      { domain: 'example.com', step: 'slowed' },
      { domain: 'example.com', step: 'stopped', reason: expect.stringContaining('100 bounces') },
    ]);
    expect(restraint.ofSender('Ben@EXAMPLE.com')).toMatchObject({
      kind: 'deferred',
      smtpReply: '451 4.7.1 Sending from example.com is suspended',
    });
    expect(restraint.ofSender('noor@elsewhere.example')).toBeUndefined();
    expect(restraint.ofSender('')).toBeUndefined();
    expect(await service.transact((tx) => releaseSending(tx, ofDomain('example.com')))).toBe(true);
    expect(restraint.ofSender('ben@example.com')).toBeUndefined();
  });

  test('counts each event once, and what left', async () => {
    const { feedback, service, outbox } = await sent();
    const [event] = bounces(1);
    for (let time = 0; time < 3; time += 1) await feedback.take(event!);
    await outbox.standing.flush();
    await outbox.standing.flush();
    const { days } = service.read((reader) => sendingHistory(reader, ofDomain('example.com')));
    expect(Object.values(days)).toMatchObject([{ relayed: 2, bounced: 1 }]);
  });

  test('slowed sends a message every ten seconds, whoever of it sends', async () => {
    const { service, outbox } = await sent();
    const restraint = new Restraint(service, outbox.bucket.clock);
    await service.transact((tx) => countSending(tx, { relayed: 10_000, complained: 30 }, ofDomain('example.com')));
    expect(restraint.ofSender('ada@example.com')).toBeUndefined();
    expect(restraint.ofSender('ben@example.com')).toMatchObject({ kind: 'deferred', afterMs: 10_000 });
    outbox.bucket.clock.advance(10_000);
    expect(restraint.ofSender('ben@example.com')).toBeUndefined();
  });

  test('stopped, its mail to other servers waits, and its mail to accounts here goes on', async () => {
    const { service, outbox, account } = await sent();
    Object.assign(outbox.ports, { restraint: new Restraint(service, outbox.bucket.clock) });
    await service.transact((tx) => countSending(tx, { relayed: 1000, complained: 100 }, ofDomain('example.com')));
    await outbox.send(account, [to('yan@elsewhere.example'), to('ben@example.com')], { id: 's2' });
    await outbox.dispatcher.turn();
    expect(outbox.record(account, 's2')!.recipients).toMatchObject([{ state: 'queued' }, { state: 'delivered' }]);
    expect(outbox.relay.sent).toHaveLength(1);
  });
});

test('a suppressed address is not sent to, and the sender hears why', async () => {
  const { feedback, outbox, account, service } = await sent();
  await feedback.take(fixture('bounce'));
  Object.assign(outbox.ports, { restraint: new Restraint(service, outbox.bucket.clock) });
  await outbox.send(account, [to('ZOE@elsewhere.example')], { id: 's2' });
  await outbox.dispatcher.turn();
  expect(outbox.relay.sent).toHaveLength(1);
  expect(outbox.record(account, 's2')!.recipients[0]!.smtpReply).toMatch(/^550 5\.7\.1 Not sent: this address is suppressed since /);
});

test('an account may send so much a day', async () => {
  const { account, outbox } = await sent();
  const limits = { messagesPerDayMax: 2, recipientsPerDayMax: 5 };
  const now = () => outbox.bucket.clock.now();
  await account.transact((tx) => countSending(tx, { messages: 1, recipients: 3 }));
  account.read((reader) => requireMaySend(reader, now(), 2, limits));
  expect(() => account.read((reader) => requireMaySend(reader, now(), 3, limits))).toThrow(/5 recipients a day/);
  await account.transact((tx) => countSending(tx, { messages: 1, recipients: 1 }));
  expect(() => account.read((reader) => requireMaySend(reader, now(), 1, limits))).toThrow(/2 messages a day/);
  outbox.bucket.clock.advance(24 * 60 * 60 * 1000);
  account.read((reader) => requireMaySend(reader, now(), 1, limits));
});
