/**
 * Events of new mail by SQS: S3's own, SES's receipts by SNS (with and without raw delivery), EventBridge's. Whoever may send to the queue is
 * believed: its policy says who that is.
 *
 * A message is deleted when all that it announces is in the store, not before. While it is worked on it is kept from the other readers of the
 * queue; while the store is away it is tried again here, since each return to the queue counts towards the dead-letter queue. What cannot be
 * read is kept under failed/ and then deleted, so that an administrator sees it. On shutdown what is not done goes back at once.
 */
import { hash } from 'node:crypto';
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import type { Clock } from '../../storage/clock.ts';
import type { HeldMail } from '../held-mail.ts';
import type { IntakeObserver } from '../intake-events.ts';
import {
  attemptsMax,
  queueBackoffMsMax,
  queueBackoffMsMin,
  queueOutstandingMax,
  queueReadersMax,
  queueVisibilityMs,
  queueWaitSeconds,
} from '../limits.ts';
import { decodeEvents, type InboundEvent } from '../ses/events.ts';
import { type AnnouncedMail, isAway } from './announced.ts';

/** What SQS takes in one request. */
const batchMax = 10;

export interface QueueAddress {
  readonly queueUrl: string;
  readonly region?: string;
  /** Of an SQS service other than AWS. */
  readonly endpoint?: string;
  /** Default: the SDK's chain. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export interface SqsSourceOptions {
  readonly queue: QueueAddress;
  readonly mail: Pick<AnnouncedMail, 'take'>;
  readonly held: Pick<HeldMail, 'hold'>;
  readonly clock: Clock;
  readonly observe: IntakeObserver;
  /** Default: the limits'. Tests take less. */
  readonly waitSeconds?: number;
  readonly visibilityMs?: number;
}

/** A message of the queue that is being worked on. */
interface Outstanding {
  readonly id: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly receiveCount: number;
}

export class SqsSource implements Disposable {
  readonly #options: SqsSourceOptions;
  readonly #client: SQSClient;
  readonly #outstanding = new Map<string, Outstanding>();
  readonly #work = new Set<Promise<void>>();
  readonly #deleter: Batches<Outstanding>;
  readonly #visibilityMs: number;
  #readers = 0;
  #freed = Promise.withResolvers<void>();
  #emptyAt: number | undefined;
  /** Until then messages may be hidden that a reader which died had in hand, or that made us fail: the queue looks emptier than it is. */
  #hiddenUntil: number | undefined;

  constructor(options: SqsSourceOptions) {
    this.#options = options;
    const { region, endpoint, credentials } = options.queue;
    this.#client = new SQSClient({ ...(region && { region }), ...(endpoint && { endpoint }), ...(credentials && { credentials }) });
    this.#visibilityMs = options.visibilityMs ?? queueVisibilityMs;
    this.#deleter = new Batches((messages) => this.#delete(messages));
  }

  /** Messages received and not done with. */
  get outstanding(): number {
    return this.#outstanding.size;
  }

  /**
   * When the queue was last found empty, by our clock; undefined when not yet. What another reader has in hand is unseen for as long as it is kept from
   * us: so this lies that long back, and says nothing before we have read for that long, however old what is hidden may be.
   */
  get emptyAt(): number | undefined {
    return this.#emptyAt;
  }

  /** Reads until the signal is given. Rejects when the queue cannot be read; what was received goes on, and run() may be called again. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const both = AbortSignal.any([signal, ended.signal]);
    const extending = this.#extend(both);
    try {
      while (!signal.aborted) await this.#read(signal, this.#options.waitSeconds ?? queueWaitSeconds);
    } finally {
      if (signal.aborted) {
        await Promise.allSettled(this.#work);
        await this.#changeVisibility([...this.#outstanding.values()], 0).catch(() => {});
        this.#outstanding.clear();
      }
      ended.abort();
      await extending;
    }
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }

  /** One request. A full answer means that more wait: others are sent beside this one then, each until an answer is not full. */
  async #read(signal: AbortSignal, waitSeconds: number): Promise<number> {
    while (this.#outstanding.size > queueOutstandingMax - batchMax) await this.#room(signal);
    const { clock, queue } = this.#options;
    const sentAt = clock.now();
    this.#hiddenUntil ??= sentAt + this.#visibilityMs;
    const answer = await this.#client.send(
      new ReceiveMessageCommand({
        QueueUrl: queue.queueUrl,
        MaxNumberOfMessages: batchMax,
        WaitTimeSeconds: waitSeconds,
        VisibilityTimeout: Math.ceil(this.#visibilityMs / 1000),
        MessageSystemAttributeNames: ['ApproximateReceiveCount'],
      }),
      { abortSignal: signal },
    );
    const messages = answer.Messages ?? [];
    // Only a request that waits asks all of the queue's servers.
    const isEmpty = messages.length === 0 && this.#outstanding.size === 0 && waitSeconds > 0;
    if (isEmpty && sentAt >= this.#hiddenUntil) this.#emptyAt = sentAt - this.#visibilityMs;
    for (const message of messages) this.#begin(message, signal);
    if (messages.length === batchMax && this.#readers < queueReadersMax - 1) this.#readBeside(signal);
    return messages.length;
  }

  #readBeside(signal: AbortSignal): void {
    this.#readers++;
    const readAll = async () => {
      while (!signal.aborted && (await this.#read(signal, 0)) === batchMax);
    };
    // The first reader meets the same fault, and reports it.
    void readAll()
      .catch(() => {})
      .finally(() => this.#readers--);
  }

  #begin(message: Message, signal: AbortSignal): void {
    const { MessageId: id = '', ReceiptHandle: receiptHandle = '', Body: body = '', Attributes } = message;
    const outstanding = { id, receiptHandle, body, receiveCount: Number(Attributes?.ApproximateReceiveCount ?? 1) };
    // Received again: the later handle is the one that deletes, and the work goes on as it is.
    const isUnderWay = this.#outstanding.has(id);
    this.#outstanding.set(id, outstanding);
    if (isUnderWay) return;
    const work = this.#handle(outstanding, signal).finally(() => {
      this.#work.delete(work);
      this.#freed.resolve();
      this.#freed = Promise.withResolvers<void>();
    });
    this.#work.add(work);
  }

  async #handle(message: Outstanding, signal: AbortSignal): Promise<void> {
    const { clock, observe } = this.#options;
    let waitMs = queueBackoffMsMin;
    while (!signal.aborted) {
      try {
        await this.#take(message);
        await this.#deleter.add(this.#outstanding.get(message.id) ?? message);
        this.#outstanding.delete(message.id);
        return;
      } catch (error) {
        if (!isAway(error)) {
          observe({ kind: 'faulted', attempt: message.receiveCount, error });
          // Left to come again, when the time that it is kept for us is over.
          this.#hiddenUntil = clock.now() + this.#visibilityMs;
          this.#outstanding.delete(message.id);
          return;
        }
        observe({ kind: 'postponed', error });
        await clock.sleep(waitMs, signal).catch(() => {});
        waitMs = Math.min(waitMs * 2, queueBackoffMsMax);
      }
    }
  }

  async #take(message: Outstanding): Promise<void> {
    const { mail, observe } = this.#options;
    if (message.receiveCount > attemptsMax * 2) {
      await this.#hold(message, `It came ${message.receiveCount} times, and was never done with.`);
      return;
    }
    const events = decodeEvents(message.body);
    for (const event of events) {
      // Subscriptions to a queue are confirmed by whoever makes them.
      if (event.kind === 'subscription')
        observe({ kind: 'refused', reason: `A queue cannot confirm the subscription to ${event.topicArn}.` });
    }
    const malformed = events.find((event) => event.kind === 'malformed');
    await mail.take(events.filter(isNews));
    if (malformed?.kind === 'malformed') {
      observe({ kind: 'refused', reason: `The event cannot be read: ${malformed.reason}.` });
      await this.#hold(message, `It is no event that we know: ${malformed.reason}.`);
    }
  }

  /** The message of the queue itself, where an administrator finds it. */
  async #hold({ body }: Outstanding, detail: string): Promise<void> {
    const { clock, held, observe } = this.#options;
    const now = new Date(clock.now()).toISOString();
    const bytes = Buffer.from(body);
    const sha256 = hash('sha256', bytes);
    const reason = 'event';
    const name = await held.hold(
      `event-${sha256.slice(0, 32)}`,
      { bytes },
      {
        version: 1,
        kind: 'failed',
        reason,
        detail,
        recipients: [],
        deliveredTo: [],
        octets: bytes.length,
        sha256,
        receivedAt: now,
        heldAt: now,
      },
    );
    observe({ kind: 'held', octets: bytes.length, name, reason, recipients: [] });
  }

  async #delete(messages: readonly Outstanding[]): Promise<void> {
    const entries = messages.map(({ receiptHandle }, index) => ({ Id: String(index), ReceiptHandle: receiptHandle }));
    try {
      await this.#client.send(new DeleteMessageBatchCommand({ QueueUrl: this.#options.queue.queueUrl, Entries: entries }));
    } catch (error) {
      // It comes again, and is found to be taken in.
      this.#options.observe({ kind: 'postponed', error });
    }
  }

  /** Keeps what is being worked on from the queue's other readers. */
  async #extend(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(this.#visibilityMs / 3, signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.#changeVisibility([...this.#outstanding.values()], Math.ceil(this.#visibilityMs / 1000));
      } catch (error) {
        this.#options.observe({ kind: 'postponed', error });
      }
    }
  }

  async #changeVisibility(messages: readonly Outstanding[], seconds: number): Promise<void> {
    for (let i = 0; i < messages.length; i += batchMax) {
      const Entries = messages.slice(i, i + batchMax).map(({ receiptHandle }, index) => ({
        Id: String(index),
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: seconds,
      }));
      await this.#client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: this.#options.queue.queueUrl, Entries }));
    }
  }

  #room(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    return Promise.race([this.#freed.promise, aborted.promise]).finally(() => signal.removeEventListener('abort', onAbort));
  }
}

function isNews(event: InboundEvent): boolean {
  return event.kind === 'object' || event.kind === 'receipt' || event.kind === 'feedback';
}

/** Gathers what comes while the requests before are under way, so that a spike needs few. */
class Batches<T> {
  readonly #send: (items: readonly T[]) => Promise<void>;
  #gathering: { readonly items: T[]; done: Promise<void> } | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(send: (items: readonly T[]) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when the request that has the item is done. */
  add(item: T): Promise<void> {
    if (this.#gathering === undefined || this.#gathering.items.length >= batchMax) {
      const items: T[] = [];
      const batch = { items, done: Promise.resolve() };
      batch.done = this.#last.then(() => {
        if (this.#gathering === batch) this.#gathering = undefined;
        return this.#send(items);
      });
      this.#gathering = batch;
      this.#last = batch.done.catch(() => {});
    }
    this.#gathering.items.push(item);
    return this.#gathering.done;
  }
}
