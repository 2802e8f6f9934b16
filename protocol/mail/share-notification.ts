/** What an account is told of a change of its rights on something of another account (RFC 9670 §3): an object of its own log. The format: docs/FORMAT.md. */
import type { AccountId } from './ids.ts';

export const shareNotificationType = 'ShareNotification';

/** Rights are letters of RFC 4314 §2.1; none: ''. */
export interface ShareNotificationRecord {
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** `principalId` null: an administrator. */
  readonly changedBy: { readonly name: string; readonly email: string | null; readonly principalId: string | null };
  readonly objectType: 'Mailbox';
  readonly objectAccountId: AccountId;
  readonly objectId: string;
  /** As it was called then. */
  readonly name: string;
  readonly oldRights: string;
  readonly newRights: string;
}
