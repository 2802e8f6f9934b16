/** Mailbox (RFC 8621 §2). */
import { type Static, Type } from 'typebox';
import { Id, nullable, strict, UnsignedInt } from './common.ts';

/** What a client may set. The rest follows from the mail in it. */
export const MailboxSettings = strict({
  name: Type.String({ minLength: 1 }),
  parentId: nullable(Id),
  role: nullable(Type.String()),
  sortOrder: Type.Integer({ minimum: 0, maximum: 2147483647 }),
  isSubscribed: Type.Boolean(),
});
export type MailboxSettings = Static<typeof MailboxSettings>;

export const MailboxRights = strict({
  mayReadItems: Type.Boolean(),
  mayAddItems: Type.Boolean(),
  mayRemoveItems: Type.Boolean(),
  maySetSeen: Type.Boolean(),
  maySetKeywords: Type.Boolean(),
  mayCreateChild: Type.Boolean(),
  mayRename: Type.Boolean(),
  mayDelete: Type.Boolean(),
  maySubmit: Type.Boolean(),
});
export type MailboxRights = Static<typeof MailboxRights>;

export const Mailbox = strict({
  id: Id,
  ...MailboxSettings.properties,
  totalEmails: UnsignedInt,
  unreadEmails: UnsignedInt,
  totalThreads: UnsignedInt,
  unreadThreads: UnsignedInt,
  myRights: MailboxRights,
});
export type Mailbox = Static<typeof Mailbox>;

/** §2.3. */
export const MailboxFilter = strict({
  parentId: Type.Optional(nullable(Type.String())),
  name: Type.Optional(Type.String()),
  role: Type.Optional(nullable(Type.String())),
  hasAnyRole: Type.Optional(Type.Boolean()),
  isSubscribed: Type.Optional(Type.Boolean()),
});
export type MailboxFilter = Static<typeof MailboxFilter>;
export const mailboxSorts = ['sortOrder', 'name', 'parentId'] as const;
