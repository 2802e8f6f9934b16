/** Fetches small documents: SNS's certificates and the confirmation of a subscription, and what an OpenID provider says of itself. */
import { providerDocumentBytesMax, providerFetchMsMax } from '../auth/limits.ts';
import { fetchBytesMax, fetchMsMax } from './limits.ts';

export const fetchSnsText = (url: string): Promise<string> => fetchText(url, fetchBytesMax, fetchMsMax);
export const fetchProviderText = (url: string): Promise<string> => fetchText(url, providerDocumentBytesMax, providerFetchMsMax);

/** Rejects for any answer but 200, for a redirect, and for more than such a document has. */
async function fetchText(url: string, bytesMax: number, msMax: number): Promise<string> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(msMax) });
  if (!response.ok || response.body === null) throw new Error(`${new URL(url).host} answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > bytesMax) throw new Error(`${new URL(url).host} answered with more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
