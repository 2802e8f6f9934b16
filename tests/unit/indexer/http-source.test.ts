import { describe, expect, test } from 'vitest';
import { isSnsUrl } from '../../../indexer/sources/sns-signature.ts';
import { Sweep } from '../../../indexer/sources/sweep.ts';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { fixture, sesMessage } from './fixtures.ts';
import { ada, ben, keysUnder, lookAt } from './rig.ts';
import { bearer, openSource, signedAt, topic } from './source-rig.ts';

describe('each kind of event, with clean.eml, many-recipients.eml, spam.eml and unscanned.eml in the bucket', () => {
  test.each<[string, number, { inbox?: object; junk?: number; failed?: number; told?: string }]>([
    ['sns-receipt-v1.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['sns-receipt.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['sns-receipt-many.json', 200, { inbox: { ada: 1, ben: 1, cleo: 1 } }],
    ['sns-s3-event.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['sns-bounce.json', 200, {}],
    ['sns-subscription.json', 200, { told: 'subscription' }],
    ['sns-unsubscribe.json', 200, { told: 'subscription' }],
    ['receipt-clean.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['receipt-many.json', 200, { inbox: { ada: 1, ben: 1, cleo: 1 } }],
    ['receipt-spam.json', 200, { junk: 1 }],
    ['receipt-dmarc-reject.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['receipt-scan-disabled.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['receipt-inline.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['receipt-setup.json', 200, {}],
    ['lambda-ses.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['lambda-sns.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['s3-event.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['s3-event-encoded-key.json', 200, {}],
    ['s3-event-removed.json', 200, {}],
    ['s3-event-setup.json', 200, {}],
    ['s3-test-event.json', 200, {}],
    ['minio-event.json', 200, { inbox: { ada: 1, ben: 0, cleo: 0 } }],
    ['eventbridge-object.json', 200, {}],
    ['eventbridge-bounce.json', 200, {}],
    ['identity-complaint.json', 200, {}],
    ['validation-note.txt', 200, {}],
  ])('%s is answered %i', async (name, status, { inbox = { ada: 0, ben: 0, cleo: 0 }, junk = 0, failed = 0, told }) => {
    const rig = await openSource();
    for (const message of ['clean.eml', 'many-recipients.eml', 'spam.eml', 'unscanned.eml']) await rig.putFixture(message);
    const answer = await rig.post(fixture(name), name.startsWith('sns-') ? undefined : bearer);
    expect(answer).toMatchObject({ status });
    expect(await rig.inboxSizes()).toEqual(inbox);
    expect((await lookAt(rig.bucket, ada)).junk).toHaveLength(junk);
    expect((await rig.pipeline.held.list()).messages).toHaveLength(failed);
    if (told !== undefined) expect(rig.events).toMatchObject([{ kind: told }]);
  });
});

describe('what is about mail that we sent', () => {
  test.each(['Bounce', 'Complaint', 'Delivery', 'DeliveryDelay', 'Send', 'Reject', 'Rendering Failure', 'Open'])(
    'is taken: %s',
    async (eventType) => {
      const rig = await openSource();
      for (const body of [
        { eventType, mail: {} },
        { source: 'aws.ses', 'detail-type': 'x', detail: { eventType, mail: {} } },
      ]) {
        expect(await rig.post(JSON.stringify(body), bearer)).toMatchObject({ status: 200 });
      }
      expect(rig.events).toEqual([]);
    },
  );
});

describe('what is no event', () => {
  test.each<[string, unknown]>([
    ["a Lambda function's answer to SES", { disposition: 'CONTINUE' }],
    ["WorkMail's call of a Lambda function", { summaryVersion: '2019-07-28', envelope: { mailFrom: {}, recipients: [] }, messageId: 'x' }],
    ['the answer of a queue', { Messages: [{ MessageId: 'x', ReceiptHandle: 'y', Body: '{}' }] }],
    ["an encrypted object's metadata", { 'x-amz-key-v2': 'QUJD' }],
  ])('is refused with a reason: %s', async (_what, body) => {
    const rig = await openSource();
    expect(await rig.post(JSON.stringify(body), bearer)).toEqual({
      status: 400,
      message: 'The event cannot be read: none of the known events.',
    });
    expect(rig.events).toMatchObject([{ kind: 'refused' }]);
  });
});

describe('what SNS sends', () => {
  test('with one byte changed is refused, counted, and nothing is taken in', async () => {
    const rig = await openSource();
    await rig.putFixture('clean.eml');
    for (const name of ['sns-receipt.json', 'sns-receipt-v1.json']) {
      const answer = await rig.post(fixture(name).toString().replace('ada@example.com', 'ben@example.com'));
      expect(answer).toEqual({ status: 403, message: 'The SNS message is refused: the signature is wrong.' });
    }
    expect(await rig.inboxSizes()).toEqual({ ada: 0, ben: 0, cleo: 0 });
    expect(rig.events).toMatchObject([{ kind: 'refused' }, { kind: 'refused' }]);
  });

  test.each<[string, (message: Record<string, unknown>) => object, RegExp]>([
    ['of another topic', (message) => ({ ...message, TopicArn: `${topic}-2` }), /not in inbound\.http\.topicArns/],
    ['without a signature', ({ Signature, ...message }) => message, /no signature/],
    ['of another signature version', (message) => ({ ...message, SignatureVersion: '3' }), /unknown version/],
    ['with the other digest', (message) => ({ ...message, SignatureVersion: '1' }), /signature is wrong/],
    ['of an unknown type', (message) => ({ ...message, Type: 'Surprise' }), /not complete/],
    [
      'with a certificate elsewhere',
      (message) => ({ ...message, SigningCertURL: 'https://sns.example.com/x.pem' }),
      /does not lie with SNS/,
    ],
    ['with a subject added', (message) => ({ ...message, Subject: 'other' }), /signature is wrong/],
  ])('%s is refused', async (_what, change, reason) => {
    const rig = await openSource();
    const answer = await rig.post(JSON.stringify(change(JSON.parse(fixture('sns-receipt.json').toString()))));
    expect(answer.status).toBe(403);
    expect(answer.message).toMatch(reason);
  });

  test.each<[string, boolean]>([
    ['https://sns.eu-west-1.amazonaws.com/x.pem', true],
    ['https://sns.us-east-1.amazonaws.com/x.pem', false],
    ['http://sns.eu-west-1.amazonaws.com/x.pem', false],
    ['https://sns.eu-west-1.amazonaws.com:444/x.pem', false],
    ['https://me@sns.eu-west-1.amazonaws.com/x.pem', false],
    ['https://sns.eu-west-1.amazonaws.com.evil.example/x.pem', false],
    ['https://evil.example/sns.eu-west-1.amazonaws.com/x.pem', false],
    ['nonsense', false],
  ])('a document at %s lies with SNS: %s', (url, isTheirs) => {
    expect(isSnsUrl(url, topic)).toBe(isTheirs);
  });

  test('too late, or from the future, is refused', async () => {
    const rig = await openSource();
    for (const ms of [2 * 3_600_000, -2 * 3_600_000]) {
      rig.setTime(signedAt + ms);
      expect(await rig.post(fixture('sns-receipt.json'))).toMatchObject({ status: 403, message: expect.stringContaining('too old') });
    }
  });

  test('twice costs one look at the mail, and one certificate', async () => {
    const rig = await openSource();
    await rig.putFixture('clean.eml');
    for (const message of ['Taken.', 'Known already.']) {
      expect(await rig.post(fixture('sns-receipt.json'))).toEqual({ status: 200, message });
    }
    expect(rig.fetched).toEqual(['https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem']);
    expect(rig.pipeline.load.messages).toBe(0);
    expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
  });

  test('a subscription is confirmed at the address that SNS gave', async () => {
    const rig = await openSource();
    expect(await rig.post(fixture('sns-subscription.json'))).toMatchObject({ status: 200 });
    expect(rig.fetched).toContain('https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription');
    expect(rig.events).toEqual([{ kind: 'subscription', topicArn: topic, change: 'confirmed' }]);
  });

  test('is asked for again when the certificate cannot be had', async () => {
    const rig = await openSource({ fetchFails: true });
    expect(await rig.post(fixture('sns-receipt.json'))).toMatchObject({ status: 503 });
  });
});

describe('others', () => {
  test.each<[string, string | undefined, boolean]>([
    ['without a token', undefined, true],
    ['with a wrong one', 'Bearer wrong', true],
    ['with any, where none is configured', bearer, false],
  ])('%s are refused', async (_what, authorization, isTokenSet) => {
    const rig = await openSource({ isTokenSet });
    expect(await rig.post(fixture('s3-event.json'), authorization)).toMatchObject({ status: 401 });
    expect(rig.events).toMatchObject([{ kind: 'refused' }]);
  });

  test.each(['', 'nonsense', '[]', '{}', '{"Records":[]}', '{"Records":[{"eventSource":"aws:s3"}]}'])(
    'who send %j are told why not',
    async (body) => {
      const rig = await openSource();
      const answer = await rig.post(body, bearer);
      expect(answer).toMatchObject({ status: 400, message: expect.stringContaining('cannot be read') });
    },
  );

  test('who send too much are told so', async () => {
    const rig = await openSource();
    expect(await rig.post(`"${'x'.repeat(1024 * 1024)}"`, bearer)).toMatchObject({ status: 413 });
  });

  test('an event of another bucket is passed over', async () => {
    const rig = await openSource();
    await rig.putFixture('clean.eml');
    const body = fixture('s3-event.json').toString().replaceAll('satchel-demo', 'another');
    expect(await rig.post(body, bearer)).toMatchObject({ status: 200 });
    expect(rig.events).toMatchObject([{ kind: 'ignored' }]);
    expect(await rig.inboxSizes()).toMatchObject({ ada: 0 });
  });

  test('are asked to send again while the directory is away', async () => {
    const rig = await openSource();
    await rig.putFixture('clean.eml');
    rig.recipients.failure = new StorageError('unavailable', 'away');
    expect(await rig.post(fixture('s3-event.json'), bearer)).toMatchObject({ status: 503 });
    rig.recipients.failure = undefined;
    expect(await rig.post(fixture('s3-event.json'), bearer)).toMatchObject({ status: 200 });
    expect(await rig.inboxSizes()).toMatchObject({ ada: 1 });
  });
});

describe('a message', () => {
  const receiptFor = (...recipients: readonly string[]) => {
    const receipt = JSON.parse(fixture('receipt-many.json').toString());
    receipt.receipt.recipients = recipients;
    return JSON.stringify(receipt);
  };

  test('of two rules goes to the recipients of both, each once', async () => {
    const rig = await openSource();
    await rig.putFixture('many-recipients.eml');
    await rig.post(receiptFor('ada@example.com', 'ben@example.com'), bearer);
    await rig.post(receiptFor('ben@example.com', 'cleo@example.com'), bearer);
    expect(await rig.inboxSizes()).toEqual({ ada: 1, ben: 1, cleo: 1 });
  });

  test('that event and sweep find at once is delivered once, to those in Bcc too', async () => {
    const rig = await openSource();
    await rig.putFixture('many-recipients.eml');
    rig.bucket.clock.advance(2 * 3_600_000);
    const sweep = new Sweep({
      store: rig.bucket.store,
      pipeline: rig.pipeline,
      clock: rig.bucket.clock,
      inboundPrefix: 'inbound/',
      mustBeStill: false,
      eventsEmptyAt: () => rig.bucket.clock.now(),
    });
    await Promise.all([rig.post(receiptFor('ada@example.com', 'ben@example.com', 'cleo@example.com'), bearer), sweep.run()]);
    expect(await rig.inboxSizes()).toEqual({ ada: 1, ben: 1, cleo: 1 });
    await sweep.run();
    expect(await keysUnder(rig.bucket.store, 'inbound/')).toEqual([]);
    expect(await rig.inboxSizes()).toEqual({ ada: 1, ben: 1, cleo: 1 });
  });

  test('that receipts named stays an hour for the receipts of other rules, and is then swept away', async () => {
    const rig = await openSource();
    await rig.putFixture('many-recipients.eml');
    await rig.post(receiptFor('ada@example.com'), bearer);
    const { bucket, pipeline } = rig;
    const sweep = new Sweep({
      store: bucket.store,
      pipeline,
      clock: bucket.clock,
      inboundPrefix: 'inbound/',
      mustBeStill: false,
      eventsEmptyAt: () => bucket.clock.now(),
    });
    expect(await sweep.run()).toMatchObject({ seen: 1, outcomes: {} });
    bucket.clock.advance(3_700_000);
    expect(await sweep.run()).toMatchObject({ seen: 1, outcomes: { delivered: 1 } });
    expect(await keysUnder(bucket.store, 'inbound/')).toEqual([]);
    expect(await rig.inboxSizes()).toEqual({ ada: 1, ben: 0, cleo: 0 });
  });

  test('whose object is gone is reported for those who do not have it, with a note in its place', async () => {
    const rig = await openSource();
    const id = await rig.putFixture('many-recipients.eml');
    await rig.post(receiptFor('ada@example.com'), bearer);
    await rig.bucket.store.deleteMany([`inbound/${id}`]);
    expect(await rig.post(receiptFor('ada@example.com', 'ben@example.com'), bearer)).toMatchObject({ status: 200 });
    const [held] = (await rig.pipeline.held.list()).messages;
    expect(held?.record).toMatchObject({
      reason: 'objectGone',
      recipients: ['ben@example.com'],
      deliveredTo: ['ada@example.com'],
      sesMessageId: id,
    });
    await rig.pipeline.release(held!.name);
    const [note] = (await lookAt(rig.bucket, ben)).inbox;
    expect(note?.subject).toMatch(/was lost/);
  });

  test.each(['released', 'removed'] as const)('that was held and %s does not come back with the sweep', async (what) => {
    const rig = await openSource();
    const { bucket, pipeline } = rig;
    const id = await rig.putFixture('virus.eml');
    const receipt = JSON.parse(fixture('receipt-clean.json').toString());
    receipt.mail.messageId = id;
    receipt.receipt.virusVerdict.status = 'FAIL';
    receipt.receipt.action.objectKey = `inbound/${id}`;
    await rig.post(JSON.stringify(receipt), bearer);
    expect((await pipeline.held.list()).messages).toMatchObject([{ name: id, record: { kind: 'quarantine' } }]);
    if (what === 'released') await pipeline.release(id);
    else await pipeline.held.remove(id);
    bucket.clock.advance(3_700_000);
    const sweep = new Sweep({ store: bucket.store, pipeline, clock: bucket.clock, inboundPrefix: 'inbound/', mustBeStill: false });
    await sweep.run();
    expect((await pipeline.held.list()).messages).toEqual([]);
    expect(await rig.inboxSizes()).toMatchObject({ ada: what === 'released' ? 1 : 0 });
  });

  test('inside its receipt is stored before it is taken in', async () => {
    const rig = await openSource();
    const id = 'inline0123456789';
    const receipt = JSON.parse(fixture('receipt-inline.json').toString());
    receipt.mail.messageId = id;
    receipt.content = sesMessage(id, 'ada@example.com').toString('base64');
    expect(await rig.post(JSON.stringify(receipt), bearer)).toMatchObject({ status: 200 });
    const { inbox } = await lookAt(rig.bucket, ada);
    expect(inbox.map(({ bytes }) => bytes.toString())).toEqual([sesMessage(id, 'ada@example.com').toString()]);
    expect(await keysUnder(rig.bucket.store, 'inbound/')).toEqual([`inbound/${id}`]);
  });
});
