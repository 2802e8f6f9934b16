/** SieveScript (RFC 9661 §2). */
import { type Static, Type } from 'typebox';
import { Id, nullable, strict } from './common.ts';

/** What a client may set. */
export const SieveScriptSettings = strict({ name: nullable(Type.String()), blobId: Id });
export type SieveScriptSettings = Static<typeof SieveScriptSettings>;

export const SieveScript = strict({ id: Id, name: Type.String(), blobId: Id, isActive: Type.Boolean() });
export type SieveScript = Static<typeof SieveScript>;

/** §2.5. */
export const SieveScriptFilter = strict({ name: Type.Optional(Type.String()), isActive: Type.Optional(Type.Boolean()) });
export type SieveScriptFilter = Static<typeof SieveScriptFilter>;
export const sieveScriptSorts = ['name', 'isActive'] as const;
