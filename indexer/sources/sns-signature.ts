/**
 * Whether an SNS message is what SNS sent: its signature, by the certificate that it names, which lies on a host of SNS.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
 */
import { verify } from 'node:crypto';
import { certificatesMax } from '../limits.ts';

/** The fields of an SNS message over HTTP(S), as they came. */
export type SnsMessage = Readonly<Record<string, unknown>> & { readonly Type: string; readonly TopicArn: string };

/** GET of a small document by https, without following redirects; rejects when it cannot be had now. */
export type FetchText = (url: string) => Promise<string>;

const confirmed = ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'];
const signedFields: ReadonlyMap<string, readonly string[]> = new Map([
  ['Notification', ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type']],
  ['SubscriptionConfirmation', confirmed],
  ['UnsubscribeConfirmation', confirmed],
]);

const digests: ReadonlyMap<unknown, string> = new Map([
  ['1', 'RSA-SHA1'],
  ['2', 'RSA-SHA256'],
]);

export class SnsVerifier {
  readonly #fetchText: FetchText;
  readonly #certificates = new Map<string, Promise<string>>();

  constructor(fetchText: FetchText) {
    this.#fetchText = fetchText;
  }

  /** Undefined when the message is SNS's own, otherwise what is wrong with it. Rejects when the certificate cannot be fetched now. */
  async fault(message: SnsMessage): Promise<string | undefined> {
    const { SigningCertURL: url, Signature: signature, SignatureVersion: version, TopicArn: topicArn } = message;
    const text = stringToSign(message);
    const digest = digests.get(version);
    if (text === undefined) return 'the message is not complete';
    if (digest === undefined) return 'the signature has an unknown version';
    if (typeof url !== 'string' || !isSnsUrl(url, topicArn) || !new URL(url).pathname.endsWith('.pem')) {
      return 'the certificate does not lie with SNS';
    }
    if (typeof signature !== 'string') return 'there is no signature';
    const certificate = await this.#certificate(url);
    try {
      return verify(digest, Buffer.from(text), certificate, Buffer.from(signature, 'base64')) ? undefined : 'the signature is wrong';
    } catch {
      this.#certificates.delete(url);
      return 'the certificate cannot be read';
    }
  }

  #certificate(url: string): Promise<string> {
    const known = this.#certificates.get(url);
    if (known !== undefined) return known;
    if (this.#certificates.size >= certificatesMax) this.#certificates.clear();
    const fetching = this.#fetchText(url);
    this.#certificates.set(url, fetching);
    fetching.catch(() => this.#certificates.delete(url));
    return fetching;
  }
}

/** `https` on SNS's own host in the topic's region, nothing but a path and a query. */
export function isSnsUrl(url: string, topicArn: string): boolean {
  const { protocol, hostname, port, username, password } = URL.parse(url) ?? { protocol: '' };
  const [, region] = /^sns\.([a-zA-Z0-9-]{3,})\.amazonaws\.com(?:\.cn)?$/.exec(hostname ?? '') ?? [];
  const isPlain = port === '' && username === '' && password === '';
  return protocol === 'https:' && isPlain && region !== undefined && region === topicArn.split(':')[3];
}

function stringToSign(message: SnsMessage): string | undefined {
  let text = '';
  for (const name of signedFields.get(message.Type) ?? []) {
    const value = message[name];
    if (value === undefined && name === 'Subject') continue;
    if (typeof value !== 'string') return undefined;
    text += `${name}\n${value}\n`;
  }
  return text === '' ? undefined : text;
}
