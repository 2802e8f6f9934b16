/**
 * SPF, DKIM and DMARC of a message that nobody has checked for us: the one place that uses `mailauth`. The client is the one that the MTA's own
 * `Received`, the topmost, names; an MTA that took the message from this machine or a private network has no client to ask about. What DNS does not
 * say in time counts as not said.
 */
import { BlockList, isIP } from 'node:net';
import { authenticate as authenticateMail, type DNSResolver } from 'mailauth';
import { asBuffer } from '../protocol/mime/bytes.ts';
import { fieldValue, scanHeader } from '../protocol/mime/header.ts';
import type { Clock } from '../storage/clock.ts';
import { authenticationMsMax, blockBytesMax, blockFieldsMax } from './limits.ts';
import { asStatus, type ScanResults } from './ses/header-block.ts';

export interface AuthenticatePorts {
  readonly resolver: DNSResolver;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly hostName: string;
}

/** Never rejects: what fails is no result. */
export async function authenticate(
  message: Buffer,
  sender: string,
  { resolver, clock, hostName }: AuthenticatePorts,
): Promise<ScanResults> {
  const { client, isSigned } = originOf(message);
  // Nothing to check, and DNS need not be asked.
  if (client === undefined && !isSigned) return {};
  const over = new AbortController();
  const tooLate = clock.sleep(authenticationMsMax, over.signal).then(() => undefined);
  const checked = authenticateMail(message, {
    resolver,
    sender,
    mta: hostName,
    disableArc: true,
    disableBimi: true,
    ...(client && { ip: client.ip, helo: client.helo }),
  });
  try {
    const result = await Promise.race([checked, tooLate]);
    if (result === undefined) return {};
    const signatures = result.dkim.results.map(({ status }) => status.result);
    const dmarc = typeof result.dmarc === 'object' ? result.dmarc : undefined;
    const dmarcStatus = asStatus(dmarc?.status.result);
    return {
      spf: client && result.spf ? asStatus(result.spf.status.result) : undefined,
      dkim: asStatus(signatures.find((status) => status === 'pass') ?? signatures[0]),
      dmarc: dmarcStatus,
      ...(dmarcStatus === 'FAIL' && dmarc ? { dmarcPolicy: dmarc.policy } : {}),
    };
  } catch {
    return {};
  } finally {
    over.abort();
    void Promise.allSettled([checked, tooLate]);
  }
}

const ourNetworks = new BlockList();
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  ourNetworks.addSubnet(network, bits, 'ipv4');
}
for (const [network, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  ourNetworks.addSubnet(network, bits, 'ipv6');

/** RFC 5321 §4.4: `from HELO (name [address])`; the address is what the MTA saw, the HELO what it was told. */
function originOf(message: Buffer) {
  const buffer = asBuffer(message).subarray(0, blockBytesMax);
  const { fields } = scanHeader(buffer, 0, blockFieldsMax);
  const received = fields.find(({ name }) => name === 'received');
  const isSigned = fields.some(({ name }) => name === 'dkim-signature');
  const value = received === undefined ? '' : fieldValue(buffer, received);
  const [, helo = '', ip = ''] = /^from\s+(\S+)\s+\([^()]*\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]\)/i.exec(value) ?? [];
  const family = isIP(ip);
  if (family === 0 || ourNetworks.check(ip, family === 6 ? 'ipv6' : 'ipv4')) return { client: undefined, isSigned };
  return { client: { ip, helo }, isSigned };
}
