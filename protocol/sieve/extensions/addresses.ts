/** Addresses that a script writes. */
import { addrSpec, mailboxesOf, parseAddresses } from '../../mime/address.ts';

/** RFC 5321 §4.5.3.1: 64 octets before the at sign, 255 after it. */
function isAddress(text: string): boolean {
  return /^(?:[^\s@<>(),;:"\\[\]\0-\x1f]{1,64}|"[^"\\\0-\x1f]{1,62}")@(?:[^\s@<>(),;:"\\\0-\x1f]{1,255}|\[[0-9a-fA-F:.]+\])$/.test(text);
}

/** RFC 5228 §2.4.2.3: with a name or without. The address in it; undefined for none, or several. */
export function addressIn(text: string): string | undefined {
  if (/[\r\n\0]/.test(text)) return undefined;
  const found = mailboxesOf(parseAddresses(Buffer.from(text, 'utf8').toString('latin1'))).map(addrSpec);
  return found.length === 1 && isAddress(found[0]!) ? found[0] : undefined;
}
