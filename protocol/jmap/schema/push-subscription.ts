/** PushSubscription (RFC 8620 §7.2), as a client gives it. */
import { type Static, Type } from 'typebox';
import { nullable } from './common.ts';

/** Of the browser's PushSubscription (RFC 8291), in base64url without padding. */
const Key = Type.String({ maxLength: 200, pattern: '^[A-Za-z0-9_-]+=*$' });

export const PushSubscriptionSettings = Type.Object(
  {
    deviceClientId: Type.String({ minLength: 1, maxLength: 255 }),
    url: Type.String({ maxLength: 2000 }),
    keys: nullable(Type.Object({ p256dh: Key, auth: Key }, { additionalProperties: false })),
    verificationCode: nullable(Type.String({ maxLength: 255 })),
    expires: nullable(Type.String({ maxLength: 40 })),
    types: nullable(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 100 })),
  },
  { additionalProperties: false },
);
export type PushSubscriptionSettings = Static<typeof PushSubscriptionSettings>;
