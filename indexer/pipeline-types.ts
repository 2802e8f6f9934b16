/** What the pipeline stands on, what it is given, and what becomes of it. */
import type { AccountId } from '../protocol/mail/ids.ts';
import type { Account, Accounts, PreparedBlob } from '../storage/account/api.ts';
import type { Clock } from '../storage/clock.ts';
import type { ObjectStore } from '../storage/objects/object-store.ts';
import type { Arrival } from './arrival.ts';
import type { DeliveryResult, OutgoingMessage } from './delivery.ts';
import type { Filter } from './filter/filing.ts';
import type { HeldReason } from './held-mail.ts';
import type { IntakeObserver } from './intake-events.ts';
import type { ParsePool } from './parse-pool.ts';
import type { RecipientDirectory } from './routing.ts';
import type { Passage, PassingMessage } from './rules/passage.ts';
import type { UnwrapKey } from './ses/client-side-encryption.ts';
import type { ReceiptEvent } from './ses/events.ts';
import type { Undeliverable } from './undeliverable.ts';
import type { decide, VerdictRule } from './verdict.ts';

export interface PipelinePorts {
  /** Where inbound and failed mail are; retries what may be retried. */
  readonly store: ObjectStore;
  readonly accounts: Accounts;
  readonly directory: RecipientDirectory;
  readonly parsers: Pick<ParsePool, 'parse'>;
  readonly clock: Clock;
  /** What becomes of mail for nobody. Default: it is held. */
  readonly undeliverable?: Pick<Undeliverable, 'settle' | 'reject' | 'heldAs'>;
  /** Unwraps the data keys of messages that SES encrypted. Without it they are held. */
  readonly unwrapKey?: UnwrapKey;
  readonly observe?: IntakeObserver;
  /** The accounts' own scripts and vacation responses. */
  readonly filter?: Pick<Filter, 'decide'>;
  /** The organisation's rules: asked after the verdict, before delivery. Undefined: they have nothing to say. */
  readonly passRules?: (message: PassingMessage) => Promise<Passage | undefined>;
}

export interface PipelineOptions {
  /** `inbound/`. */
  readonly inboundPrefix: string;
  readonly verdicts: readonly VerdictRule[];
  readonly messageBytesMax: number;
  /**
   * Messages of at least this size, written by SES, get into an account by a copy inside the store. Default: none. A copy costs a HEAD more
   * than an upload and saves sending the bytes; on a file store it saves nothing.
   */
  readonly copyBytesMin?: number;
}

export interface InboundObject {
  readonly key: string;
  /** Bytes, where the source knows. */
  readonly size?: number;
  /** What the source knows of envelope and verdicts, of all rules that matched. */
  readonly receipts?: readonly ReceiptEvent[];
  /** The object stays: another receipt may come for it. */
  readonly isKept?: boolean;
  /** Rather than wait for an account that is busy, answer so. */
  readonly mayBePutOff?: boolean;
  /** Asked before the object waits for an account that is busy. Without one it waits however many others do. */
  readonly waitingRoom?: WaitingRoom;
}

/** Where mail of busy accounts waits, as far as there is room: the source bounds it. */
export interface WaitingRoom {
  /** How to leave it; undefined when there is no room, and the answer is `busy`. */
  enter(account: AccountId): (() => void) | undefined;
  /** Ends waiting: the answer is `busy`. */
  readonly signal: AbortSignal;
}

export type IntakeOutcome =
  | { readonly kind: 'delivered'; readonly results: ReadonlyMap<AccountId, DeliveryResult> }
  | { readonly kind: 'held'; readonly reason: HeldReason; readonly name: string }
  | { readonly kind: 'dropped' }
  /** Nobody here was meant, and the sender was told. */
  | { readonly kind: 'bounced' }
  /** SES's setup notification. */
  | { readonly kind: 'skipped' }
  /** There is no such object (any more). */
  | { readonly kind: 'gone' }
  /** This account has no room now; those that had are done with. */
  | { readonly kind: 'busy'; readonly account: AccountId };

/** A message that came with its recipients resolved: LMTP, and later our own submission. */
export interface HandedMessage {
  readonly bytes: Buffer;
  /** Accounts, each with the address that led there. */
  readonly targets: ReadonlyMap<AccountId, string>;
  readonly envelopeFrom: string;
  readonly evidence: Parameters<typeof decide>[1];
  readonly source: 'lmtp' | 'submission';
  /** What it is held under, if it is: unique. */
  readonly name: string;
  /** It is taken in once under this key; undefined where each is a message of its own. */
  readonly ingestKey?: string;
}

/** A message on its way through #admit. */
export interface Entry {
  /** The inbound object; undefined when the message comes from elsewhere. */
  readonly key: string | undefined;
  /** The inbound object that it once was. */
  readonly origin: string | undefined;
  /** What it is held under, if it is. */
  readonly name: string;
  readonly bytes: Buffer;
  /** The object's bytes are the message's: it was not encrypted. */
  readonly isAsStored?: boolean;
  readonly arrival: Arrival;
  readonly receivedAt: number;
  readonly rules: readonly VerdictRule[];
  /** Accounts whose turn it has; another that is busy puts it off. Undefined: it goes to all at once. */
  readonly turns: ReadonlySet<AccountId> | undefined;
}

/** What all accounts' copies share. */
export interface CommonMessage extends Omit<OutgoingMessage, 'bytes' | 'parse' | 'upload' | 'mailbox'> {
  readonly upload: (account: Account, bytes: Buffer) => Promise<PreparedBlob>;
}

export interface MessageInFlight {
  readonly key?: string;
  readonly sesMessageId?: string;
  readonly octets: number;
  readonly receivedAt: number;
}
