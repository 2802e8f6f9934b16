/**
 * Events of new mail by SQS: S3's own, SES's receipts by SNS (with and without raw delivery), EventBridge's. Whoever may send to the queue is
 * believed: its policy says who that is.
 *
 * A message is deleted when all that it announces is in the store, not before. While it is worked on it is kept from the other readers of the
 * queue; while the store is away it is tried again here, since each return to the queue counts towards the dead-letter queue. What cannot be
 * read is kept under failed/ and then deleted, so that an administrator sees it. On shutdown what is not done goes back at once.
 *
 * Mail for a busy account waits here and holds up nobody; what finds no room goes back, hidden for a while, and reading goes on. It goes back so few
 * times that it does not get near the dead letters; then it waits, and reading with it.
 */
import { hash } from 'node:crypto';
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import type { Clock } from '../../storage/clock.ts';
import type { HeldMail } from '../held-mail.ts';
import type { IntakeObserver } from '../intake-events.ts';
import {
  attemptsMax,
  hiddenMsMax,
  queueBackoffMsMax,
  queueBackoffMsMin,
  queueOutstandingMax,
  queueReadersMax,
  queueVisibilityMs,
  queueWaitSeconds,
  returnedMax,
  returnedStep,
  returnsMax,
  waitingBytesEach,
  waitingVisibilityFactor,
} from '../limits.ts';
import type { WaitingRoom } from '../pipeline-types.ts';
import { decodeEvents, type InboundEvent } from '../ses/events.ts';
import { type AnnouncedMail, isAway } from './announced.ts';
import { BusyMail } from './busy-mail.ts';

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
  readonly waitingBytesMax?: number;
  readonly hiddenMsMax?: number;
}

/** A message of the queue that is being worked on. */
interface Outstanding {
  readonly id: string;
  readonly receiptHandle: string;
  readonly receiveCount: number;
  /** Monotonic milliseconds until which it is kept from other readers. */
  keptUntil: number;
}

/** What is in a message: its text is kept only where it may be needed. */
interface Content {
  readonly events: readonly InboundEvent[];
  /** To be held, and why. */
  readonly unread?: { readonly body: string; readonly detail: string };
  readonly bytes: number;
}

export class SqsSource implements Disposable {
  readonly #options: SqsSourceOptions;
  readonly #client: SQSClient;
  readonly #outstanding = new Map<string, Outstanding>();
  /** Those of them that wait for busy accounts, each with how many of its events do. */
  readonly #waiting = new Map<string, number>();
  readonly #busyMail: BusyMail;
  /** When messages that went back come again (monotonic), oldest first. */
  readonly #returned: number[] = [];
  #returnsMax = returnsMax;
  readonly #work = new Set<Promise<void>>();
  readonly #deleter: Batches<Outstanding>;
  readonly #returner: Batches<Outstanding>;
  readonly #visibilityMs: number;
  /** For which whoever reads this queue as we do may hide a message from us. */
  readonly #hiddenMsMax: number;
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
    this.#hiddenMsMax = options.hiddenMsMax ?? hiddenMsMax;
    this.#busyMail = new BusyMail(options.waitingBytesMax);
    this.#deleter = new Batches((messages) => this.#delete(messages));
    this.#returner = new Batches((messages) => this.#changeVisibility(messages, this.#returnSeconds()));
  }

  /** Messages received and not done with. */
  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** Those of them that wait for a busy account. */
  get waiting(): number {
    return this.#waiting.size;
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
      await this.#learnReturns(signal);
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
    while (this.#outstanding.size - this.#waiting.size > queueOutstandingMax - batchMax) await this.#room(signal);
    const { clock, queue } = this.#options;
    const sentAt = clock.now();
    this.#hiddenUntil ??= sentAt + this.#hiddenMsMax;
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
    if (isEmpty && sentAt >= this.#hiddenUntil) this.#emptyAt = sentAt - this.#hiddenMsMax;
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
    const keptUntil = this.#options.clock.monotonic() + this.#visibilityMs;
    const outstanding = { id, receiptHandle, receiveCount: Number(Attributes?.ApproximateReceiveCount ?? 1), keptUntil };
    // Received again: the later handle is the one that deletes, and the work goes on as it is.
    const isUnderWay = this.#outstanding.has(id);
    this.#outstanding.set(id, outstanding);
    if (isUnderWay) return;
    const work = this.#handle(outstanding, this.#contentOf(body, outstanding.receiveCount), signal).finally(() => {
      this.#work.delete(work);
      this.#tellRoom();
    });
    this.#work.add(work);
  }

  #contentOf(body: string, receiveCount: number): Content {
    if (receiveCount > attemptsMax * 2 + this.#returnsMax) {
      return { events: [], unread: { body, detail: `It came ${receiveCount} times, and was never done with.` }, bytes: body.length };
    }
    const all = decodeEvents(body);
    for (const event of all) {
      // Subscriptions to a queue are confirmed by whoever makes them.
      if (event.kind === 'subscription')
        this.#options.observe({ kind: 'refused', reason: `A queue cannot confirm the subscription to ${event.topicArn}.` });
    }
    const events = all.filter(isNews);
    const malformed = all.find((event) => event.kind === 'malformed');
    const carried = events.reduce((sum, event) => sum + (event.kind === 'receipt' ? (event.content?.length ?? 0) : 0), 0);
    if (malformed === undefined) return { events, bytes: waitingBytesEach + carried };
    this.#options.observe({ kind: 'refused', reason: `The event cannot be read: ${malformed.reason}.` });
    const detail = `It is no event that we know: ${malformed.reason}.`;
    return { events, unread: { body, detail }, bytes: waitingBytesEach + carried + body.length };
  }

  async #handle(message: Outstanding, content: Content, signal: AbortSignal): Promise<void> {
    const { clock, observe, mail, queue } = this.#options;
    const waitingRoom = this.#waitingRoomFor(message, content, signal);
    let waitMs = queueBackoffMsMin;
    while (!signal.aborted) {
      try {
        const isDone = content.events.length === 0 || (await mail.take(content.events, queue.queueUrl, waitingRoom)) === 'done';
        // What ended its waiting gives it back below.
        if (signal.aborted && !isDone) return;
        if (isDone && content.unread) await this.#hold(content.unread.body, content.unread.detail);
        if (isDone) await this.#deleter.add(this.#latest(message));
        else await this.#return(this.#latest(message));
        this.#outstanding.delete(message.id);
        return;
      } catch (error) {
        if (!isAway(error)) {
          observe({ kind: 'faulted', attempt: message.receiveCount, error });
          // Left to come again, when the time that it is kept for us is over.
          this.#hiddenUntil = clock.now() + this.#hiddenMsMax;
          this.#outstanding.delete(message.id);
          return;
        }
        observe({ kind: 'postponed', error });
        await clock.sleep(waitMs, signal).catch(() => {});
        waitMs = Math.min(waitMs * 2, queueBackoffMsMax);
      }
    }
  }

  /** It may have been received again meanwhile, with a handle that outranks the first. */
  #latest(message: Outstanding): Outstanding {
    return this.#outstanding.get(message.id) ?? message;
  }

  #waitingRoomFor(message: Outstanding, { bytes }: Content, signal: AbortSignal): WaitingRoom {
    return {
      signal,
      enter: (account) => {
        const mayReturn = this.#latest(message).receiveCount <= this.#returnsMax && this.#hidden() < returnedMax;
        // What may not go back waits without room, and counts among what is being worked on.
        if (!this.#busyMail.enter(account, bytes, !mayReturn)) return mayReturn ? undefined : () => {};
        this.#waiting.set(message.id, (this.#waiting.get(message.id) ?? 0) + 1);
        this.#tellRoom();
        return () => {
          this.#busyMail.leave(account, bytes);
          const left = this.#waiting.get(message.id)! - 1;
          if (left > 0) this.#waiting.set(message.id, left);
          else this.#waiting.delete(message.id);
        };
      },
    };
  }

  async #return(message: Outstanding): Promise<void> {
    const ms = this.#returnSeconds() * 1000;
    const { clock } = this.#options;
    this.#returned.push(clock.monotonic() + ms);
    this.#hiddenUntil = Math.max(this.#hiddenUntil ?? 0, clock.now() + ms);
    await this.#returner.add(message);
  }

  /** The more have gone back, the longer: they come again in the order in which there will be room. */
  #returnSeconds(): number {
    return Math.ceil(Math.min(this.#visibilityMs * (1 + Math.floor(this.#hidden() / returnedStep)), this.#hiddenMsMax) / 1000);
  }

  /** Messages that went back and have not come again yet. */
  #hidden(): number {
    const now = this.#options.clock.monotonic();
    while (this.#returned.length > 0 && this.#returned[0]! <= now) this.#returned.shift();
    return this.#returned.length;
  }

  /** How often a message may go back and still be tried as often as a fault needs. */
  async #learnReturns(signal: AbortSignal): Promise<void> {
    try {
      const { Attributes } = await this.#client.send(
        new GetQueueAttributesCommand({ QueueUrl: this.#options.queue.queueUrl, AttributeNames: ['RedrivePolicy'] }),
        { abortSignal: signal },
      );
      const policy: unknown = Attributes?.RedrivePolicy === undefined ? undefined : JSON.parse(Attributes.RedrivePolicy);
      const receives =
        typeof policy === 'object' && policy !== null && 'maxReceiveCount' in policy ? Number(policy.maxReceiveCount) : undefined;
      this.#returnsMax = receives === undefined ? attemptsMax : Math.max(0, receives - attemptsMax);
    } catch {
      // Whoever runs us need not let us ask.
    }
  }

  #tellRoom(): void {
    this.#freed.resolve();
    this.#freed = Promise.withResolvers<void>();
  }

  /** The message of the queue itself, where an administrator finds it. */
  async #hold(body: string, detail: string): Promise<void> {
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

  /** Keeps what is in hand from the queue's other readers. */
  async #extend(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(this.#visibilityMs / 3, signal).catch(() => {});
      if (signal.aborted) return;
      const now = clock.monotonic();
      const due = [...this.#outstanding.values()].filter(({ keptUntil }) => keptUntil - now <= (this.#visibilityMs * 2) / 3 + 1);
      const [waiting, worked] = [due.filter(({ id }) => this.#waiting.has(id)), due.filter(({ id }) => !this.#waiting.has(id))];
      try {
        await this.#keep(worked, this.#visibilityMs);
        await this.#keep(waiting, Math.min(this.#visibilityMs * waitingVisibilityFactor, this.#hiddenMsMax));
      } catch (error) {
        this.#options.observe({ kind: 'postponed', error });
      }
    }
  }

  async #keep(messages: readonly Outstanding[], ms: number): Promise<void> {
    for (let i = 0; i < messages.length; i += batchMax) {
      const batch = messages.slice(i, i + batchMax);
      const now = this.#options.clock.monotonic();
      await this.#changeVisibility(batch, Math.ceil(ms / 1000));
      for (const message of batch) message.keptUntil = now + ms;
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
