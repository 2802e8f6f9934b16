/** What the dispatcher tells its observer, for the log and metrics. */
import type { AccountId } from '../../protocol/mail/ids.ts';

interface SubmissionIdentity {
  readonly account: AccountId;
  readonly submission: string;
}

export type OutboxEvent =
  /** What became of one recipient's copy in one attempt. */
  | (SubmissionIdentity & {
      readonly kind: 'delivered' | 'relayed' | 'deferred' | 'failed';
      readonly recipient: string;
      readonly smtpReply: string;
      readonly relayId?: string;
      readonly attempts: number;
      /** Milliseconds from when it was to leave. */
      readonly latencyMs: number;
    })
  | (SubmissionIdentity & { readonly kind: 'reported'; readonly to: string; readonly action: string })
  /** A claim of a node that died, or of ourselves before a crash: the copy may arrive twice. */
  | (SubmissionIdentity & { readonly kind: 'takenOver'; readonly from: string })
  /** The store is away, or we were wrong; it is tried again. */
  | (Partial<SubmissionIdentity> & { readonly kind: 'faulted'; readonly error: unknown });

export type OutboxObserver = (event: OutboxEvent) => void;
