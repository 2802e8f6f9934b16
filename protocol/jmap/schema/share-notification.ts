/** ShareNotification (RFC 9670 §3): that somebody's rights on something of another account changed. */
import { type Static, Type } from 'typebox';
import { strict } from './common.ts';

/** §3.5.1. */
export const ShareNotificationFilter = strict({
  after: Type.Optional(Type.String()),
  before: Type.Optional(Type.String()),
  objectType: Type.Optional(Type.String()),
  objectAccountId: Type.Optional(Type.String()),
});
export type ShareNotificationFilter = Static<typeof ShareNotificationFilter>;
export const shareNotificationSorts = ['created'] as const;
