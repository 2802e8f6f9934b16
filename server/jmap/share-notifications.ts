/** ShareNotification as JMAP shows it (RFC 9670 §3): an object of the log of the account that is told. */

import { formatUtcDate } from '../../protocol/jmap/utc-date.ts';
import { RightSet } from '../../protocol/mail/acl.ts';
import { type ShareNotificationRecord, shareNotificationType } from '../../protocol/mail/share-notification.ts';
import { jmapRightsOf } from './mailbox-rights.ts';
import type { ObjectType } from './standard/objects.ts';

/** null: none, as the one who has none does not see the mailbox. */
const shownRights = (letters: string) => (letters === '' ? null : jmapRightsOf(RightSet.of(letters)));

export const shareNotifications: ObjectType<ShareNotificationRecord> = {
  type: shareNotificationType,
  properties: {
    id: ({ id }) => id,
    created: ({ value }) => formatUtcDate(value.created),
    changedBy: ({ value }) => value.changedBy,
    objectType: ({ value }) => value.objectType,
    objectAccountId: ({ value }) => value.objectAccountId,
    objectId: ({ value }) => value.objectId,
    name: ({ value }) => value.name,
    oldRights: ({ value }) => shownRights(value.oldRights),
    newRights: ({ value }) => shownRights(value.newRights),
  },
};
