/** Signs a configuration profile with the server's certificate (CMS, RFC 5652), so that Apple's devices show whom it is from. */
import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto';
import * as asn1js from 'asn1js';
import * as pkijs from 'pkijs';

/** PEM: the chain, the server's own certificate first, and its key. */
export interface SigningPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** OIDs of RFC 5652 §11.1, §11.2. */
const idData = '1.2.840.113549.1.7.1';
const idSignedData = '1.2.840.113549.1.7.2';
const idContentType = '1.2.840.113549.1.9.3';
const idMessageDigest = '1.2.840.113549.1.9.4';
const idSigningTime = '1.2.840.113549.1.9.5';

/** DER. Undefined when the key is of a kind that cannot sign so (Ed25519): the profile is then given unsigned. */
export async function signProfile(profile: string, { cert, key }: SigningPair, now: number): Promise<Buffer | undefined> {
  const privateKey = await importKey(createPrivateKey(key));
  if (privateKey === undefined) return undefined;
  const chain = Array.from(cert.toString('latin1').matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g), ([, body]) =>
    pkijs.Certificate.fromBER(Buffer.from(body!, 'base64')),
  );
  const [signer] = chain;
  if (signer === undefined) return undefined;
  const content = Buffer.from(profile);
  const digest = await webcrypto.subtle.digest('SHA-256', content);
  const attribute = (type: string, value: unknown) => new pkijs.Attribute({ type, values: [value] });
  const signed = new pkijs.SignedData({
    version: 1,
    encapContentInfo: new pkijs.EncapsulatedContentInfo({ eContentType: idData, eContent: new asn1js.OctetString({ valueHex: content }) }),
    signerInfos: [
      new pkijs.SignerInfo({
        version: 1,
        sid: new pkijs.IssuerAndSerialNumber({ issuer: signer.issuer, serialNumber: signer.serialNumber }),
        signedAttrs: new pkijs.SignedAndUnsignedAttributes({
          type: 0,
          attributes: [
            attribute(idContentType, new asn1js.ObjectIdentifier({ value: idData })),
            attribute(idSigningTime, new asn1js.UTCTime({ valueDate: new Date(now) })),
            attribute(idMessageDigest, new asn1js.OctetString({ valueHex: digest })),
          ],
        }),
      }),
    ],
    certificates: chain,
  });
  await signed.sign(privateKey, 0, 'SHA-256');
  const info = new pkijs.ContentInfo({ contentType: idSignedData, content: signed.toSchema(true) });
  return Buffer.from(info.toSchema().toBER(false));
}

const curves: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

async function importKey(key: KeyObject): Promise<webcrypto.CryptoKey | undefined> {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const load = (algorithm: webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams) =>
    webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
  if (key.asymmetricKeyType === 'rsa') return load({ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' });
  const namedCurve = curves[key.asymmetricKeyDetails?.namedCurve ?? ''];
  return key.asymmetricKeyType === 'ec' && namedCurve !== undefined ? load({ name: 'ECDSA', namedCurve }) : undefined;
}
