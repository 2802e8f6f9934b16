/** The keys that a SCRAM-SHA-256 server keeps (RFC 5802 §3, RFC 7677 §3), from a prepared password. */
import { createHmac, hash, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import type { ScramKeys } from '../../storage/directory/records.ts';

/**
 * RFC 7677 §4 asks for 4096 at least; these keys must not be the cheap way round argon2id. The client does the work at each login: some tens of
 * milliseconds on a phone.
 */
export const scramIterations = 65_536;
export const scramSaltBytes = 16;

const derive = promisify(pbkdf2);

export async function deriveScramKeys(password: string, salt: Uint8Array, iterations = scramIterations): Promise<ScramKeys> {
  const salted = await derive(password, salt, iterations, 32, 'sha256');
  const storedKey = sha256(hmacSha256(salted, 'Client Key')).toString('base64');
  const serverKey = hmacSha256(salted, 'Server Key').toString('base64');
  return { salt: Buffer.from(salt).toString('base64'), iterations, storedKey, serverKey };
}

export const hmacSha256 = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();
export const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer');
