/** A queue in which a busy account's mail stands before another's: the other's gets through, and what goes back stays clear of the dead letters. */
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageBatchCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { describe, expect, test, vi } from 'vitest';
import { accountInFlightMax, messagesInFlightMax, waitingBytesEach } from '../../../indexer/limits.ts';
import { AnnouncedMail } from '../../../indexer/sources/announced.ts';
import { BusyMail } from '../../../indexer/sources/busy-mail.ts';
import { SqsSource, type SqsSourceOptions } from '../../../indexer/sources/sqs.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import { systemClock } from '../../../server/clock.ts';
import type { ObjectStore } from '../../../storage/objects/object-store.ts';
import { credentials, localSqs, region } from '../../support/local-sqs.ts';
import { openTestBucket } from '../../support/open-accounts.ts';
import { sesMessage } from './fixtures.ts';
import { ada, ben, lookAt, openRig } from './rig.ts';

const bucketName = 'satchel-demo';
const sqs = localSqs();
let count = 0;

function receiptFor(id: string, recipients: readonly string[]): string {
  const status = { status: 'PASS' };
  const verdicts = { spamVerdict: status, virusVerdict: status, spfVerdict: status, dkimVerdict: status, dmarcVerdict: status };
  return JSON.stringify({
    notificationType: 'Received',
    mail: { timestamp: '2027-01-05T08:30:11.000Z', source: 'brahms@music.example', messageId: id },
    receipt: { recipients, ...verdicts, action: { type: 'S3', bucketName, objectKeyPrefix: 'inbound/', objectKey: `inbound/${id}` } },
  });
}

function objectEventFor(id: string): string {
  const object = { key: `inbound/${id}`, size: 200 };
  const s3 = { bucket: { name: bucketName }, object };
  return JSON.stringify({ Records: [{ eventVersion: '2.1', eventSource: 'aws:s3', eventName: 'ObjectCreated:Put', s3 }] });
}

/** Nothing of Ada's is written before the gate opens; what is read of the bucket is counted. */
async function openQueue(options: Partial<SqsSourceOptions> = {}, attributes: Record<string, string> = {}) {
  const name = `fair${count++}`;
  const { QueueUrl } = await sqs.client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  const bucket = openTestBucket();
  await lookAt(bucket, ada);
  await lookAt(bucket, ben);
  const gate = Promise.withResolvers<void>();
  let reads = 0;
  const whole: string[] = [];
  const through = (store: ObjectStore): ObjectStore =>
    new Proxy(store, {
      get(target, member) {
        const value = Reflect.get(target, member, target);
        if (typeof value !== 'function') return value;
        if (member === 'putIfAbsent')
          return async (...args: Parameters<ObjectStore['putIfAbsent']>) => {
            if (args[0].includes(`/${ada}/`)) await gate.promise;
            return target.putIfAbsent(...args);
          };
        // What is known to be Ada's need not be read yet: who reads more than can be in flight waits for it as long as for her commits.
        if (member === 'get')
          return async (...args: Parameters<ObjectStore['get']>) => {
            if (args[0].startsWith('inbound/')) reads++;
            if (args[0].startsWith('inbound/slow') && whole.push(args[0]) > messagesInFlightMax) await gate.promise;
            return target.get(...args);
          };
        return (...args: unknown[]) => {
          if (member === 'head' && String(args[0]).startsWith('inbound/')) reads++;
          return value.apply(target, args);
        };
      },
    });
  const rig = await openRig({ bucket, through });
  const observe = () => {};
  const mail = new AnnouncedMail({
    store: bucket.store,
    pipeline: rig.pipeline,
    accounts: rig.node.accounts,
    directory: rig.recipients,
    clock: systemClock,
    observe,
    inboundPrefix: 'inbound/',
    bucket: { name: bucketName, prefix: '' },
    hasReceipts: true,
  });
  const source = new SqsSource({
    queue: { queueUrl: QueueUrl!, region, endpoint: sqs.server.address, credentials },
    mail,
    held: rig.pipeline.held,
    clock: systemClock,
    observe,
    waitSeconds: 1,
    ...options,
  });
  const stop = new AbortController();
  const left = () => {
    const { ready, inflight } = sqs.server.inspectQueue(name)!.messages;
    return ready.length + inflight.length;
  };
  return {
    bucket,
    source,
    gate,
    left,
    whole,
    reads: () => reads,
    run: () => source.run(stop.signal).catch(() => {}),
    stop: () => stop.abort(),
    send: (body: string) => sqs.client.send(new SendMessageCommand({ QueueUrl, MessageBody: body })),
    async sendAll(bodies: readonly string[]) {
      for (let i = 0; i < bodies.length; i += 10) {
        const Entries = bodies.slice(i, i + 10).map((MessageBody, index) => ({ Id: String(index), MessageBody }));
        await sqs.client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
      }
    },
    async put(ids: readonly string[], to: string) {
      for (const id of ids) await bucket.store.put(`inbound/${id}`, sesMessage(id, to));
    },
  };
}

const ids = (letter: string, length: number) => Array.from({ length }, (_, i) => `${letter}${i}`);
const until = (check: () => void) => vi.waitFor(check, { timeout: 30_000, interval: 20 });
const inboxOf = async (bucket: Parameters<typeof lookAt>[0], account: AccountId) => (await lookAt(bucket, account)).inbox.length;

async function deadLetters() {
  const name = `dead${count++}`;
  const { QueueUrl } = await sqs.client.send(new CreateQueueCommand({ QueueName: name }));
  const { Attributes } = await sqs.client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  return { name, policyOf: (maxReceiveCount: number) => JSON.stringify({ deadLetterTargetArn: Attributes!.QueueArn, maxReceiveCount }) };
}

describe('behind many messages of an account whose commits do not get through', () => {
  test.each([
    ['receipts', (id: string) => receiptFor(id, ['ada@example.com'])],
    ["S3's own events", objectEventFor],
  ])(
    'another account gets its mail, told by %s, and nothing is lost',
    async (_what, told) => {
      const rig = await openQueue();
      const busy = ids('a', 2_500);
      await rig.put(busy, 'ada@example.com');
      await rig.put(['b0'], 'ben@example.com');
      await rig.sendAll(busy.map(told));
      await rig.send(receiptFor('b0', ['ben@example.com']));
      const running = rig.run();
      await until(async () => expect(await inboxOf(rig.bucket, ben)).toBe(1));
      expect(await inboxOf(rig.bucket, ada)).toBe(0);
      // They wait in memory, not in the gate, nor as work.
      await until(() => expect(rig.source.waiting).toBe(busy.length - accountInFlightMax));
      rig.gate.resolve();
      await until(() => expect(rig.left()).toBe(0));
      expect(await inboxOf(rig.bucket, ada)).toBe(busy.length);
      rig.stop();
      await running;
    },
    60_000,
  );

  test("another account's mail is not behind the reads of theirs, where only the messages themselves tell whose they are", async () => {
    const rig = await openQueue();
    const busy = ids('slow', 500);
    await rig.put(busy, 'ada@example.com');
    await rig.put(['b0'], 'ben@example.com');
    await rig.sendAll(busy.map(objectEventFor));
    await rig.send(objectEventFor('b0'));
    const running = rig.run();
    await until(async () => expect(await inboxOf(rig.bucket, ben)).toBe(1));
    expect(await inboxOf(rig.bucket, ada)).toBe(0);
    await until(() => expect(rig.source.waiting).toBe(busy.length - accountInFlightMax));
    expect(rig.whole.length).toBeLessThanOrEqual(messagesInFlightMax);
    rig.gate.resolve();
    await until(() => expect(rig.left()).toBe(0));
    expect(await inboxOf(rig.bucket, ada)).toBe(busy.length);
    rig.stop();
    await running;
  }, 60_000);

  test('and of so many that not all can wait here, another account gets its mail too', async () => {
    const rig = await openQueue();
    const busy = ids('a', 5_000);
    await rig.put(['b0'], 'ben@example.com');
    await rig.put(busy.slice(0, 100), 'ada@example.com');
    await rig.sendAll(busy.map((id) => receiptFor(id, ['ada@example.com'])));
    await rig.send(receiptFor('b0', ['ben@example.com']));
    const running = rig.run();
    await until(async () => expect(await inboxOf(rig.bucket, ben)).toBe(1));
    expect(await inboxOf(rig.bucket, ada)).toBe(0);
    // Half of the room; some are worked on, and the others went back.
    await until(() => expect(rig.source.outstanding).toBeLessThan(4_300));
    rig.stop();
    await until(() => expect(rig.source.waiting).toBe(0));
    rig.gate.resolve();
    await running;
    expect(rig.left()).toBe(5_000 - (await inboxOf(rig.bucket, ada)));
  }, 60_000);

  test('what a receipt names waits without a request to the bucket', async () => {
    const rig = await openQueue();
    const busy = ids('a', 300);
    await rig.put(busy, 'ada@example.com');
    await rig.sendAll(busy.map((id) => receiptFor(id, ['ada@example.com'])));
    const running = rig.run();
    await until(() => expect(rig.source.waiting).toBe(busy.length - accountInFlightMax));
    // One HEAD and one GET for each that is worked on.
    expect(rig.reads()).toBe(accountInFlightMax * 2);
    rig.gate.resolve();
    await until(() => expect(rig.left()).toBe(0));
    rig.stop();
    await running;
  }, 60_000);

  test('a message for both is with the other at once, and comes to the busy one in the end, each once', async () => {
    const rig = await openQueue();
    const busy = ids('a', 100);
    await rig.put([...busy, 'both'], 'ada@example.com');
    await rig.sendAll(busy.map((id) => receiptFor(id, ['ada@example.com'])));
    await rig.send(receiptFor('both', ['ada@example.com', 'ben@example.com']));
    const running = rig.run();
    await until(async () => expect(await inboxOf(rig.bucket, ben)).toBe(1));
    expect(await inboxOf(rig.bucket, ada)).toBe(0);
    rig.gate.resolve();
    await until(() => expect(rig.left()).toBe(0));
    expect([await inboxOf(rig.bucket, ada), await inboxOf(rig.bucket, ben)]).toEqual([busy.length + 1, 1]);
    rig.stop();
    await running;
  }, 60_000);

  test('an event and a receipt of one object wait both, and hold up nobody', async () => {
    const rig = await openQueue();
    const busy = ids('a', 700);
    await rig.put(busy, 'ada@example.com');
    await rig.put(['b0'], 'ben@example.com');
    await rig.sendAll(busy.flatMap((id) => [objectEventFor(id), receiptFor(id, ['ada@example.com'])]));
    await rig.send(receiptFor('b0', ['ben@example.com']));
    const running = rig.run();
    await until(async () => expect(await inboxOf(rig.bucket, ben)).toBe(1));
    rig.gate.resolve();
    await until(() => expect(rig.left()).toBe(0));
    expect(await inboxOf(rig.bucket, ada)).toBe(busy.length);
    rig.stop();
    await running;
  }, 60_000);

  test('goes back what waits when the reader stops', async () => {
    const rig = await openQueue();
    await rig.put(ids('a', 60), 'ada@example.com');
    await rig.sendAll(ids('a', 60).map((id) => receiptFor(id, ['ada@example.com'])));
    const running = rig.run();
    await until(() => expect(rig.source.waiting).toBe(60 - accountInFlightMax));
    rig.stop();
    await until(() => expect(rig.source.waiting).toBe(0));
    rig.gate.resolve();
    await running;
    expect(await inboxOf(rig.bucket, ada)).toBe(accountInFlightMax);
    expect(rig.left()).toBe(60 - accountInFlightMax);
  }, 60_000);
});

describe('what finds no room', () => {
  test('goes back and comes again, and never gets to the dead letters', async () => {
    const dead = await deadLetters();
    const waitingBytesMax = waitingBytesEach * 40;
    const rig = await openQueue({ visibilityMs: 1_000, waitingBytesMax }, { RedrivePolicy: dead.policyOf(4) });
    const busy = ids('a', 300);
    await rig.put(busy, 'ada@example.com');
    await rig.put(['b0'], 'ben@example.com');
    await rig.sendAll(busy.map((id) => receiptFor(id, ['ada@example.com'])));
    await rig.send(receiptFor('b0', ['ben@example.com']));
    const running = rig.run();
    await until(async () => expect(await inboxOf(rig.bucket, ben)).toBe(1));
    // Half of the room for one account; the others were given back, and have come again, as long as they might.
    expect(rig.source.waiting).toBeGreaterThanOrEqual(20);
    await until(() => expect(rig.source.outstanding).toBe(busy.length));
    expect(rig.source.waiting).toBe(40);
    rig.gate.resolve();
    await until(() => expect(rig.left()).toBe(0));
    expect(await inboxOf(rig.bucket, ada)).toBe(busy.length);
    expect(sqs.server.inspectQueue(dead.name)!.messages.ready).toEqual([]);
    rig.stop();
    await running;
  }, 60_000);

  test.each([
    ['a busy account leaves half of the room', [['a', 10]], [['a', 5]]],
    [
      'a second one gets half of what is left',
      [
        ['a', 12],
        ['b', 12],
      ],
      [
        ['a', 5],
        ['b', 3],
      ],
    ],
  ] as const)('%s', (_what, asks, got) => {
    const room = new BusyMail(waitingBytesEach * 10);
    const entered = asks.map(([account, times]) => {
      const answers = Array.from({ length: times }, () => room.enter(account as AccountId, waitingBytesEach, false));
      return [account, answers.filter(Boolean).length];
    });
    expect(entered).toEqual(got);
  });
});
