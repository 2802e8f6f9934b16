/** What mail programs are to be told of this server: its name, and the ports at which it is reached from outside. */
import { isIP } from 'node:net';
import type { ClientSetup, SetupService } from './admin/client-setup.ts';
import type { Listening } from './announcement.ts';
import { type Config, givenPublicUrl, parseListen } from './config.ts';

/** Whether somebody said under which name the server is reached. */
export function hasGivenHost(config: Config): boolean {
  return givenPublicUrl(config) !== undefined || config.clients.host !== new URL(config.publicUrl).hostname.replace(/^\[|\]$/g, '');
}

const names = ['imap', 'imaps', 'submission', 'submissions', 'managesieve'] as const;

/** `listening`: what is open; undefined where nothing is, and the configuration says what would be. */
export function clientSetupOf(config: Config, listening: readonly Listening[] | undefined): ClientSetup {
  const { host, ...ports } = config.clients;
  const { protocol, port } = new URL(config.publicUrl);
  const services: Partial<Record<SetupService, number>> = {};
  for (const name of names) {
    const at = listening === undefined ? config.listen[name] : listening.find((listener) => listener.name === name)?.at;
    if (at === undefined || at === null) continue;
    const own = parseListen(at).port;
    if (own !== 0) services[name] = ports[name] ?? own;
  }
  const httpsPort = protocol === 'https:' ? Number(port || 443) : undefined;
  const isInDns = isIP(host) === 0 && host.includes('.');
  return { host, isInDns, services, ...(httpsPort === undefined ? {} : { httpsPort }) };
}
