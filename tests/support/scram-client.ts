/** The client's side of SCRAM-SHA-256 (RFC 5802 §3), written apart from the server's. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

const hmac = (key: Uint8Array, text: string) => createHmac('sha256', key).update(text).digest();

/** client-final-message: `withoutProof` and the proof for it. */
export function clientFinalMessage(password: string, clientFirstBare: string, serverFirst: string, withoutProof: string): string {
  const [, salt, iterations] = /,s=([^,]+),i=(\d+)$/.exec(serverFirst)!;
  const salted = pbkdf2Sync(password, Buffer.from(salt!, 'base64'), Number(iterations), 32, 'sha256');
  const clientKey = hmac(salted, 'Client Key');
  const signature = hmac(createHash('sha256').update(clientKey).digest(), `${clientFirstBare},${serverFirst},${withoutProof}`);
  const proof = clientKey.map((byte, index) => byte ^ signature[index]!);
  return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
}
