/** Passwords on their way into the directory: what is accepted, what is kept of it, and random ones. */
import { hash, randomBytes } from 'node:crypto';
import { MailError } from '../../protocol/mail/errors.ts';
import type { PasswordKeys } from '../../storage/directory/records.ts';
import { argon2SaltBytes, hashArgon2 } from './argon2.ts';
import { passwordBytesMax, passwordCharactersMin } from './limits.ts';
import { saslPrep } from './saslprep.ts';
import { deriveScramKeys, scramSaltBytes } from './scram-keys.ts';

/** Everything the directory keeps of a password. Refuses one that is empty, too long or cannot be typed, with a sentence. */
export async function makePasswordKeys(password: string): Promise<PasswordKeys> {
  const prepared = requirePassword(password);
  const [argon2, scramSha256] = await Promise.all([
    hashArgon2(prepared, randomBytes(argon2SaltBytes)),
    deriveScramKeys(prepared, randomBytes(scramSaltBytes)),
  ]);
  return { argon2, scramSha256 };
}

function requirePassword(password: string): string {
  const prepared = saslPrep(password);
  if (prepared === undefined)
    throw new MailError('invalidArguments', 'The password holds a character that cannot be used, such as a control character.');
  if ([...prepared].length < passwordCharactersMin) {
    throw new MailError('invalidArguments', 'The password is empty.');
  }
  if (Buffer.byteLength(prepared) > passwordBytesMax)
    throw new MailError('tooLarge', `The password is too long: at most ${passwordBytesMax} bytes.`);
  return prepared;
}

/** The directory's form of an app password. Only for ones from randomPassword(): a fast hash keeps what cannot be guessed, and nothing else. */
export const hashAppPassword = (prepared: string): string => hash('sha256', prepared);

/** Crockford's base 32 in lower case: no i, l, o or u, so that it can be read aloud and typed from paper. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** 100 random bits as five groups of four characters: `k7mp-2xqr-9v3d-h0wt-5bnc`. */
export function randomPassword(): string {
  const characters = Array.from(randomBytes(20), (byte) => alphabet[byte & 31]).join('');
  return characters.match(/.{4}/g)!.join('-');
}
