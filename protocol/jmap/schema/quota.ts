/** Quota (RFC 9425 §4). */
import { type Static, Type } from 'typebox';
import { Id, nullable, strict, UnsignedInt } from './common.ts';

export const Quota = strict({
  id: Id,
  resourceType: Type.String(),
  used: UnsignedInt,
  hardLimit: UnsignedInt,
  scope: Type.String(),
  name: Type.String(),
  types: Type.Array(Type.String()),
  warnLimit: nullable(UnsignedInt),
  softLimit: nullable(UnsignedInt),
  description: nullable(Type.String()),
});
export type Quota = Static<typeof Quota>;

/** §4.3. */
export const QuotaFilter = strict({
  name: Type.Optional(Type.String()),
  scope: Type.Optional(Type.String()),
  resourceType: Type.Optional(Type.String()),
  type: Type.Optional(Type.String()),
});
export type QuotaFilter = Static<typeof QuotaFilter>;
export const quotaSorts = ['name', 'used'] as const;
