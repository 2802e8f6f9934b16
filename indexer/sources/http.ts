/**
 * Events of new mail by HTTP POST: SNS, which signs what it sends; and whoever shows our token: S3's events through a forwarder or EventBridge,
 * MinIO's webhook, a Lambda. What is not let in is refused with a reason, and told to the observer.
 *
 * SNS tries again after 5xx and gives up after any other refusal, so only what may yet succeed gets one. 200 comes when the mail is in the store.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../../storage/clock.ts';
import type { IntakeObserver } from '../intake-events.ts';
import { eventBytesMax, replayWindowMs, seenMessagesMax } from '../limits.ts';
import { decodeEvents, type InboundEvent, type SubscriptionEvent } from '../ses/events.ts';
import type { AnnouncedMail } from './announced.ts';
import { type FetchText, isSnsUrl, type SnsMessage, SnsVerifier } from './sns-signature.ts';

export interface HttpSourceOptions {
  readonly mail: Pick<AnnouncedMail, 'take'>;
  /** SNS topics that are believed. */
  readonly topicArns: readonly string[];
  /** What all others show. Undefined: they are refused. */
  readonly token: string | undefined;
  readonly fetchText: FetchText;
  readonly clock: Clock;
  readonly observe: IntakeObserver;
}

export interface HttpEvent {
  /** Of the Authorization header. */
  readonly authorization: string | undefined;
  readonly body: string;
}

export interface HttpAnswer {
  readonly status: 200 | 400 | 401 | 403 | 413 | 503;
  /** For the sender. */
  readonly message: string;
}

export class HttpSource {
  readonly #options: HttpSourceOptions;
  readonly #verifier: SnsVerifier;
  /** MessageIds of SNS that were taken in: SNS says things twice. Oldest first. */
  readonly #seen = new Set<string>();

  constructor(options: HttpSourceOptions) {
    this.#options = options;
    this.#verifier = new SnsVerifier(options.fetchText);
  }

  /** Never rejects for what the sender or the store does. */
  async receive(event: HttpEvent): Promise<HttpAnswer> {
    try {
      const answer = await this.#receive(event);
      return answer.status === 200 ? answer : this.refuse(answer.status, answer.message);
    } catch (error) {
      if (!(error instanceof StorageError) && !(error instanceof NotNowError)) throw error;
      this.#options.observe({ kind: 'postponed', error });
      return { status: 503, message: 'Not now. Send it again.' };
    }
  }

  /** What never became an event, such as a body that is too large to be read. */
  refuse(status: HttpAnswer['status'], reason: string): HttpAnswer {
    this.#options.observe({ kind: 'refused', reason });
    return { status, message: reason };
  }

  async #receive({ authorization, body }: HttpEvent): Promise<HttpAnswer> {
    if (Buffer.byteLength(body) > eventBytesMax) return { status: 413, message: `The event is larger than ${eventBytesMax} bytes.` };
    const sns = snsMessage(body);
    if (sns !== undefined) return this.#receiveSns(sns, body);
    const refusal = this.#refuseToken(authorization);
    return refusal ?? this.#take(decodeEvents(body));
  }

  #refuseToken(authorization: string | undefined): HttpAnswer | undefined {
    const { token } = this.#options;
    if (token === undefined) return { status: 401, message: 'Only SNS may post here: inbound.http.token is not set.' };
    // MinIO sends its token as it was configured, with or without the scheme.
    const shown = (authorization ?? '').replace(/^Bearer +/i, '');
    if (timingSafeEqual(hash('sha256', shown, 'buffer'), hash('sha256', token, 'buffer'))) return undefined;
    return { status: 401, message: 'The bearer token is missing or wrong.' };
  }

  async #receiveSns(message: SnsMessage, body: string): Promise<HttpAnswer> {
    const { topicArns, clock } = this.#options;
    if (!topicArns.includes(message.TopicArn))
      return { status: 403, message: `The topic ${quote(message.TopicArn)} is not in inbound.http.topicArns.` };
    const fault = await notNow(this.#verifier.fault(message), 'The certificate of SNS cannot be fetched.');
    if (fault !== undefined) return { status: 403, message: `The SNS message is refused: ${fault}.` };
    const ageMs = clock.now() - Date.parse(String(message['Timestamp']));
    if (!(Math.abs(ageMs) <= replayWindowMs))
      return { status: 403, message: 'The SNS message is refused: it is too old, or from the future.' };
    const messageId = String(message['MessageId']);
    if (this.#seen.has(messageId)) return { status: 200, message: 'Known already.' };
    const answer = await this.#take(decodeEvents(body));
    if (answer.status === 200) this.#remember(messageId);
    return answer;
  }

  #remember(messageId: string): void {
    this.#seen.add(messageId);
    if (this.#seen.size > seenMessagesMax) for (const oldest of this.#seen.values().take(1)) this.#seen.delete(oldest);
  }

  async #take(events: readonly InboundEvent[]): Promise<HttpAnswer> {
    for (const event of events) if (event.kind === 'subscription') await this.#subscription(event);
    await this.#options.mail.take(events, 'http');
    const malformed = events.find((event) => event.kind === 'malformed');
    if (malformed !== undefined) return { status: 400, message: `The event cannot be read: ${malformed.reason}.` };
    return { status: 200, message: 'Taken.' };
  }

  async #subscription({ change, topicArn, subscribeUrl }: SubscriptionEvent): Promise<void> {
    const { observe, fetchText } = this.#options;
    // Only SNS itself is asked, whoever sent this.
    if (change === 'confirm' && isSnsUrl(subscribeUrl, topicArn)) {
      await notNow(fetchText(subscribeUrl), 'SNS does not take the confirmation.');
      observe({ kind: 'subscription', topicArn, change: 'confirmed' });
    } else if (change === 'ended') observe({ kind: 'subscription', topicArn, change });
    else observe({ kind: 'refused', reason: 'The subscription is not confirmed: its address does not lie with SNS.' });
  }
}

/** Others than the store are away. */
class NotNowError extends Error {}

function notNow<T>(asked: Promise<T>, sentence: string): Promise<T> {
  return asked.catch((error: unknown) => {
    throw new NotNowError(sentence, { cause: error });
  });
}

/** Undefined for what is not shaped as SNS's own. */
function snsMessage(body: string): SnsMessage | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const isSns = typeof value === 'object' && value !== null && 'Type' in value && 'TopicArn' in value;
    return isSns && typeof value.Type === 'string' && typeof value.TopicArn === 'string' ? (value as SnsMessage) : undefined;
  } catch {
    return undefined;
  }
}

const quote = (text: string) => JSON.stringify(text.slice(0, 300));
