/** Puts messages that go no further into failed/, each with its reason, and tells the observer. */
import type { Clock } from '../storage/clock.ts';
import { parseInboundKey } from '../storage/objects/object-keys.ts';
import type { ObjectStore } from '../storage/objects/object-store.ts';
import { understand } from './arrival.ts';
import type { Held, HeldMail, HeldReason, HeldRecord } from './held-mail.ts';
import type { IntakeObserver } from './intake-events.ts';
import { headerBytesMax, reasonCharsMax } from './limits.ts';
import type { Entry, HandedMessage, InboundObject, IntakeOutcome, MessageInFlight } from './pipeline-types.ts';
import type { Route } from './routing.ts';
import type { Undeliverable } from './undeliverable.ts';

export interface HolderPorts {
  readonly store: Pick<ObjectStore, 'head' | 'getRange'>;
  readonly held: Pick<HeldMail, 'hold'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly observe: IntakeObserver;
  readonly undeliverable?: Pick<Undeliverable, 'heldAs'>;
}

export class Holder {
  readonly #ports: HolderPorts;
  readonly #inboundPrefix: string;

  constructor(ports: HolderPorts, inboundPrefix: string) {
    this.#ports = ports;
    this.#inboundPrefix = inboundPrefix;
  }

  unroutable(entry: Entry, { unknown }: Route): Promise<IntakeOutcome> {
    const isAddressed = unknown.length > 0;
    return this.entry(entry, {
      kind: this.#ports.undeliverable?.heldAs ?? 'failed',
      reason: isAddressed ? 'unknownRecipient' : 'noRecipient',
      detail: isAddressed ? `There is nobody here with the address ${unknown.join(', ')}.` : 'It names no recipient.',
      recipients: unknown,
      deliveredTo: [],
    });
  }

  async entry(entry: Entry, why: Held & Pick<HeldRecord, 'deliveredTo'>): Promise<IntakeOutcome> {
    const { key, bytes, arrival } = entry;
    const { sesMessageId, envelopeFrom, ingestKey, sha256 } = arrival;
    const name = await this.#ports.held.hold(entry.name, key === undefined ? { bytes } : { key }, {
      version: 1,
      ...why,
      detail: why.detail.slice(0, reasonCharsMax),
      key: entry.origin,
      ingestKey,
      sesMessageId,
      envelopeFrom,
      octets: bytes.length,
      sha256,
      receivedAt: new Date(entry.receivedAt).toISOString(),
      heldAt: new Date(this.#ports.clock.now()).toISOString(),
    });
    const { receivedAt: _receivedAt, ...identity } = identityOf(entry);
    this.#ports.observe({ kind: 'held', ...identity, name, reason: why.reason, recipients: why.recipients });
    return { kind: 'held', reason: why.reason, name };
  }

  /** Of what cannot be read whole, the header is read for whom it was. */
  async unread(object: InboundObject, reason: HeldReason, detail: string): Promise<IntakeOutcome> {
    const { key, receipts = [] } = object;
    const { store, clock } = this.#ports;
    const info = await store.head(key);
    if (info === undefined) return { kind: 'gone' };
    const beginning = reason === 'encrypted' || info.size === 0 ? Buffer.alloc(0) : await store.getRange(key, 0, headerBytesMax);
    const arrival = understand(key, this.#inboundPrefix, beginning, receipts);
    const recipients = arrival.candidates[0]?.addresses ?? [];
    const name = await this.#ports.held.hold(
      parseInboundKey(this.#inboundPrefix, key)?.name ?? key,
      { key },
      {
        version: 1,
        kind: 'failed',
        reason,
        detail: detail.slice(0, reasonCharsMax),
        recipients,
        deliveredTo: [],
        key,
        sesMessageId: arrival.sesMessageId,
        envelopeFrom: arrival.envelopeFrom,
        octets: info.size,
        receivedAt: new Date(info.lastModified).toISOString(),
        heldAt: new Date(clock.now()).toISOString(),
      },
    );
    this.#ports.observe({ kind: 'held', key, sesMessageId: arrival.sesMessageId, octets: info.size, name, reason, recipients });
    return { kind: 'held', reason, name };
  }

  async handed(
    { name: proposed, bytes, envelopeFrom }: HandedMessage,
    { kind, reason, detail, recipients }: Held,
    receivedAt: number,
  ): Promise<void> {
    const at = new Date(receivedAt).toISOString();
    const record = {
      version: 1,
      kind,
      reason,
      detail: detail.slice(0, reasonCharsMax),
      recipients,
      deliveredTo: [],
      envelopeFrom,
    } as const;
    const name = await this.#ports.held.hold(proposed, { bytes }, { ...record, octets: bytes.length, receivedAt: at, heldAt: at });
    this.#ports.observe({ kind: 'held', octets: bytes.length, name, reason, recipients });
  }
}

export function identityOf({ key, bytes, arrival, receivedAt }: Entry): MessageInFlight {
  return { key, sesMessageId: arrival.sesMessageId, octets: bytes.length, receivedAt };
}
