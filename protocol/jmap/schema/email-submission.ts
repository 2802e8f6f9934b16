/** EmailSubmission (RFC 8621 §7). */
import { type Static, Type } from 'typebox';
import { Id, nullable, strict } from './common.ts';

const Address = strict({
  email: Type.String(),
  parameters: Type.Optional(nullable(Type.Record(Type.String(), nullable(Type.String())))),
});

export const SubmissionEnvelope = strict({ mailFrom: Address, rcptTo: Type.Array(Address) });
export type SubmissionEnvelope = Static<typeof SubmissionEnvelope>;

/** What a client gives for a new one. */
export const SubmissionSettings = strict({ identityId: Id, emailId: Id, envelope: nullable(SubmissionEnvelope) });
export type SubmissionSettings = Static<typeof SubmissionSettings>;

/** What a client may change: `canceled` takes back what is pending. */
export const SubmissionChange = strict({ undoStatus: Type.Literal('canceled') });

/** §7.3. */
export const SubmissionFilter = strict({
  identityIds: Type.Optional(Type.Array(Type.String())),
  emailIds: Type.Optional(Type.Array(Type.String())),
  threadIds: Type.Optional(Type.Array(Type.String())),
  undoStatus: Type.Optional(Type.String()),
  before: Type.Optional(Type.String()),
  after: Type.Optional(Type.String()),
});
export type SubmissionFilter = Static<typeof SubmissionFilter>;

/** §7.3 says `sentAt` where the property is `sendAt`: either is taken. */
export const submissionSorts = ['emailId', 'threadId', 'sentAt', 'sendAt'] as const;
