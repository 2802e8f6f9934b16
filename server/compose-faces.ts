/** The line protocols' listeners: IMAP, LMTP and submission. Ending stops accepting everywhere first, then lets the sessions end, then cuts what is left. */
import { BlockList, isIP } from 'node:net';
import { getCACertificates } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { Accounts } from '../storage/account/api.ts';
import type { Clock } from '../storage/clock.ts';
import type { Random } from '../storage/random.ts';
import type { Shares } from '../storage/sharing/shares.ts';
import type { Listening } from './announcement.ts';
import type { Authenticator } from './auth/authenticator.ts';
import { cannotListen, formatAddress } from './compose-http.ts';
import type { Intake } from './compose-intake.ts';
import type { Outbox } from './compose-outbox.ts';
import { type Config, ConfigError, givenPublicUrl, parseListen } from './config.ts';
import { createImapServer } from './imap/server.ts';
import { ownAndShared } from './jmap/reachable.ts';
import { addJmapRoutes } from './jmap/routes.ts';
import type { JmapServices } from './jmap/services.ts';
import { sessionsDrainMs } from './limits.ts';
import type { Logger } from './logger.ts';
import { createManageSieveServer } from './managesieve/server.ts';
import type { Metrics } from './metrics.ts';
import { type ConnectionHandler, Listener } from './net/listener.ts';
import type { Certificates } from './tls/certificates.ts';

export interface FacesOptions {
  readonly config: Config;
  readonly accounts: Accounts;
  readonly authenticator: Authenticator;
  readonly shares: Shares;
  readonly intake: Intake;
  readonly outbox: Outbox;
  readonly certificates: Certificates;
  readonly hostname: string;
  readonly version: string;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

/** A face without its listeners. */
interface Face extends ConnectionHandler {
  /** Tells the sessions to end, and waits for them. */
  close(): Promise<void>;
}

export interface Faces extends AsyncDisposable {
  readonly listening: readonly Listening[];
}

export async function openFaces(options: FacesOptions): Promise<Faces> {
  const { config, logger, certificates } = options;
  const imap = createImapServer({
    ...options,
    logger: logger.child({ face: 'imap' }),
    readMessage: (raw) => options.intake.parsers.parse(raw),
    secureContext: () => certificates.current.context,
    messageBytesMax: config.limits.messageBytesMax,
    ...(config.limits.imapMessagesMax === undefined ? {} : { messagesMax: config.limits.imapMessagesMax }),
    nonSynchronizingLiterals: config.limits.imapNonSynchronizingLiterals,
    // A client that is told of it sends its password there: only where that is protected.
    ...(config.publicUrl.startsWith('https:') ? { jmapSessionUrl: `${config.publicUrl.replace(/\/+$/, '')}/.well-known/jmap` } : {}),
  });
  const submission = options.outbox.submission(options.authenticator, certificates);
  const manageSieve = createManageSieveServer({
    ...options,
    logger: logger.child({ face: 'managesieve' }),
    secureContext: () => certificates.current.context,
  });
  const faces: readonly {
    readonly name: 'imap' | 'imaps' | 'lmtp' | 'submission' | 'submissions' | 'managesieve';
    readonly face: Face;
    readonly isTls: boolean;
  }[] = [
    { name: 'imap', face: imap, isTls: false },
    { name: 'imaps', face: imap, isTls: true },
    { name: 'lmtp', face: options.intake.lmtp(certificates), isTls: false },
    { name: 'submission', face: submission, isTls: false },
    { name: 'submissions', face: submission, isTls: true },
    { name: 'managesieve', face: manageSieve, isTls: false },
  ];
  const trustedProxies = parseNetworks(config.trustedProxies);
  const opened: { readonly listening: Listening; readonly listener: Listener; readonly face: Face }[] = [];
  const close = async () => {
    for (const { listener } of opened) listener.stopAccepting();
    await Promise.all(new Set(opened.map(({ face }) => face.close())));
    await Promise.all(opened.map(({ listener }) => listener.close(sessionsDrainMs)));
  };
  try {
    for (const { name, face, isTls } of faces) {
      const address = config.listen[name];
      if (address === null) continue;
      const { host, port } = parseListen(address);
      const implicitTls = isTls ? () => certificates.current.context : undefined;
      const listener = await Listener.open({ name, host, port, implicitTls, trustedProxies, handler: face, logger }).catch(
        (error: unknown) => {
          throw cannotListen(name, address, error);
        },
      );
      opened.push({ listener, face, listening: { name, at: formatAddress(host, listener.port) } });
    }
  } catch (error) {
    await close();
    throw error;
  }
  options.metrics.gauge('satchel_imap_sessions', 'IMAP sessions that are open.', () => imap.sessions);
  options.metrics.gauge('satchel_submission_sessions', 'Connections of users who send.', () => submission.sessions);
  return { listening: opened.map(({ listening }) => listening), [Symbol.asyncDispose]: close };
}

/** JMAP, for each of the HTTP listeners. */
export function jmapRoutes(
  options: Omit<JmapServices, 'readMessage' | 'trustAnchors' | 'corsOrigins' | 'publicUrl' | 'tokenIssuers' | 'reachableAccounts'> & {
    readonly intake: Intake;
    readonly config: Config;
  },
): (server: FastifyInstance) => Promise<void> {
  const services: JmapServices = {
    ...options,
    logger: options.logger.child({ face: 'jmap' }),
    readMessage: (raw) => options.intake.parsers.parse(raw),
    corsOrigins: options.config.corsOrigins,
    publicUrl: givenPublicUrl(options.config),
    tokenIssuers: options.config.openId === undefined ? [] : [options.config.openId.issuer],
    // Node's own, and those of NODE_EXTRA_CA_CERTS.
    trustAnchors: () => getCACertificates('default'),
    reachableAccounts: (identity) => ownAndShared(options, identity),
  };
  return (server) => addJmapRoutes(server, services);
}

/** Addresses and networks (10.0.0.0/8) of the configuration. */
function parseNetworks(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const version = isIP(address);
    const length = bits === undefined ? undefined : Number(bits);
    const isRight =
      version !== 0 && (length === undefined || (Number.isInteger(length) && length >= 0 && length <= (version === 4 ? 32 : 128)));
    if (!isRight)
      throw new ConfigError(`trustedProxies: ${JSON.stringify(network)} is neither an address nor a network such as 10.0.0.0/8.`);
    const family = version === 4 ? 'ipv4' : 'ipv6';
    if (length === undefined) list.addAddress(address, family);
    else list.addSubnet(address, length, family);
  }
  return list;
}
