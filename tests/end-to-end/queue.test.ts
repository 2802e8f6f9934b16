/**
 * Mail in through AWS's services, run here: an object is put into the strict S3 server, its event or SES's receipt goes through SNS and SQS of
 * fauxqs, and an idle IMAP client sees the message.
 */
import { type FauxqsServer, startFauxqs } from 'fauxqs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeServerFolder, type RunningServer, type ServerFolder } from '../support/running-server.ts';
import { makeS3Event } from '../support/s3/events.ts';
import { type StrictS3, startStrictS3 } from '../support/s3/strict-s3.ts';
import { sesMessage } from '../support/ses-message.ts';

const region = 'us-east-1';
let sqs: FauxqsServer;
let s3: StrictS3;
let folder: ServerFolder;
let server: RunningServer;
let topicArn: string;
let rawTopicArn: string;

beforeAll(async () => {
  sqs = await startFauxqs({ port: 0, logger: false });
  const { queueUrl } = sqs.createQueue('mail', { region });
  ({ topicArn } = sqs.createTopic('receipts', { region }));
  ({ topicArn: rawTopicArn } = sqs.createTopic('raw', { region }));
  sqs.subscribe({ topic: 'receipts', queue: 'mail', region });
  sqs.subscribe({ topic: 'raw', queue: 'mail', region, attributes: { RawMessageDelivery: 'true' } });
  s3 = await startStrictS3({ region, eventPrefix: 'inbound/', onEvent: (event) => void sqs.sendMessage('mail', JSON.stringify(event)) });
  const { credentials, bucket, endpoint } = s3;
  folder = makeServerFolder({
    store: { driver: 's3', bucket, region, endpoint, forcePathStyle: true, ...credentials },
    inbound: { sweepSeconds: 300, sqs: [{ queueUrl, endpoint: sqs.address }] },
  });
  server = await folder.start();
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
  await s3?.[Symbol.asyncDispose]();
  await sqs?.stop();
});

/** Resolves when the client has been told that INBOX has so many messages. */
async function idleUntil(client: Awaited<ReturnType<RunningServer['imap']>>, count: number): Promise<void> {
  while (true) {
    const mailbox = client.mailbox;
    if (mailbox !== false && mailbox.exists >= count) return;
    await new Promise<void>((resolve) => client.once('exists', () => resolve()));
  }
}

async function idleClient() {
  const client = await server.imap();
  await client.mailboxOpen('INBOX');
  void client.idle();
  return client;
}

/** By the server's own way to the bucket, so that S3 tells of it. */
async function putObject(id: string): Promise<void> {
  await server.app.store.of('admin').put(`inbound/${id}`, sesMessage({ id, to: 'me@localhost' }));
}

/** Resolves when nothing waits in the queue, and nothing is being worked on. */
async function queueIsEmpty(): Promise<void> {
  const left = () => {
    const { ready, inflight } = sqs.inspectQueue('mail')!.messages;
    return ready.length + inflight.length;
  };
  await vi.waitFor(() => expect(left()).toBe(0), { timeout: 15_000, interval: 20 });
}

/** Prints how long it takes until an idle client is told of what `announce` puts into the bucket. */
async function measure(way: string, announce: (id: string) => Promise<void>): Promise<void> {
  const client = await idleClient();
  const before = client.mailbox === false ? 0 : client.mailbox.exists;
  const took: number[] = [];
  for (let i = 0; i < 40; i++) {
    const startedAt = performance.now();
    await announce(`idle${way.length}-${i}`);
    await idleUntil(client, before + i + 1);
    took.push(performance.now() - startedAt);
  }
  took.sort((a, b) => a - b);
  const quantile = (part: number) => took[Math.floor(took.length * part)]!.toFixed(0);
  process.stdout.write(
    `from PUT to EXISTS, ${way}: p50 ${quantile(0.5)} ms, p95 ${quantile(0.95)} ms, most ${took.at(-1)!.toFixed(0)} ms\n`,
  );
  await client.logout();
  await queueIsEmpty();
}

const objectEvent = (id: string) =>
  makeS3Event({ name: 'ObjectCreated:Put', bucket: s3.bucket, region, key: `inbound/${id}`, atMs: 0, sequence: 1, requestId: 'R' });

function receiptOf(id: string, recipients: readonly string[]) {
  const status = { status: 'PASS' };
  const verdicts = { spamVerdict: status, virusVerdict: status, spfVerdict: status, dkimVerdict: status, dmarcVerdict: status };
  const action = { type: 'S3', topicArn, bucketName: s3.bucket, objectKeyPrefix: 'inbound/', objectKey: `inbound/${id}` };
  return {
    notificationType: 'Received',
    mail: { timestamp: '2027-01-05T08:30:11.000Z', source: 'brahms@music.example', messageId: id, destination: ['list@elsewhere.example'] },
    receipt: { recipients, ...verdicts, action },
  };
}

describe('an object put into the bucket', () => {
  test('is seen by an idle IMAP client, told by no more than its event', async () => {
    await measure("S3's event by SQS", putObject);
  });

  test('is seen by an idle IMAP client, told by the receipt of SES', async () => {
    await measure("SES's receipt by SNS and SQS", async (id) => {
      await s3.store.put(`inbound/${id}`, sesMessage({ id, to: 'list@elsewhere.example' }));
      sqs.publish('receipts', JSON.stringify(receiptOf(id, ['me@localhost'])));
    });
  });

  test('is taken in once, however many ways tell of it', async () => {
    const client = await idleClient();
    const before = client.mailbox === false ? 0 : client.mailbox.exists;
    const id = 'manyways';
    await s3.store.put(`inbound/${id}`, sesMessage({ id, to: 'me@localhost' }));
    const event = JSON.stringify(objectEvent(id));
    const eventBridge = JSON.stringify({
      version: '0',
      id: 'd1b37edd-0000-4000-8000-a65d632490fe',
      'detail-type': 'Object Created',
      source: 'aws.s3',
      region,
      resources: [`arn:aws:s3:::${s3.bucket}`],
      detail: {
        version: '0',
        bucket: { name: s3.bucket },
        object: { key: `inbound/${id}`, size: 1, sequencer: '00' },
        reason: 'PutObject',
      },
    });
    sqs.sendMessage('mail', eventBridge);
    await idleUntil(client, before + 1);
    sqs.sendMessage('mail', event);
    for (const topic of ['receipts', 'raw']) for (const message of [event, eventBridge]) sqs.publish(topic, message);
    await queueIsEmpty();
    expect(client.mailbox === false ? 0 : client.mailbox.exists).toBe(before + 1);
    expect((await server.app.services.held.list()).messages).toEqual([]);
    await client.logout();
  });
});

describe('a receipt', () => {
  test.each([
    ['wrapped by SNS', () => topicArn],
    ['by raw delivery', () => rawTopicArn],
  ])('%s brings the message to those whom only the envelope names', async (_, topic) => {
    const id = `bcc${topic().length}`;
    const client = await idleClient();
    const before = client.mailbox === false ? 0 : client.mailbox.exists;
    await s3.store.put(`inbound/${id}`, sesMessage({ id, to: 'list@elsewhere.example' }));
    // Twice, as SNS may: and once more for a recipient that another rule matched.
    for (const recipients of [['me@localhost'], ['me@localhost'], ['me@localhost', 'me+other@localhost']]) {
      sqs.publish(topic().slice(topic().lastIndexOf(':') + 1), JSON.stringify(receiptOf(id, recipients)));
    }
    await idleUntil(client, before + 1);
    await queueIsEmpty();
    expect(client.mailbox === false ? 0 : client.mailbox.exists).toBe(before + 1);
    await client.logout();
  });
});

describe('a message of the queue that is no event', () => {
  test('is kept where an administrator sees it, and does not come again', async () => {
    sqs.sendMessage('mail', 'neither JSON nor mail');
    await queueIsEmpty();
    const { held } = server.app.services;
    const { messages } = await held.list();
    expect(messages).toMatchObject([{ record: { kind: 'failed', reason: 'event', octets: 21 } }]);
    expect((await held.get(messages[0]!.name))!.bytes.toString()).toBe('neither JSON nor mail');
    expect(await server.app.services.release(messages[0]!.name)).toMatchObject({ kind: 'held' });
  });
});

describe('while the store is away', () => {
  test('a message stays in the queue, and is delivered once when the store is back', async () => {
    const client = await idleClient();
    const before = client.mailbox === false ? 0 : client.mailbox.exists;
    await s3.store.put('inbound/late', sesMessage({ id: 'late', to: 'me@localhost' }));
    s3.faults.add({ kind: 'status', status: 503, code: 'SlowDown' }, { operation: 'GetObject', keyPrefix: 'inbound/late' }, { times: 6 });
    sqs.sendMessage('mail', JSON.stringify(objectEvent('late')));
    await idleUntil(client, before + 1);
    await queueIsEmpty();
    await client.logout();
  });
});
