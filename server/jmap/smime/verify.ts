/**
 * Verifies S/MIME signatures (RFC 8551, RFC 8550): the signature over the bytes, the signer's certificate up to a trust anchor at a given time, its
 * purpose, and that it is the sender's. Revocation is not looked at. Nothing throws, whatever the bytes: what cannot be read is a failed signature.
 */
import { fromBER } from 'asn1js';
import { type AltName, Certificate, ContentInfo, type ExtKeyUsage, SignedData, SignedDataVerifyError } from 'pkijs';
import { smimeCertificatesMax, smimeSignersMax } from '../limits.ts';

export interface SignedBytes {
  /** BER of the CMS object. */
  readonly cms: Uint8Array;
  /** What a detached signature is of; undefined where it is inside. */
  readonly content: Uint8Array | undefined;
}

/** Trust anchors, from PEM. What is no certificate is passed over. */
export function readTrustAnchors(pems: readonly string[]): Certificate[] {
  return pems.flatMap((pem) =>
    [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g)].flatMap(([, base64 = '']) => {
      try {
        return [Certificate.fromBER(toArrayBuffer(Buffer.from(base64, 'base64')))];
      } catch {
        return [];
      }
    }),
  );
}

/** What is wrong with the signature as of `at` (milliseconds since the epoch), in sentences; none: it is verified. `from`: addresses of From. */
export async function verifySignature(
  { cms, content }: SignedBytes,
  from: readonly string[],
  anchors: readonly Certificate[],
  at: number,
): Promise<string[]> {
  const signedData = readSignedData(cms);
  if (signedData === undefined) return ['The signature cannot be read.'];
  const { signerInfos } = signedData;
  if (signerInfos.length === 0) return ['Nobody has signed.'];
  if (signerInfos.length > smimeSignersMax || (signedData.certificates?.length ?? 0) > smimeCertificatesMax)
    return ['There are too many signers or certificates.'];
  const problems: string[] = [];
  for (const signer of signerInfos.keys()) {
    const problem = await verifySigner(signedData, signer, content, from, anchors, new Date(at));
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

function readSignedData(cms: Uint8Array): SignedData | undefined {
  try {
    const { result, offset } = fromBER(toArrayBuffer(cms));
    if (offset === -1) return undefined;
    const info = new ContentInfo({ schema: result });
    return info.contentType === ContentInfo.SIGNED_DATA ? new SignedData({ schema: info.content }) : undefined;
  } catch {
    return undefined;
  }
}

async function verifySigner(
  signedData: SignedData,
  signer: number,
  content: Uint8Array | undefined,
  from: readonly string[],
  anchors: readonly Certificate[],
  checkDate: Date,
): Promise<string | undefined> {
  let certificate: Certificate | null | undefined;
  try {
    const verified = await signedData.verify({
      signer,
      ...(content === undefined ? {} : { data: toArrayBuffer(content) }),
      trustedCerts: [...anchors],
      checkDate,
      checkChain: true,
      extendedMode: true,
    });
    if (verified.signatureVerified !== true) return 'The signature does not fit the message.';
    if (verified.signerCertificateVerified !== true) return 'The certificate does not lead to a trusted one.';
    certificate = verified.signerCertificate;
  } catch (error) {
    // Codes of pkijs: 5 and 13 are of the certificate's chain.
    const isChain = error instanceof SignedDataVerifyError && error.signatureVerified !== false && /chain|certificate/i.test(error.message);
    return isChain ? `The certificate is not trusted: ${sentence(error.message)}` : 'The signature cannot be verified.';
  }
  if (!certificate) return 'The certificate of the signer is missing.';
  if (!isForMail(certificate)) return 'The certificate is not for mail.';
  const addresses = addressesOf(certificate);
  return from.some((address) => addresses.includes(address.toLowerCase()))
    ? undefined
    : 'The certificate is not of the sender of the message.';
}

const sentence = (text: string) => `${text.slice(0, 200).replace(/[.\s]+$/, '')}.`;

const extKeyUsageId = '2.5.29.37';
const subjectAltNameId = '2.5.29.17';
/** id-kp-emailProtection and anyExtendedKeyUsage (RFC 5280 §4.2.1.12). */
const mailPurposes = ['1.3.6.1.5.5.7.3.4', '2.5.29.37.0'];

/** RFC 8550 §4.4.4: without extended key usages it is for anything. */
function isForMail({ extensions }: Certificate): boolean {
  const usage = extensions?.find(({ extnID }) => extnID === extKeyUsageId)?.parsedValue as ExtKeyUsage | undefined;
  return usage === undefined || usage.keyPurposes.some((purpose) => mailPurposes.includes(purpose));
}

const rfc822Name = 1;
const emailAddressId = '1.2.840.113549.1.9.1';

/** RFC 8550 §3: addresses in the certificate, lower case. */
function addressesOf({ extensions, subject }: Certificate): string[] {
  const names = extensions?.find(({ extnID }) => extnID === subjectAltNameId)?.parsedValue as AltName | undefined;
  const inExtension = (names?.altNames ?? []).filter(({ type }) => type === rfc822Name).map(({ value }) => String(value));
  const inSubject = subject.typesAndValues.filter(({ type }) => type === emailAddressId).map(({ value }) => String(value.valueBlock.value));
  return [...inExtension, ...inSubject].map((address) => address.toLowerCase());
}

const toArrayBuffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;
