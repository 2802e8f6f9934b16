/**
 * A message on its way out of an account: an object of type `EmailSubmission` in the account's log (RFC 8621 §7). JMAP, SMTP submission, Sieve
 * actions, vacation answers, bounces and organisation rules all leave by it. The record is written in the same commit as its cause; whoever hands it
 * to a relay claims its recipients by a commit before the relay is asked, so that two nodes never send the same message.
 *
 * The record names its blob, which keeps the bytes from the scrubber even when no email holds them.
 */
import type { EmailNumber, ThreadNumber } from '../../protocol/mail/ids.ts';
import type { BlobRef } from '../log/record.ts';

/** Who asked for it. Only `jmap` and `smtp` are the user's own acts; the others answer or pass on, and are bounded by loop and rate rules. */
export type SubmissionOrigin = 'jmap' | 'smtp' | 'redirect' | 'vacation' | 'notify' | 'reject' | 'bounce' | 'mdn' | 'rule' | 'group';

/** RFC 8621 §7: an address of the envelope with its SMTP parameters (`HOLDUNTIL`, `NOTIFY`, …); null values for parameters without one. */
export interface EnvelopeAddress {
  readonly email: string;
  readonly parameters: Readonly<Record<string, string | null>> | null;
}

export interface Envelope {
  /** `email` is '' for the null path: what must never be answered. */
  readonly mailFrom: EnvelopeAddress;
  readonly rcptTo: readonly EnvelopeAddress[];
}

/**
 * Where one recipient's copy stands.
 * `queued`: to be tried at `nextAt`. `claimed`: a node is handing it over (`claimedBy`, `claimedAt`); if that node dies the claim is taken over after a
 * while, and the copy may then arrive twice. `delivered`: in an account of this directory. `relayed`: the relay took it. `failed`: given up, told to the sender.
 */
export type RecipientState = 'queued' | 'claimed' | 'delivered' | 'relayed' | 'failed';

export interface RecipientStatus {
  readonly state: RecipientState;
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly nextAt: number;
  readonly claimedBy?: string;
  readonly claimedAt?: number;
  /** The relay's name of the copy, by which its events come back (SES message id). */
  readonly relayId?: string;
  /** RFC 8621 §7 DeliveryStatus. */
  readonly smtpReply: string;
  readonly delivered: 'queued' | 'yes' | 'no' | 'unknown';
  readonly displayed: 'unknown' | 'yes';
  /** The sender was told of a delay. */
  readonly delayTold?: true;
}

export interface SubmissionRecord {
  readonly origin: SubmissionOrigin;
  /** JMAP's identity; null where the submission came another way. */
  readonly identityId: string | null;
  /** The email it was made from and its thread; null where none is kept. */
  readonly email: EmailNumber | null;
  readonly thread: ThreadNumber | null;
  /** The message as handed in. Bcc is taken out when it is sent. */
  readonly blob: BlobRef;
  /** Its Message-ID without brackets, '' for none: for traces and for feedback's thread. */
  readonly messageId: string;
  readonly envelope: Envelope;
  readonly createdAt: number;
  /** When it may leave. */
  readonly sendAt: number;
  /** RFC 8621 §7: `pending` can be undone; `final` has left, wholly or in part; `canceled` never will. */
  readonly undoStatus: 'pending' | 'final' | 'canceled';
  /** By the index of `envelope.rcptTo`. */
  readonly recipients: readonly RecipientStatus[];
  /** Given up after this. */
  readonly expiresAt: number;
  /** RFC 8621 §7: delivery and disposition notifications that came in for it. */
  readonly dsnBlobs: readonly BlobRef[];
  readonly mdnBlobs: readonly BlobRef[];
  /** RFC 8621 §7.5: its user wants to hear of it no more while copies are still on their way. Not shown; it goes when nothing is left to do. */
  readonly isDestroyed?: true;
}

export const submissionType = 'EmailSubmission';
