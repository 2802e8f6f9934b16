/** EmailSubmission/get and /changes (RFC 8621 §7.1, §7.2). */
import { changesArguments, getArguments } from '../../../../protocol/jmap/schema/common.ts';
import { defineMethod, submissionCapability } from '../../method.ts';
import { changesOfObjects, getObjects } from '../../standard/objects.ts';
import { emailSubmissions } from '../../submissions.ts';

export const emailSubmissionGet = defineMethod({
  name: 'EmailSubmission/get',
  capability: submissionCapability,
  access: 'read',
  arguments: getArguments({}),
  run: (context, args) => getObjects(context, args, emailSubmissions),
});

export const emailSubmissionChanges = defineMethod({
  name: 'EmailSubmission/changes',
  capability: submissionCapability,
  access: 'read',
  arguments: changesArguments,
  run: (context, args) => changesOfObjects(context, args, emailSubmissions),
});
