/** What RFC 9219 says of an email's S/MIME signature. */
import { type Static, Type } from 'typebox';

export type SmimeStatus = 'unknown' | 'signed' | 'signed/verified' | 'signed/failed';

/** Email properties (§4.1), given when they are asked for by name. */
export const smimeProperties = ['smimeStatus', 'smimeStatusAtDelivery', 'smimeErrors', 'smimeVerifiedAt'] as const;

/** Conditions of an Email filter (§4.3). */
export const SmimeFilter = Type.Object({
  hasSmime: Type.Optional(Type.Boolean()),
  hasVerifiedSmime: Type.Optional(Type.Boolean()),
  hasVerifiedSmimeAtDelivery: Type.Optional(Type.Boolean()),
});
export type SmimeFilter = Static<typeof SmimeFilter>;
