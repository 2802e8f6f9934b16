/**
 * How mail for other servers leaves: the port that relay drivers fill. A driver answers for each recipient and keeps nothing; whether and when there is
 * another attempt is the dispatcher's affair.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { EnvelopeAddress } from '../../storage/outbox/record.ts';

export interface RelayMessage {
  readonly account: AccountId;
  readonly submission: string;
  readonly mailFrom: EnvelopeAddress;
  readonly rcptTo: readonly EnvelopeAddress[];
  /** As it is to be sent: without Bcc. */
  readonly bytes: Buffer;
}

export type HandoverResult =
  /** The relay took it. `relayId`: its own name of the copy, by which its events come back. `tellsSender`: it was asked for the notices that NOTIFY wants. */
  | { readonly kind: 'relayed'; readonly smtpReply: string; readonly relayId?: string; readonly tellsSender?: true }
  /** Not now. `afterMs`: not before. */
  | { readonly kind: 'deferred'; readonly smtpReply: string; readonly afterMs?: number }
  /** Never. */
  | { readonly kind: 'failed'; readonly smtpReply: string };

/** RFC 3461, RFC 8689. */
export type RelayExtension = 'DSN' | 'REQUIRETLS';

export interface Relay {
  /** Recipients of one call. */
  readonly recipientsMax: number;
  /** Recipients with different keys go in different calls. Absent: all can go together. */
  callKey?(recipient: EnvelopeAddress): string;
  /** Resolves to one result for each recipient, in order. What it throws counts as deferred for all. */
  send(message: RelayMessage): Promise<readonly HandoverResult[]>;
  /** Takes an address off the list that the relay itself keeps of those it sends nothing to. Resolves to whether it was on it. Absent: it keeps none. */
  unsuppress?(address: string): Promise<boolean>;
  /** What SMTP extensions it was seen to offer last, of those that are handed on to it. Absent: none. */
  readonly extensions?: ReadonlySet<RelayExtension>;
  /** Looks what it offers now. Rejects when it is not there. */
  lookForExtensions?(signal?: AbortSignal): Promise<void>;
}

/** The driver `none`: mail goes to the accounts of this server only. */
export const noRelay: Relay = {
  recipientsMax: 1000,
  send: async ({ rcptTo }) => rcptTo.map(() => ({ kind: 'failed', smtpReply: '550 5.7.1 This server sends no mail to other servers' })),
};
