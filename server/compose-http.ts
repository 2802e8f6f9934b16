/** The HTTP listeners and the administrator's socket. */
import { chmodSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Listening } from './announcement.ts';
import { type Config, ConfigError, parseListen } from './config.ts';
import { createAdminServer, createHttpServer, type HttpServerOptions } from './http/http-server.ts';
import { socketPathBytesMax } from './limits.ts';
import type { Logger } from './logger.ts';
import type { Certificates } from './tls/certificates.ts';

export interface OpenedListener extends AsyncDisposable {
  readonly listening: Listening;
}

/** What `listen` names that we serve by HTTP, listening. */
export async function openHttp(
  config: Config,
  options: Omit<HttpServerOptions, 'certificates' | 'trustedProxies' | 'adminToken'>,
  certificates: Certificates,
): Promise<OpenedListener[]> {
  const opened: OpenedListener[] = [];
  for (const name of ['http', 'https'] as const) {
    const address = config.listen[name];
    if (address === null) continue;
    const common = { ...options, trustedProxies: config.trustedProxies, adminToken: config.admin.token };
    const server = await createHttpServer(name === 'https' ? { ...common, certificates } : common);
    opened.push(await openOne(name, address, server));
  }
  return opened;
}

async function openOne(name: 'http' | 'https', address: string, server: FastifyInstance): Promise<OpenedListener> {
  const { host, port } = parseListen(address);
  try {
    await server.listen({ host, port });
  } catch (error) {
    await server.close();
    throw cannotListen(name, address, error);
  }
  const { port: actual } = server.server.address() as AddressInfo;
  return { listening: { name, at: formatAddress(host, actual) }, [Symbol.asyncDispose]: () => server.close() };
}

/** Undefined, with a word in the log, where the path is longer than a socket's may be: verbs then open the store themselves. */
export async function openAdminSocket(
  path: string,
  admin: HttpServerOptions['admin'],
  logger: Logger,
): Promise<AsyncDisposable | undefined> {
  if (Buffer.byteLength(path) > socketPathBytesMax) {
    logger.warn('The path of the admin socket is too long for a socket; choose a shorter dataDir.', { path });
    return undefined;
  }
  const server = await createAdminServer(admin);
  // We own the data folder: a socket that is there was left behind by a process that is gone.
  rmSync(path, { force: true });
  await server.listen({ path });
  chmodSync(path, 0o600);
  return { [Symbol.asyncDispose]: () => server.close() };
}

/** A sentence for a listener that could not be opened. */
export function cannotListen(name: string, address: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const whys: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program listens there. Stop it, or choose another port',
    EACCES: 'this user may not use that port. Choose one from 1024 on, or give the process the right to it',
    EADDRNOTAVAIL: 'this machine does not have that address. Choose one that it has',
    ENOTFOUND: 'that name has no address. Give an address of this machine',
  };
  const why = code === undefined ? undefined : whys[code];
  if (why === undefined) return error;
  return new ConfigError(
    `Cannot listen on ${address} (listen.${name}): ${why}, in listen.${name} or SATCHEL_LISTEN_${name.toUpperCase()}.`,
    {
      cause: error,
    },
  );
}

export const formatAddress = (host: string, port: number) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
