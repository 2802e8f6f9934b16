/** Principal (RFC 9670 §2): who and what of a directory can be shared with. */
import { type Static, Type } from 'typebox';
import { Id, nullable, strict } from './common.ts';

export const Principal = strict({
  id: Id,
  type: Type.String(),
  name: Type.String(),
  description: nullable(Type.String()),
  email: nullable(Type.String()),
  timeZone: nullable(Type.String()),
  capabilities: Type.Record(Type.String(), Type.Unknown()),
  accounts: nullable(Type.Record(Id, Type.Unknown())),
});
export type Principal = Static<typeof Principal>;

/** §2.4.1. */
export const PrincipalFilter = strict({
  accountIds: Type.Optional(Type.Array(Type.String())),
  email: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  text: Type.Optional(Type.String()),
  type: Type.Optional(Type.String()),
  timeZone: Type.Optional(Type.String()),
});
export type PrincipalFilter = Static<typeof PrincipalFilter>;
export const principalSorts = ['name', 'email'] as const;
