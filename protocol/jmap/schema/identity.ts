/** Identity (RFC 8621 §6). The account's log keeps an IdentityRecord for each, under the type `Identity`. */
import { type Static, Type } from 'typebox';
import { Id, nullable, strict } from './common.ts';
import { EmailAddress } from './email.ts';

export const identityType = 'Identity';

const Addresses = nullable(Type.Array(EmailAddress, { maxItems: 100 }));

/** What a client sets; `email` only at creation. */
export const IdentitySettings = strict({
  name: Type.String({ maxLength: 1_000 }),
  email: Type.String({ minLength: 3, maxLength: 320 }),
  replyTo: Addresses,
  bcc: Addresses,
  textSignature: Type.String({ maxLength: 100_000 }),
  htmlSignature: Type.String({ maxLength: 500_000 }),
});
export type IdentitySettings = Static<typeof IdentitySettings>;

export const Identity = strict({ id: Id, ...IdentitySettings.properties, mayDelete: Type.Boolean() });
export type Identity = Static<typeof Identity>;

/** As it is kept. `isDefault`: made from an address of the account, and gone when the account has the address no more. */
export interface IdentityRecord extends IdentitySettings {
  readonly isDefault: boolean;
}
