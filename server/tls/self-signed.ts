/** Makes the certificate of a first start: EC P-256, signed by itself, for this machine's names (RFC 5280, RFC 5480). */
import { generateKeyPairSync, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { bitString, boolean, explicit, implicit, integer, objectIdentifier, octetString, sequence, set, time, utf8String } from './der.ts';

export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

export interface SelfSignedOptions {
  /** Host names and IP addresses; the first is the subject. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Serial number, up to 18 bytes in hex. */
  readonly serial: string;
}

/** Apple's clients refuse certificates that live longer than 825 days. */
const lifetimeDays = 820;

const ecdsaWithSha256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const critical = boolean(true);

export function makeSelfSigned(options: SelfSignedOptions): PemPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(attribute('2.5.4.3', options.names[0] ?? 'localhost'), attribute('2.5.4.10', 'Satchel, self-signed'));
  // RFC 5280 §4.1.
  const toBeSigned = sequence(
    explicit(0, integer(Uint8Array.of(2))),
    integer(Buffer.from(`01${options.serial}`, 'hex')),
    ecdsaWithSha256,
    name,
    // An hour back, for clients whose clocks are behind.
    sequence(time(options.now - 3_600_000), time(options.now + lifetimeDays * 86_400_000)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(
      3,
      sequence(
        // Basic constraints: no CA. Key usage: digitalSignature. Extended: serverAuth.
        extension('2.5.29.19', sequence(), critical),
        extension('2.5.29.15', bitString(Uint8Array.of(0x80), 7), critical),
        extension('2.5.29.37', sequence(objectIdentifier('1.3.6.1.5.5.7.3.1'))),
        extension('2.5.29.17', sequence(...options.names.map(generalName))),
      ),
    ),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  const certificate = sequence(toBeSigned, ecdsaWithSha256, bitString(signature));
  const base64 = certificate.toString('base64').replace(/.{1,64}/g, '$&\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64}-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

const attribute = (type: string, value: string) => set(sequence(objectIdentifier(type), utf8String(value)));

const extension = (id: string, value: Buffer, isCritical?: Buffer) =>
  sequence(objectIdentifier(id), ...(isCritical === undefined ? [] : [isCritical]), octetString(value));

/** RFC 5280 §4.2.1.6: dNSName is [2], iPAddress is [7]. */
function generalName(name: string): Buffer {
  return isIP(name) === 0 ? implicit(2, Buffer.from(name)) : implicit(7, addressBytes(name));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (text: string | undefined) => (text ? text.split(':') : []);
  const left = groups(head);
  const right = groups(tail);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return Buffer.from([...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join(''), 'hex');
}
