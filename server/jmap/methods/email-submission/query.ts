/** EmailSubmission/query and /queryChanges (RFC 8621 §7.3, §7.4). */
import { queryArguments, queryChangesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { SubmissionFilter, type submissionSorts } from '../../../../protocol/jmap/schema/email-submission.ts';
import { formatEmailId, formatThreadId } from '../../../../protocol/mail/ids.ts';
import type { SubmissionRecord } from '../../../../storage/outbox/record.ts';
import { defineMethod, submissionCapability } from '../../method.ts';
import { isWithin, type ObjectQuery, queryChangesOfObjects, queryObjects } from '../../standard/object-queries.ts';
import { emailSubmissions } from '../../submissions.ts';

const sorts: Readonly<Record<(typeof submissionSorts)[number], (value: SubmissionRecord) => number>> = {
  emailId: ({ email }) => email!,
  threadId: ({ thread }) => thread!,
  sendAt: ({ sendAt }) => sendAt,
  sentAt: ({ sendAt }) => sendAt,
};

const query: ObjectQuery<SubmissionRecord, typeof SubmissionFilter> = {
  objects: emailSubmissions,
  noun: 'Submissions',
  filter: SubmissionFilter,
  matches({ identityIds, emailIds, threadIds, undoStatus, ...dates }, value) {
    if (identityIds !== undefined && !identityIds.includes(value.identityId!)) return false;
    if (emailIds !== undefined && !emailIds.includes(formatEmailId(value.email!))) return false;
    if (threadIds !== undefined && !threadIds.includes(formatThreadId(value.thread!))) return false;
    return (undoStatus === undefined || value.undoStatus === undoStatus) && isWithin(value.sendAt, dates);
  },
  sorts,
  usual: ({ createdAt }) => createdAt,
};

export const emailSubmissionQuery = defineMethod({
  name: 'EmailSubmission/query',
  capability: submissionCapability,
  access: 'read',
  arguments: queryArguments({}),
  run: (context, args) => queryObjects(context, args, query),
});

export const emailSubmissionQueryChanges = defineMethod({
  name: 'EmailSubmission/queryChanges',
  capability: submissionCapability,
  access: 'read',
  arguments: queryChangesArguments({}),
  run: (context, args) => queryChangesOfObjects(context, args, query),
});
