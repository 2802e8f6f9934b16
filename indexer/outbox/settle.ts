/** What an attempt makes of a submission: the record after it, and what its sender is to be told. Pure. */
import type { RecipientStatus, SubmissionRecord } from '../../storage/outbox/record.ts';
import { type ReportedRecipient, wantsReport } from './delivery-report.ts';
import { delayNoticeMs, replyCharsMax, retryFirstMs, retryLargestMs } from './limits.ts';
import type { HandoverResult } from './relay.ts';

export type Outcome = HandoverResult | { readonly kind: 'delivered'; readonly smtpReply: string };

/** Milliseconds until the next attempt, when `attempts` have been made. A quarter of it is left to chance, so that what failed together is not tried together. */
function retryDelayMs(attempts: number, fraction: number): number {
  return Math.min(retryLargestMs, retryFirstMs * 2 ** Math.min(attempts - 1, 20)) * (0.75 + 0.25 * fraction);
}

export interface Settlement {
  /** By the index of the recipient. */
  readonly recipients: ReadonlyMap<number, RecipientStatus>;
  readonly reports: readonly ReportedRecipient[];
}

/** `outcomes` by the index of the recipient, which was claimed. */
export function settle(record: SubmissionRecord, outcomes: ReadonlyMap<number, Outcome>, now: number, fraction: number): Settlement {
  const recipients = new Map<number, RecipientStatus>();
  const reports: ReportedRecipient[] = [];
  for (const [index, outcome] of outcomes) {
    const { claimedBy: _by, claimedAt: _at, ...before } = record.recipients[index]!;
    const rcptTo = record.envelope.rcptTo[index]!;
    const after = statusAfter(record, before, outcome, now, fraction);
    const action = after.state === 'relayed' || after.state === 'delivered' || after.state === 'failed' ? after.state : 'delayed';
    const isDue = action !== 'delayed' || (before.delayTold !== true && now - Math.max(record.createdAt, record.sendAt) >= delayNoticeMs);
    // RFC 3461 §5.2.2: whoever takes NOTIFY on tells of the delivery; we would tell of it twice.
    const isLeftToRelay = outcome.kind === 'relayed' && outcome.tellsSender === true;
    const isTold = isDue && !isLeftToRelay && hasSender(record) && wantsReport(rcptTo, action);
    if (isTold) reports.push({ rcptTo, action, smtpReply: after.smtpReply });
    recipients.set(index, isTold && action === 'delayed' ? { ...after, delayTold: true } : after);
  }
  return { recipients, reports };
}

/** RFC 5321 §4.5.5: nobody is told of the null path. */
const hasSender = ({ envelope }: Pick<SubmissionRecord, 'envelope'>) => envelope.mailFrom.email !== '';

function statusAfter(record: SubmissionRecord, before: RecipientStatus, outcome: Outcome, now: number, fraction: number): RecipientStatus {
  const smtpReply = outcome.smtpReply.replace(/[\r\n]+/g, ' ').slice(0, replyCharsMax);
  switch (outcome.kind) {
    case 'delivered':
      return { ...before, state: 'delivered', smtpReply, delivered: 'yes' };
    case 'relayed':
      // RFC 8621 §7: `unknown` once it has left for a server that may or may not tell.
      return {
        ...before,
        state: 'relayed',
        smtpReply,
        delivered: 'unknown',
        ...(outcome.relayId === undefined ? {} : { relayId: outcome.relayId }),
      };
    case 'failed':
      return { ...before, state: 'failed', smtpReply, delivered: 'no' };
    case 'deferred': {
      const nextAt = Math.round(now + Math.max(outcome.afterMs ?? 0, retryDelayMs(before.attempts, fraction)));
      // The last attempt is made when time is up, not before.
      if (now >= record.expiresAt)
        return { ...before, state: 'failed', smtpReply: `554 5.4.7 Given up; the last answer was: ${smtpReply}`, delivered: 'no' };
      return { ...before, state: 'queued', nextAt: Math.min(nextAt, record.expiresAt), smtpReply };
    }
  }
}
