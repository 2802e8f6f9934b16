/** Fetches the small documents of SNS: certificates, and the confirmation of a subscription. */
import { fetchBytesMax, fetchMsMax } from './limits.ts';

/** Rejects for any answer but 200, for a redirect, and for more than a document of SNS has. */
export async function fetchSnsText(url: string): Promise<string> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(fetchMsMax) });
  if (!response.ok || response.body === null) throw new Error(`${new URL(url).host} answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > fetchBytesMax) throw new Error(`${new URL(url).host} answered with more than ${fetchBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
