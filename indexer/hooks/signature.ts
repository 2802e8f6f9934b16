/** AWS Signature Version 4 of a call, checked with the keys that Satchel has issued: the signature is made again and compared. */
import { createHash, createHmac, hash, timingSafeEqual } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { signatureSkewMs } from './limits.ts';

export interface SignedRequest {
  readonly method: string;
  /** As sent: path and query, still encoded. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface SignaturePolicy {
  readonly service: string;
  readonly secretOf: (accessKeyId: string) => string | undefined;
  readonly now: number;
}

const authorizationPattern =
  /^AWS4-HMAC-SHA256 +Credential=([^/,]+)\/(\d{8})\/([^/,]+)\/([^/,]+)\/aws4_request, *SignedHeaders=([^, ]+), *Signature=([0-9a-f]{64})$/;

/** Undefined: it is good. Otherwise AWS's name for what is wrong with it. */
export async function signatureFault(request: SignedRequest, policy: SignaturePolicy): Promise<string | undefined> {
  const { headers, method, url, body } = request;
  const header = (name: string) => (typeof headers[name] === 'string' ? headers[name] : '');
  const match = authorizationPattern.exec(header('authorization'));
  if (match === null)
    return headers['authorization'] === undefined ? 'MissingAuthenticationTokenException' : 'IncompleteSignatureException';
  const [, accessKeyId = '', day = '', region = '', service = '', signedNames = '', signature = ''] = match;
  const secretAccessKey = policy.secretOf(accessKeyId);
  if (secretAccessKey === undefined) return 'UnrecognizedClientException';
  const signingDate = dateOf(header('x-amz-date'));
  if (signingDate === undefined || !header('x-amz-date').startsWith(day)) return 'IncompleteSignatureException';
  if (Math.abs(policy.now - signingDate.getTime()) > signatureSkewMs || service !== policy.service) return 'InvalidSignatureException';
  const names = signedNames.split(';');
  // What is not signed could have been added on the way.
  const mustBeSigned = Object.keys(headers).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  if (!mustBeSigned.every((name) => names.includes(name))) return 'InvalidSignatureException';
  const payloadHash = header('x-amz-content-sha256');
  if (payloadHash !== '' && payloadHash !== hash('sha256', body)) return 'InvalidSignatureException';
  const signer = new SignatureV4({
    service,
    region,
    credentials: { accessKeyId, secretAccessKey },
    sha256: Sha256,
    applyChecksum: payloadHash !== '',
  });
  const [path = '', query = ''] = url.split('?', 2);
  const signed = await signer.sign(
    {
      method,
      protocol: 'https:',
      hostname: header('host'),
      path,
      query: Object.fromEntries(new URLSearchParams(query)),
      headers: Object.fromEntries(names.map((name) => [name, header(name)])),
      body,
    },
    { signingDate, signableHeaders: new Set(names) },
  );
  const expected = Buffer.from(authorizationPattern.exec(signed.headers['authorization'] ?? '')?.[6] ?? '');
  const isEqual = expected.length === signature.length && timingSafeEqual(expected, Buffer.from(signature));
  return isEqual ? undefined : 'InvalidSignatureException';
}

function dateOf(amzDate: string): Date | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(amzDate);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** What the signer wants of a hash. */
class Sha256 {
  readonly #hash: { update(data: Uint8Array | string): unknown; digest(): Buffer };

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    if (secret === undefined) this.#hash = createHash('sha256');
    else this.#hash = createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {}
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array | string {
  if (typeof data === 'string') return data;
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
}
