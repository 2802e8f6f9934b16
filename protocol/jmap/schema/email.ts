/** Email (RFC 8621 §4). */
import { type Static, Type } from 'typebox';
import { Id, nullable, strict, UnsignedInt } from './common.ts';
import { DeliveryFilter } from './delivery.ts';
import { SmimeFilter } from './smime.ts';

export const EmailAddress = strict({ name: Type.Optional(nullable(Type.String())), email: Type.String() });
export const EmailAddressGroup = strict({ name: Type.Optional(nullable(Type.String())), addresses: Type.Array(EmailAddress) });

const Addresses = Type.Optional(nullable(Type.Array(EmailAddress)));
const MessageIds = Type.Optional(nullable(Type.Array(Type.String())));
const TrueSet = Type.Record(Type.String(), Type.Literal(true));

/** Convenience properties that stand for a header field (§4.1.3), as a client may give them. */
const EmailHeaderSettings = Type.Object({
  messageId: MessageIds,
  inReplyTo: MessageIds,
  references: MessageIds,
  sender: Addresses,
  from: Addresses,
  to: Addresses,
  cc: Addresses,
  bcc: Addresses,
  replyTo: Addresses,
  subject: Type.Optional(nullable(Type.String())),
  sentAt: Type.Optional(nullable(Type.String())),
});

const EmailBodyValue = strict({
  value: Type.String(),
  isEncodingProblem: Type.Optional(nullable(Type.Literal(false))),
  isTruncated: Type.Optional(nullable(Type.Literal(false))),
});

/** A part as a client gives it (§4.1.4); header:… properties come besides. */
export const BodyPartSettings = Type.Object({
  partId: Type.Optional(nullable(Type.String())),
  blobId: Type.Optional(nullable(Type.String())),
  size: Type.Optional(nullable(UnsignedInt)),
  name: Type.Optional(nullable(Type.String())),
  type: Type.Optional(nullable(Type.String({ pattern: '^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$' }))),
  charset: Type.Optional(nullable(Type.String())),
  disposition: Type.Optional(nullable(Type.String({ pattern: '^[A-Za-z0-9_.+-]+$' }))),
  cid: Type.Optional(nullable(Type.String())),
  language: Type.Optional(nullable(Type.Array(Type.String()))),
  location: Type.Optional(nullable(Type.String())),
  subParts: Type.Optional(nullable(Type.Array(Type.Record(Type.String(), Type.Unknown())))),
});
export type BodyPartSettings = Static<typeof BodyPartSettings> & Readonly<Record<string, unknown>>;

/** An Email as a client creates it; header:… properties come besides. */
export const EmailSettings = Type.Object({
  mailboxIds: TrueSet,
  keywords: Type.Optional(nullable(TrueSet)),
  receivedAt: Type.Optional(nullable(Type.String())),
  ...EmailHeaderSettings.properties,
  bodyStructure: Type.Optional(nullable(BodyPartSettings)),
  bodyValues: Type.Optional(nullable(Type.Record(Type.String(), EmailBodyValue))),
  textBody: Type.Optional(nullable(Type.Array(BodyPartSettings))),
  htmlBody: Type.Optional(nullable(Type.Array(BodyPartSettings))),
  attachments: Type.Optional(nullable(Type.Array(BodyPartSettings))),
});
export type EmailSettings = Static<typeof EmailSettings> & Readonly<Record<string, unknown>>;

/** §4.8. */
export const EmailImport = strict({
  blobId: Id,
  mailboxIds: TrueSet,
  keywords: Type.Optional(nullable(TrueSet)),
  receivedAt: Type.Optional(nullable(Type.String())),
});
export type EmailImport = Static<typeof EmailImport>;

/** §4.7. null: as of the original. */
export const EmailCopy = strict({
  id: Id,
  mailboxIds: TrueSet,
  keywords: nullable(TrueSet),
  receivedAt: nullable(Type.String()),
});
export type EmailCopy = Static<typeof EmailCopy>;

/** Arguments of Email/get and Email/parse about bodies (§4.2). */
export const bodyArguments = {
  bodyProperties: Type.Optional(nullable(Type.Array(Type.String()))),
  fetchTextBodyValues: Type.Optional(Type.Boolean()),
  fetchHTMLBodyValues: Type.Optional(Type.Boolean()),
  fetchAllBodyValues: Type.Optional(Type.Boolean()),
  maxBodyValueBytes: Type.Optional(UnsignedInt),
};

const Text = Type.Optional(Type.String());
const Keyword = Type.Optional(Type.String());

/** §4.4.1. */
export const EmailFilter = strict({
  inMailbox: Type.Optional(Type.String()),
  inMailboxOtherThan: Type.Optional(Type.Array(Type.String())),
  before: Type.Optional(Type.String()),
  after: Type.Optional(Type.String()),
  minSize: Type.Optional(UnsignedInt),
  maxSize: Type.Optional(UnsignedInt),
  allInThreadHaveKeyword: Keyword,
  someInThreadHaveKeyword: Keyword,
  noneInThreadHaveKeyword: Keyword,
  hasKeyword: Keyword,
  notKeyword: Keyword,
  hasAttachment: Type.Optional(Type.Boolean()),
  text: Text,
  from: Text,
  to: Text,
  cc: Text,
  bcc: Text,
  subject: Text,
  body: Text,
  header: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 2 })),
  ...DeliveryFilter.properties,
  ...SmimeFilter.properties,
});
export type EmailFilter = Static<typeof EmailFilter>;

/** §4.4.2; advertised. */
export const emailSorts = [
  'receivedAt',
  'sentAt',
  'size',
  'from',
  'to',
  'subject',
  'hasKeyword',
  'allInThreadHaveKeyword',
  'someInThreadHaveKeyword',
] as const;
