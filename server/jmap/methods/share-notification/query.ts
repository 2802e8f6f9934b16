/** ShareNotification/query and /queryChanges (RFC 9670 §3.5, §3.6). */
import { queryArguments, queryChangesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { ShareNotificationFilter, type shareNotificationSorts } from '../../../../protocol/jmap/schema/share-notification.ts';
import type { ShareNotificationRecord } from '../../../../protocol/mail/share-notification.ts';
import { defineMethod, principalsCapability } from '../../method.ts';
import { shareNotifications } from '../../share-notifications.ts';
import { isWithin, type ObjectQuery, queryChangesOfObjects, queryObjects } from '../../standard/object-queries.ts';

const sorts: Readonly<Record<(typeof shareNotificationSorts)[number], (value: ShareNotificationRecord) => number>> = {
  created: ({ created }) => created,
};

const query: ObjectQuery<ShareNotificationRecord, typeof ShareNotificationFilter> = {
  objects: shareNotifications,
  noun: 'Share notifications',
  filter: ShareNotificationFilter,
  matches: ({ objectType, objectAccountId, ...dates }, value) =>
    (objectType === undefined || value.objectType === objectType) &&
    (objectAccountId === undefined || value.objectAccountId === objectAccountId) &&
    isWithin(value.created, dates),
  sorts,
  usual: ({ created }) => created,
};

export const shareNotificationQuery = defineMethod({
  name: 'ShareNotification/query',
  capability: principalsCapability,
  access: 'read',
  arguments: queryArguments({}),
  run: (context, args) => queryObjects(context, args, query),
});

export const shareNotificationQueryChanges = defineMethod({
  name: 'ShareNotification/queryChanges',
  capability: principalsCapability,
  access: 'read',
  arguments: queryChangesArguments({}),
  run: (context, args) => queryChangesOfObjects(context, args, query),
});
