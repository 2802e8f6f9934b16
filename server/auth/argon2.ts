/** argon2id (RFC 9106) in PHC string form: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, base64 without padding. Runs off the event loop. */
import { argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { StorageError } from '../../protocol/mail/errors.ts';

export interface Argon2Parameters {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane. About 25 ms on a server core. */
const argon2Defaults: Argon2Parameters = { memoryKiB: 19_456, passes: 2, parallelism: 1 };
export const argon2SaltBytes = 16;
const tagBytes = 32;
/** A hash in the directory may ask for no more than this: it would stop the server. */
const memoryKiBMax = 256 * 1024;

const derive = promisify(argon2);

/** Hashes a prepared password. */
export async function hashArgon2(password: string, salt: Uint8Array, parameters = argon2Defaults): Promise<string> {
  return formatPhc(parameters, salt, await tag(password, salt, parameters, tagBytes));
}

/** Whether the prepared password is the one in the PHC string. StorageError 'corrupt' when the string is none of ours. */
export async function verifyArgon2(phc: string, password: string): Promise<boolean> {
  const { parameters, salt, hash } = parsePhc(phc);
  return timingSafeEqual(await tag(password, salt, parameters, hash.length), hash);
}

function tag(password: string, salt: Uint8Array, { memoryKiB, passes, parallelism }: Argon2Parameters, tagLength: number): Promise<Buffer> {
  const message = Buffer.from(password, 'utf8');
  return derive('argon2id', { message, nonce: salt, memory: memoryKiB, passes, parallelism, tagLength });
}

function formatPhc({ memoryKiB, passes, parallelism }: Argon2Parameters, salt: Uint8Array, hash: Uint8Array): string {
  return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(hash)}`;
}

const phcPattern = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

export function parsePhc(phc: string): { readonly parameters: Argon2Parameters; readonly salt: Buffer; readonly hash: Buffer } {
  const [, memory, passes, parallelism, salt, hash] = phcPattern.exec(phc) ?? [];
  const parameters = { memoryKiB: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  if (salt === undefined || hash === undefined || parameters.memoryKiB > memoryKiBMax) {
    throw new StorageError('corrupt', 'A password hash in the directory is not an argon2id string that this version reads.');
  }
  return { parameters, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

const unpadded = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '');
