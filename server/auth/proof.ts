/**
 * What a login was proved with, so that what it has made can end with it: connections that stay open, and push subscriptions (RFC 8620 §7.2). A proof
 * names no secret, and may be kept.
 */
import { hash } from 'node:crypto';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Directory } from '../../storage/directory/directory.ts';
import type { PasswordKeys } from '../../storage/directory/records.ts';

/** `password`: a mark of it, another after each change. `tokenUntil`: milliseconds since the epoch. */
export type Proof = { readonly password: string } | { readonly appPassword: string } | { readonly tokenUntil: number };

export type ProofDirectory = Pick<Directory, 'accountById' | 'credential'>;

export function proofOfPassword({ argon2 }: Pick<PasswordKeys, 'argon2'>): Proof {
  return { password: hash('sha256', argon2, 'base64url').slice(0, 16) };
}

/** Whether the login would still be let in, as far as the directory and the clock tell. */
export function proofHolds(directory: ProofDirectory, now: number, accountId: AccountId, proof: Proof | undefined): boolean {
  if (directory.accountById(accountId) === undefined) return false;
  if (proof === undefined) return true;
  if ('tokenUntil' in proof) return now < proof.tokenUntil;
  const credential = directory.credential(accountId);
  if ('appPassword' in proof) return credential?.appPasswords.some(({ id }) => id === proof.appPassword) === true;
  const keys = credential?.password ?? null;
  return keys !== null && isSameProof(proofOfPassword(keys), proof);
}

export function isSameProof(a: Proof | undefined, b: Proof | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
