/** EmailSubmissions as JMAP shows them (RFC 8621 §7): the outbox's records that were made from an email of the account under an identity. */
import { notificationBlobId } from '../../protocol/jmap/blob-id.ts';
import { SetFailure } from '../../protocol/jmap/errors.ts';
import { formatUtcDate } from '../../protocol/jmap/utc-date.ts';
import { formatEmailId, formatThreadId } from '../../protocol/mail/ids.ts';
import type { AccountReader } from '../../storage/account/api.ts';
import { type SubmissionRecord, submissionType } from '../../storage/outbox/record.ts';
import { submissionsPendingMax } from './limits.ts';
import type { ObjectType } from './standard/objects.ts';

export const emailSubmissions: ObjectType<SubmissionRecord> = {
  type: submissionType,
  isShown: ({ identityId, email, thread, isDestroyed }) => identityId !== null && email !== null && thread !== null && isDestroyed !== true,
  properties: {
    id: ({ id }) => id,
    identityId: ({ value }) => value.identityId,
    emailId: ({ value }) => formatEmailId(value.email!),
    threadId: ({ value }) => formatThreadId(value.thread!),
    envelope: ({ value }) => value.envelope,
    sendAt: ({ value }) => formatUtcDate(value.sendAt),
    undoStatus: ({ value }) => value.undoStatus,
    deliveryStatus: ({ value }) => deliveryStatus(value),
    dsnBlobIds: ({ id, value }) => value.dsnBlobs.map((_, index) => notificationBlobId('delivery', id, index)),
    mdnBlobIds: ({ id, value }) => value.mdnBlobs.map((_, index) => notificationBlobId('disposition', id, index)),
  },
};

function deliveryStatus({ envelope, recipients }: SubmissionRecord): object {
  const statuses = recipients.map(({ smtpReply, delivered, displayed }, index) => [
    envelope.rcptTo[index]!.email,
    { smtpReply, delivered, displayed },
  ]);
  return Object.fromEntries(statuses);
}

/** Throws SetFailure 'forbiddenToSend' where too much waits already. */
export function requireRoom(reader: AccountReader): void {
  let pending = 0;
  for (const _ of reader.listed(submissionType, 'unfinished')) pending += 1;
  if (pending >= submissionsPendingMax)
    throw new SetFailure({
      type: 'forbiddenToSend',
      description: `${submissionsPendingMax} messages wait to be sent: more are not taken.`,
    });
}
