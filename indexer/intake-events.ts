/** What intake tells its observer: one event for each station of a message, for the log, metrics and `trace`. */
import type { AccountId } from '../protocol/mail/ids.ts';
import type { HeldReason } from './held-mail.ts';

interface MessageIdentity {
  /** Name of the object; undefined for LMTP. */
  readonly key?: string;
  readonly sesMessageId?: string;
  readonly octets: number;
}

export type IntakeEvent =
  | (MessageIdentity & {
      readonly kind: 'delivered';
      readonly account: AccountId;
      readonly address: string;
      readonly mailbox: string;
      /** Milliseconds from its arrival in the bucket, or at our door, to its commit. */
      readonly latencyMs: number;
    })
  | (MessageIdentity & { readonly kind: 'duplicate'; readonly account: AccountId; readonly address: string })
  /** Rules of the organisation, by name, had something to say; for how many recipients it was dropped (or sent elsewhere), and bounced. */
  | (MessageIdentity & {
      readonly kind: 'ruled';
      readonly rules: readonly string[];
      readonly dropped: number;
      readonly bounced: number;
    })
  | (MessageIdentity & { readonly kind: 'dropped'; readonly because: string })
  | (MessageIdentity & {
      readonly kind: 'held';
      readonly name: string;
      readonly reason: HeldReason;
      readonly recipients: readonly string[];
    })
  /** Nobody here has these addresses, and the sender was told. */
  | (MessageIdentity & { readonly kind: 'bounced'; readonly recipients: readonly string[] })
  /** An event that is none of our business. */
  | { readonly kind: 'ignored'; readonly key: string; readonly because: string }
  /** An event of an object that is not there (any more): it was taken in before, or somebody removed it. */
  | { readonly kind: 'gone'; readonly key: string; readonly source: string }
  /** An event that was not let in, or could not be read. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'subscription'; readonly topicArn: string; readonly change: 'confirmed' | 'ended' }
  /** The store or an account is away; the message stays where it is. */
  | { readonly kind: 'postponed'; readonly key?: string; readonly error: unknown }
  /** We threw; `attempt` counts from 1. */
  | { readonly kind: 'faulted'; readonly key?: string; readonly attempt: number; readonly error: unknown };

export type IntakeObserver = (event: IntakeEvent) => void;
