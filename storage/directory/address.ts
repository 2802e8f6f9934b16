/**
 * Mail addresses in canonical form: one spelling for all that mean the same mailbox. The domain is in lower-case A-labels (RFC 5890 §2.3.2.1), the
 * local part in NFC and lower case (RFC 5321 §2.4 leaves its case to the host that owns it: us).
 */
import { domainToASCII, domainToUnicode } from 'node:url';
import { MailError } from '../../protocol/mail/errors.ts';
import { addressBytesMax, domainBytesMax, localPartBytesMax } from './limits.ts';

export interface AddressParts {
  readonly local: string;
  readonly domain: string;
}

/** RFC 5321 §4.1.2 sub-domain, with the underscore that private networks use. */
const labelPattern = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** RFC 5321 §4.1.2 Dot-string, RFC 6531 §3.3: atext or any non-ASCII character that is neither control nor space. */
const dotStringPattern = /^[a-z0-9!#$%&'*+/=?^_`{|}~\-\u{a1}-\u{10ffff}]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~\-\u{a1}-\u{10ffff}]+)*$/u;

/** The domain in lower-case A-labels, or undefined when it is none. U-labels and A-labels of one domain give the same. */
export function canonicalDomain(domain: string): string | undefined {
  // domainToASCII is made for URLs: it would decode percent signs and read numbers as IP addresses, so ASCII never passes through it.
  const isAscii = /^[\x21-\x7e]+$/.test(domain);
  if (!isAscii && /[\x00-\x20%:/?#@[\]\\<>^|]/.test(domain)) return undefined;
  const ascii = isAscii ? domain.toLowerCase() : domainToASCII(domain);
  if (ascii === '' || ascii.length > domainBytesMax || /^[0-9.]+$/.test(ascii)) return undefined;
  return ascii.split('.').every((label) => labelPattern.test(label)) ? ascii : undefined;
}

/** How people write the domain: U-labels. */
export function displayDomain(domain: string): string {
  const unicode = domainToUnicode(domain);
  return unicode === '' ? domain : unicode;
}

/** Splits an address as it comes over the wire and puts it into canonical form; undefined when it is none. A quoted local part is unquoted. */
export function parseAddress(address: string): AddressParts | undefined {
  const at = address.lastIndexOf('@');
  if (at < 1 || Buffer.byteLength(address) > addressBytesMax * 2) return undefined;
  const domain = canonicalDomain(address.slice(at + 1));
  const local = unquote(address.slice(0, at)).normalize('NFC').toLowerCase();
  if (domain === undefined || local === '' || Buffer.byteLength(local) > localPartBytesMax) return undefined;
  if (local.length + 1 + domain.length > addressBytesMax || /[\x00-\x1f\x7f]/.test(local)) return undefined;
  return { local, domain };
}

export const formatAddress = ({ local, domain }: AddressParts): string => `${local}@${domain}`;

/** The canonical address, or undefined. */
export function canonicalAddress(address: string): string | undefined {
  const parts = parseAddress(address);
  return parts && formatAddress(parts);
}

/** For addresses that the directory is to hold: only those that need no quoting. Refuses with a sentence. */
export function requireAddress(address: string): AddressParts {
  const parts = parseAddress(address);
  if (parts === undefined || !dotStringPattern.test(parts.local)) {
    throw new MailError('invalidArguments', `"${address}" is not a mail address: write it as name@example.com.`);
  }
  return parts;
}

/** Refuses with a sentence what is no domain name. */
export function requireDomain(domain: string): string {
  const canonical = canonicalDomain(domain);
  if (canonical === undefined) throw new MailError('invalidArguments', `"${domain}" is not a domain name: write it as example.com.`);
  return canonical;
}

function unquote(local: string): string {
  return /^"(?:[^"\\]|\\.)*"$/s.test(local) ? local.slice(1, -1).replace(/\\(.)/gs, '$1') : local;
}
