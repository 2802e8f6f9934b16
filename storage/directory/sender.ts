/** Who may send as whom: the addresses of an account, their plus-addresses (RFC 5233 §1), and all of a domain whose catch-all it is. */
import { canonicalDomain, formatAddress, parseAddress } from './address.ts';

/** `addresses`: canonical, of one account, catch-alls (`*@domain`) included. */
export function maySendAs(addresses: readonly string[], address: string): boolean {
  const parts = parseAddress(address);
  if (parts === undefined) return false;
  const plus = parts.local.indexOf('+');
  const asked = [formatAddress(parts), `*@${parts.domain}`];
  if (plus > 0) asked.push(formatAddress({ local: parts.local.slice(0, plus), domain: parts.domain }));
  return asked.some((one) => addresses.includes(one));
}

/** Of `*@domain`: any address there. */
export function maySendAsAnyOf(addresses: readonly string[], domain: string): boolean {
  return addresses.includes(`*@${canonicalDomain(domain) ?? ''}`);
}
