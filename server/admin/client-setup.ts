/** How mail programs reach this server, and the DNS records by which they find it: RFC 6186, RFC 8314 §5.1, RFC 8620 §2.2, RFC 5804 §1.8. */

export type SetupService = 'imap' | 'imaps' | 'submission' | 'submissions' | 'managesieve';

export interface ClientSetup {
  /** The name that certificates are for. */
  readonly host: string;
  /** Whether that is a name that DNS could hold: not an address, not `localhost`. */
  readonly isInDns: boolean;
  /** Ports as they are seen from outside; only of what is served. */
  readonly services: Readonly<Partial<Record<SetupService, number>>>;
  /** Of JMAP and the set-up itself; absent where there is no https. */
  readonly httpsPort?: number;
}

export interface DnsRecord {
  readonly name: string;
  readonly type: 'SRV' | 'CNAME';
  readonly value: string;
}

/** RFC 8314 §5.1: TLS at once is to be preferred, so its records have the lower priority number. */
const srvNames: Readonly<Record<SetupService, readonly [name: string, priority: number]>> = {
  imaps: ['_imaps', 0],
  submissions: ['_submissions', 0],
  imap: ['_imap', 10],
  submission: ['_submission', 10],
  managesieve: ['_sieve', 0],
};

/** Records for a mail domain. None where the server has no name that they could lead to. */
export function dnsRecords(domain: string, { host, isInDns, services, httpsPort }: ClientSetup): readonly DnsRecord[] {
  if (!isInDns) return [];
  const srv = (service: string, priority: number, port: number): DnsRecord => {
    return { name: `${service}._tcp.${domain}.`, type: 'SRV', value: `${priority} 1 ${port} ${host}.` };
  };
  const records = Object.entries(srvNames).flatMap(([service, [name, priority]]): DnsRecord[] => {
    const port = services[service as SetupService];
    // RFC 6186 §3.4: a lone dot says that there is no such service; nobody needs to hear that of filter scripts.
    if (port === undefined) return service === 'managesieve' ? [] : [{ name: `${name}._tcp.${domain}.`, type: 'SRV', value: '0 0 0 .' }];
    return [srv(name, priority, port)];
  });
  const cname = (name: string): DnsRecord => ({ name: `${name}.${domain}.`, type: 'CNAME', value: `${host}.` });
  if (httpsPort !== undefined) records.push(srv('_jmap', 0, httpsPort), srv('_autodiscover', 0, httpsPort));
  return [...records, cname('autoconfig'), cname('autodiscover')];
}
