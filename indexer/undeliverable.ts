/**
 * What becomes of mail from the bucket for somebody who is not here, by configuration: it is held (failed/), or held in quarantine, or goes to one
 * account for all, or its sender is told by a bounce. SES has accepted such mail already, so a bounce is a message of its own: only to a sender who is
 * proven, never for spam, a virus or a failure of SPF or DMARC, nor to programs and lists, and not when the message is old; what may not be
 * bounced is held.
 */
import type { AccountId } from '../protocol/mail/ids.ts';
import type { Clock } from '../storage/clock.ts';
import type { Entry } from './pipeline-types.ts';
import type { RecipientDirectory, Route } from './routing.ts';
import { mayBounce, type ServiceMail } from './rules/service-mail.ts';
import type { ScanResults } from './ses/header-block.ts';

export interface UndeliverablePolicy {
  readonly action: 'hold' | 'quarantine' | 'bounce' | 'deliver';
  /** With `deliver`: whose the mail is then. */
  readonly deliverTo?: string;
  /** With `bounce`: messages older than this are held. */
  readonly bounceHours: number;
}

export interface UndeliverableMessage {
  readonly key: string;
  readonly envelopeFrom: string | undefined;
  /** Nothing where nobody whom we trust has looked. */
  readonly results: ScanResults;
  readonly receivedAt: number;
  readonly bytes: Buffer;
}

export function undeliverableOf({ bytes, receivedAt, arrival }: Pick<Entry, 'bytes' | 'receivedAt' | 'arrival'>): UndeliverableMessage {
  const { envelopeFrom, evidence, ingestKey } = arrival;
  return { key: ingestKey, envelopeFrom, results: evidence.isProven ? evidence.results : {}, receivedAt, bytes };
}

export interface Settled {
  readonly route: Route;
  /** Whose sender was told. */
  readonly bounced: readonly string[];
}

/** For the sender. */
export const rejection = 'The message is refused by policy';

export class Undeliverable {
  readonly #policy: UndeliverablePolicy;
  readonly #directory: RecipientDirectory;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #mail: Pick<ServiceMail, 'bounce'>;

  constructor(
    policy: UndeliverablePolicy,
    ports: { directory: RecipientDirectory; clock: Pick<Clock, 'now'>; mail: Pick<ServiceMail, 'bounce'> },
  ) {
    this.#policy = policy;
    this.#directory = ports.directory;
    this.#clock = ports.clock;
    this.#mail = ports.mail;
  }

  get heldAs(): 'failed' | 'quarantine' {
    return this.#policy.action === 'quarantine' ? 'quarantine' : 'failed';
  }

  /** The route with what is still unknown. Asked again for the same message it bounces nothing twice. Rejects with StorageError. */
  async settle(message: UndeliverableMessage, route: Route): Promise<Settled> {
    const { unknown } = route;
    if (unknown.length === 0) return { route, bounced: [] };
    if (this.#policy.action === 'deliver') return { route: await this.#toOne(route), bounced: [] };
    if (this.#policy.action !== 'bounce' || !this.#isBounceable(message)) return { route, bounced: [] };
    const { key, envelopeFrom, bytes } = message;
    for (const address of unknown) {
      await this.#mail.bounce(key, envelopeFrom!, address, 'There is nobody here with this address', bytes);
    }
    return { route: { ...route, unknown: [] }, bounced: unknown };
  }

  /** Tells the sender that policy refuses his message. False: he may not be told. */
  async reject(message: UndeliverableMessage, recipients: readonly string[]): Promise<boolean> {
    const { key, envelopeFrom, results, bytes } = message;
    if (!mayBounce(envelopeFrom, results, bytes) || recipients.length === 0) return false;
    for (const address of recipients) await this.#mail.bounce(key, envelopeFrom, address, rejection, bytes);
    return true;
  }

  #isBounceable({ envelopeFrom, results, receivedAt, bytes }: UndeliverableMessage): boolean {
    return mayBounce(envelopeFrom, results, bytes) && this.#clock.now() - receivedAt <= this.#policy.bounceHours * 3_600_000;
  }

  async #toOne(route: Route): Promise<Route> {
    const { deliverTo } = this.#policy;
    const resolution = deliverTo === undefined ? undefined : await this.#directory.resolveRecipient(deliverTo);
    if (resolution?.kind !== 'account') return route;
    const targets = new Map<AccountId, string>(route.targets);
    for (const account of resolution.accounts) if (!targets.has(account)) targets.set(account, route.unknown[0]!);
    return { ...route, targets, unknown: [] };
  }
}
