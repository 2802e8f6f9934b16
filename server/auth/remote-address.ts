/** Client addresses as the throttle counts them. */
import { isIPv6 } from 'node:net';

/** 127.0.0.0/8, ::1 and their IPv4-mapped forms. */
export function isLoopback(remote: string): boolean {
  const address = unmapped(remote);
  return address === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(address);
}

/** One key for all addresses that one client can take: an IPv4 address, or the /64 that an IPv6 client is given. */
export function addressKey(remote: string): string {
  const address = unmapped(remote);
  return isIPv6(address) ? `${expandIPv6(address).slice(0, 4).join(':')}::/64` : address;
}

const unmapped = (remote: string) => remote.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');

/** The eight groups without leading zeros. An embedded IPv4 address lies in the last two, which nobody looks at: two zeros stand for it. */
function expandIPv6(address: string): string[] {
  const [head = '', tail] = address
    .toLowerCase()
    .replace(/\d+\.\d+\.\d+\.\d+$/, '0:0')
    .split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => group.replace(/^0+(?=.)/, '')));
  const before = groups(head);
  const after = groups(tail ?? '');
  return [...before, ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0'), ...after];
}
