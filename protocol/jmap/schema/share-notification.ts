/** ShareNotification (RFC 9670 §3): that somebody's rights on something of another account changed. */
import { type Static, Type } from 'typebox';
import { strict } from './common.ts';

export const shareNotificationType = 'ShareNotification';

/** As the log of the account that is told keeps it. Rights are letters of RFC 4314 §2.1; none: ''. */
export interface ShareNotificationRecord {
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** `principalId` null: an administrator. */
  readonly changedBy: { readonly name: string; readonly email: string | null; readonly principalId: string | null };
  readonly objectType: 'Mailbox';
  readonly objectAccountId: string;
  readonly objectId: string;
  readonly name: string;
  readonly oldRights: string;
  readonly newRights: string;
}

/** §3.5.1. */
export const ShareNotificationFilter = strict({
  after: Type.Optional(Type.String()),
  before: Type.Optional(Type.String()),
  objectType: Type.Optional(Type.String()),
  objectAccountId: Type.Optional(Type.String()),
});
export type ShareNotificationFilter = Static<typeof ShareNotificationFilter>;
export const shareNotificationSorts = ['created'] as const;
