/**
 * The identities of an account (RFC 8621 §6). Each of its addresses has a default one, made here as objects of the log when identities are asked for
 * and the directory has moved on, so that they have states and changes like all others; a catch-all has none, since nobody is called `*`.
 */
import { hash } from 'node:crypto';
import { type IdentityRecord, identityType } from '../../protocol/jmap/schema/identity.ts';
import type { AccountReader, AccountTransactor } from '../../storage/account/api.ts';
import type { MethodContext } from './method.ts';
import type { ObjectType } from './standard/objects.ts';

export const identities: ObjectType<IdentityRecord> = {
  type: identityType,
  properties: {
    id: ({ id }) => id,
    name: ({ value }) => value.name,
    email: ({ value }) => value.email,
    replyTo: ({ value }) => value.replyTo,
    bcc: ({ value }) => value.bcc,
    textSignature: ({ value }) => value.textSignature,
    htmlSignature: ({ value }) => value.htmlSignature,
    mayDelete: ({ value }) => !value.isDefault,
  },
};

/** The same on every node. */
const defaultIdOf = (address: string) => `d${hash('sha256', address, 'hex').slice(0, 16)}`;

/** Brings the default identities up to the directory. Only where something differs is there a commit. */
export async function bringIdentitiesUp({ account, services }: MethodContext): Promise<void> {
  const addresses = services.directory.addressesOf(account.id).filter((address) => !address.startsWith('*@'));
  const name = services.directory.accountById(account.id)?.name ?? '';
  const { missing, gone } = account.read((reader) => difference(reader, addresses));
  if (missing.length === 0 && gone.length === 0) return;
  await account.transact((tx) => {
    const now = difference(tx, addresses);
    for (const address of now.missing) putDefault(tx, address, name);
    for (const id of now.gone) tx.removeObject(identityType, id);
  });
}

function difference(reader: AccountReader, addresses: readonly string[]): { missing: string[]; gone: string[] } {
  const wanted = new Map(addresses.map((address) => [defaultIdOf(address), address]));
  const gone: string[] = [];
  for (const { id, value } of reader.objects<IdentityRecord>(identityType)) {
    if (value.isDefault && !wanted.delete(id)) gone.push(id);
  }
  return { missing: [...wanted.values()], gone };
}

function putDefault(tx: AccountTransactor, email: string, name: string): void {
  const record: IdentityRecord = { name, email, replyTo: null, bcc: null, textSignature: '', htmlSignature: '', isDefault: true };
  tx.putObject(identityType, defaultIdOf(email), record);
}
