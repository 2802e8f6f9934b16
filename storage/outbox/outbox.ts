/**
 * The outbox: submissions as a mutation sees them. `enqueue` is the one way in, for every face and rule; what leaves is the dispatcher's.
 */
import { invariant } from '../../protocol/mail/errors.ts';
import type { AccountId, EmailNumber, ThreadNumber } from '../../protocol/mail/ids.ts';
import type { AccountReader, AccountTransactor } from '../account/api.ts';
import type { BlobRef } from '../log/record.ts';
import { type Envelope, type SubmissionOrigin, type SubmissionRecord, submissionType } from './record.ts';

/** RFC 5321 §4.5.4.1: the give-up time is at least 4 to 5 days. Milliseconds. */
const submissionLifeMs = 5 * 24 * 60 * 60 * 1000;

/**
 * The account whose outbox holds the mail that no account owns: bounces of unknown recipients, group forwards, journals. Nobody logs in to it; drawn
 * ids begin with `a`, so it is never given to anybody.
 */
export const serviceOutboxId = 'outbox' as AccountId;

export interface NewSubmission {
  /** Unique in the account; drawn before the mutation, which may run several times. */
  readonly id: string;
  readonly origin: SubmissionOrigin;
  readonly blob: BlobRef;
  readonly messageId: string;
  readonly envelope: Envelope;
  readonly identityId?: string | null;
  readonly email?: EmailNumber | null;
  readonly thread?: ThreadNumber | null;
  /** Milliseconds since the epoch; at once when it is not given or past. */
  readonly sendAt?: number;
}

/** Puts a submission into the outbox, in the mutation's commit. The blob is one of the mutation's uploads, or a living message's. */
export function enqueue(tx: AccountTransactor, submission: NewSubmission): SubmissionRecord {
  const { id, origin, blob, messageId, envelope } = submission;
  invariant(tx.object(submissionType, id) === undefined, `submission ${id} exists`);
  const sendAt = Math.max(tx.at, submission.sendAt ?? 0);
  const record: SubmissionRecord = {
    origin,
    identityId: submission.identityId ?? null,
    email: submission.email ?? null,
    thread: submission.thread ?? null,
    blob,
    messageId,
    envelope,
    createdAt: tx.at,
    sendAt,
    undoStatus: 'pending',
    recipients: envelope.rcptTo.map(() => ({
      state: 'queued',
      attempts: 0,
      nextAt: sendAt,
      smtpReply: '250 2.0.0 Queued',
      delivered: 'queued',
      displayed: 'unknown',
    })),
    expiresAt: sendAt + submissionLifeMs,
    dsnBlobs: [],
    mdnBlobs: [],
  };
  tx.putObject(submissionType, id, record);
  return record;
}

/** Takes back a submission that no node has begun to hand over. False where it is too late. */
export function cancel(tx: AccountTransactor, id: string): boolean {
  const record = submission(tx, id);
  if (record?.undoStatus !== 'pending' || record.recipients.some(({ state }) => state !== 'queued')) return false;
  const recipients = record.recipients.map((recipient) => ({
    ...recipient,
    state: 'failed' as const,
    smtpReply: '250 2.0.0 Taken back before it was sent',
    delivered: 'no' as const,
  }));
  tx.putObject(submissionType, id, { ...record, undoStatus: 'canceled', recipients });
  return true;
}

/** RFC 8621 §7.5: the record goes, the deliveries do not. What is still on its way is hidden and goes later. */
export function forget(tx: AccountTransactor, id: string): void {
  const record = submission(tx, id);
  if (record === undefined) return;
  if (isSettled(record)) tx.removeObject(submissionType, id);
  else tx.putObject(submissionType, id, { ...record, isDestroyed: true });
}

/** Whatever waits for another attempt is tried now; what is held until a time still is. */
export function retryNow(tx: AccountTransactor, isMeant: (record: SubmissionRecord) => boolean = () => true): void {
  for (const { id, value } of [...unfinishedSubmissions(tx)].filter(({ value: record }) => isMeant(record))) {
    const nextAt = Math.max(tx.at, value.sendAt);
    if (!value.recipients.some((recipient) => recipient.state === 'queued' && recipient.nextAt > nextAt)) continue;
    const recipients = value.recipients.map((recipient) => (recipient.state === 'queued' ? { ...recipient, nextAt } : recipient));
    tx.putObject(submissionType, id, { ...value, recipients } satisfies SubmissionRecord);
  }
}

/** Whether nothing is left to be handed over. */
export function isSettled({ recipients }: SubmissionRecord): boolean {
  return recipients.every(({ state }) => state !== 'queued' && state !== 'claimed');
}

export function submission(reader: AccountReader, id: string): SubmissionRecord | undefined {
  return reader.object<SubmissionRecord>(submissionType, id);
}

/** Those that something is left to do for, the oldest first. The others are not read. */
export function* unfinishedSubmissions(reader: AccountReader): Iterable<{ readonly id: string; readonly value: SubmissionRecord }> {
  for (const id of reader.listed(submissionType, 'unfinished')) {
    const value = submission(reader, id);
    if (value !== undefined) yield { id, value };
  }
}

/** All of the last thirty days. */
export function submissions(reader: AccountReader): Iterable<{ readonly id: string; readonly value: SubmissionRecord }> {
  return reader.objects<SubmissionRecord>(submissionType);
}
