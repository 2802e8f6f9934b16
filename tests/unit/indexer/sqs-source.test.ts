/** The reader of a queue against a local SQS: what it keeps from others, what it gives back, and what it deletes. */
import { CreateQueueCommand, GetQueueAttributesCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { describe, expect, test, vi } from 'vitest';
import type { IntakeEvent } from '../../../indexer/intake-events.ts';
import { attemptsMax } from '../../../indexer/limits.ts';
import type { InboundEvent } from '../../../indexer/ses/events.ts';
import { SqsSource } from '../../../indexer/sources/sqs.ts';
import { StorageError } from '../../../protocol/mail/errors.ts';
import { systemClock } from '../../../server/clock.ts';
import { credentials, localSqs, region } from '../../support/local-sqs.ts';
import { fixture } from './fixtures.ts';

const visibilityMs = 1_000;
const waitSeconds = 1;
const sqs = localSqs();
let count = 0;

const receipt = fixture('receipt-clean.json').toString();

async function makeQueue(attributes: Record<string, string> = {}) {
  const name = `queue${count++}`;
  const { QueueUrl } = await sqs.client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  return { name, url: QueueUrl! };
}

async function open(take: (events: readonly InboundEvent[]) => Promise<void>, attributes: Record<string, string> = {}) {
  const { name, url } = await makeQueue(attributes);
  const held: string[] = [];
  const events: IntakeEvent[] = [];
  const taken: number[] = [];
  const read = (keptMs = visibilityMs) => {
    const source = new SqsSource({
      queue: { queueUrl: url, region, endpoint: sqs.server.address, credentials },
      mail: {
        async take(news) {
          taken.push(news.length);
          await take(news);
          return 'done';
        },
      },
      held: {
        async hold(heldAs, message) {
          held.push('bytes' in message ? Buffer.from(message.bytes).toString() : '');
          return heldAs;
        },
      },
      clock: systemClock,
      observe: (event) => events.push(event),
      waitSeconds,
      visibilityMs: keptMs,
      hiddenMsMax: keptMs,
    });
    const stop = new AbortController();
    const done = source.run(stop.signal).catch(() => {});
    return {
      source,
      async stop() {
        stop.abort();
        await done;
        source[Symbol.dispose]();
      },
    };
  };
  return {
    url,
    held,
    events,
    taken,
    read,
    send: (body: string) => sqs.client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body })),
    left: () => {
      const { ready, inflight } = sqs.server.inspectQueue(name)!.messages;
      return { ready: ready.length, inFlight: inflight.length };
    },
    /** By another reader of the queue, which does not wait. */
    async receive() {
      const { Messages = [] } = await sqs.client.send(
        new ReceiveMessageCommand({ QueueUrl: url, VisibilityTimeout: 30, MessageSystemAttributeNames: ['ApproximateReceiveCount'] }),
      );
      return Messages.map(({ Attributes }) => Number(Attributes?.ApproximateReceiveCount));
    },
  };
}

const until = (check: () => void) => vi.waitFor(check, { timeout: 15_000, interval: 20 });
const sleep = (ms: number) => systemClock.sleep(ms);

// Each has a queue of its own, and waits most of the time.
describe.concurrent('a message', () => {
  test('is deleted when it is taken in, not before', async () => {
    const gate = Promise.withResolvers<void>();
    const { read, send, left, taken } = await open(() => gate.promise);
    await send(receipt);
    const reader = read();
    await until(() => expect(taken).toEqual([1]));
    expect(left()).toEqual({ ready: 0, inFlight: 1 });
    gate.resolve();
    await until(() => expect(left()).toEqual({ ready: 0, inFlight: 0 }));
    await reader.stop();
  });

  test('that takes longer than it is kept from others is kept for longer: nobody else sees it', async () => {
    const gate = Promise.withResolvers<void>();
    const { read, send, receive, left, taken } = await open(() => gate.promise);
    await send(receipt);
    const reader = read(3_000);
    await until(() => expect(taken).toHaveLength(1));
    const startedAt = systemClock.monotonic();
    while (systemClock.monotonic() - startedAt < 7_500) {
      expect(await receive()).toEqual([]);
      await sleep(100);
    }
    expect(taken).toHaveLength(1);
    gate.resolve();
    await until(() => expect(left()).toEqual({ ready: 0, inFlight: 0 }));
    await reader.stop();
  });

  test('goes back at once when the reader stops, to be read by another', async () => {
    const gate = Promise.withResolvers<void>();
    const { read, send, receive, taken } = await open(() => gate.promise);
    await send(receipt);
    const reader = read(30_000);
    await until(() => expect(taken).toHaveLength(1));
    const stopped = reader.stop();
    // The local SQS does not notice that the request which waits was given up, and would answer it.
    await sleep(waitSeconds * 1000 + 100);
    gate.reject(new StorageError('unavailable', 'away'));
    await stopped;
    expect(await receive()).toEqual([2]);
  });

  test('waits here while the store is away: it is not returned, and so does not go towards the dead letters', async () => {
    let isAway = true;
    const { read, send, left, events } = await open(
      async () => {
        if (isAway) throw new StorageError('unavailable', 'away');
      },
      { ...(await deadLetters()).policy },
    );
    await send(receipt);
    const reader = read(3_000);
    await until(() => expect(events.filter(({ kind }) => kind === 'postponed').length).toBeGreaterThan(2));
    isAway = false;
    await until(() => expect(left()).toEqual({ ready: 0, inFlight: 0 }));
    await reader.stop();
  });

  test.each([
    ['makes us fail', new Error('planted')],
    ['is for an account whose log is damaged', new StorageError('corrupt', 'planted')],
  ])('that %s comes again, and then goes to the dead letters of the queue', async (_what, error) => {
    const dead = await deadLetters();
    const { read, send, left, taken, events, held } = await open(() => Promise.reject(error), { ...dead.policy });
    await send(receipt);
    const reader = read();
    await until(() => expect(sqs.server.inspectQueue(dead.name)!.messages.ready).toHaveLength(1));
    expect(left()).toEqual({ ready: 0, inFlight: 0 });
    expect(taken).toHaveLength(2);
    expect(events.map(({ kind }) => kind)).toEqual(['faulted', 'faulted']);
    expect(held).toEqual([]);
    await reader.stop();
  });

  test('that makes us fail in a queue without dead letters is kept under failed/ in the end', async () => {
    const { read, send, left, taken, held } = await open(() => Promise.reject(new Error('planted')));
    await send(receipt);
    const reader = read();
    await until(() => expect(held).toEqual([receipt]));
    await until(() => expect(left()).toEqual({ ready: 0, inFlight: 0 }));
    // As often as it may have gone back for a busy account, and twice as often as a fault is tried.
    expect(taken).toHaveLength(attemptsMax * 3);
    await reader.stop();
  });

  test.each([
    ['no JSON', 'neither JSON nor mail'],
    ['no event that we know', '{"hello":1}'],
    ['cut in the middle', receipt.slice(0, 200)],
  ])('that is %s is kept under failed/ at once, and deleted', async (_what, body) => {
    const { read, send, left, held, events } = await open(async () => {});
    await send(body);
    const reader = read();
    await until(() => expect(left()).toEqual({ ready: 0, inFlight: 0 }));
    expect(held).toEqual([body]);
    expect(events.map(({ kind }) => kind)).toEqual(['refused', 'held']);
    await reader.stop();
  });
});

describe.concurrent('that the queue was found empty', () => {
  test('is said only when whatever a reader that died had in hand must have come back', async () => {
    const { read, send, receive, taken } = await open(async () => {});
    await send(receipt);
    // Somebody else takes it and dies: for as long as he was given it is unseen, and the queue looks empty.
    const startedAt = systemClock.now();
    expect(await receive()).toEqual([1]);
    const reader = read(3_000);
    await until(() => expect(reader.source.emptyAt).toBeDefined());
    expect(systemClock.now() - startedAt).toBeGreaterThanOrEqual(3_000);
    expect(taken).toEqual([]);
    await reader.stop();
  });

  test('is not said of a queue in which a message hides that made us fail', async () => {
    let isFailing = false;
    const { read, send, taken } = await open(async () => {
      if (isFailing) throw new Error('planted');
    });
    const reader = read(4_000);
    await until(() => expect(reader.source.emptyAt).toBeDefined());
    isFailing = true;
    await send(receipt);
    await until(() => expect(taken).toHaveLength(1));
    const before = reader.source.emptyAt;
    // Two requests and more find nothing meanwhile.
    await sleep(2_500);
    expect(reader.source.emptyAt).toBe(before);
    expect(taken).toHaveLength(1);
    await reader.stop();
  });
});

async function deadLetters() {
  const { name, url } = await makeQueue();
  const { Attributes } = await sqs.client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }));
  const policy = { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: Attributes!.QueueArn, maxReceiveCount: 2 }) };
  return { name, policy };
}
