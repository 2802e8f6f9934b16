/** Calls a hook by HTTPS: POST of the event as JSON; the answer is the body of a 200. With a secret, the body is signed, so that the function knows us. */
import { createHmac } from 'node:crypto';
import type { Clock } from '../../storage/clock.ts';
import { HookError } from './contract.ts';
import type { Hook } from './hooks.ts';
import { responseBytesMax } from './limits.ts';

export interface HttpsHookOptions {
  readonly url: string;
  readonly secret?: string;
  readonly mode: Hook['mode'];
  readonly clock: Pick<Clock, 'now'>;
}

/** `Satchel-Signature: t=<unix seconds>,v1=<HMAC-SHA256 of "t.body" in hex>`. */
export function httpsCall({ url, secret, mode, clock }: HttpsHookOptions): Hook['call'] {
  return async (event, signal) => {
    const body = JSON.stringify(event);
    const at = Math.floor(clock.now() / 1000);
    const signature = secret && createHmac('sha256', secret).update(`${at}.${body}`).digest('hex');
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...(signature && { 'satchel-signature': `t=${at},v1=${signature}` }) },
      redirect: 'error',
      signal,
    });
    const text = await readText(response);
    if (!response.ok) throw new HookError(`It answered ${response.status}.`);
    return mode === 'async' ? undefined : parseJson(text);
  };
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > responseBytesMax) throw new HookError(`It answered with more than ${responseBytesMax} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Throws HookError. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HookError('Its answer is no JSON.', { cause: error });
  }
}
