/**
 * The HTTP side of the process: /healthz (alive), /readyz (serving), /metrics (Prometheus), /admin/v1. One fastify instance per listener, all
 * with the same routes.
 */
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { type AdminRoutesOptions, addAdminRoutes, adminPrefix, showsToken } from '../admin/routes.ts';
import { isLoopback } from '../auth/remote-address.ts';
import type { Logger } from '../logger.ts';
import type { Certificates } from '../tls/certificates.ts';
import { addInboundRoute, type InboundRoute } from './inbound-route.ts';
import { adminBodyBytesMax, headersTimeoutMs, requestTimeoutMs } from './limits.ts';

export interface HttpServerOptions {
  readonly logger: Logger;
  /** TLS with this certificate; undefined: plain. */
  readonly certificates?: Certificates;
  readonly trustedProxies: readonly string[];
  /** Undefined: serving. Otherwise a sentence that says why not. */
  readonly notReady: () => string | undefined;
  /** Prometheus text and its content type. */
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>;
  /** Without a token there is no /admin/v1 here, and /metrics is for loopback only. */
  readonly adminToken: string | undefined;
  readonly admin: Omit<AdminRoutesOptions, 'token'>;
  /** Undefined: no events are taken here. */
  readonly inbound?: InboundRoute | undefined;
  /** Adds the routes of the faces that speak HTTP. */
  readonly addFaces?: (server: FastifyInstance) => Promise<void>;
}

export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const server = newFastify(options);
  server.get('/healthz', async () => ({ status: 'alive' }));
  server.get('/readyz', async (_request, reply) => {
    const reason = options.notReady();
    return reason === undefined ? { status: 'ready' } : reply.code(503).send({ status: 'not ready', reason });
  });
  server.get('/metrics', async (request, reply) => {
    const { adminToken } = options;
    const mayRead = isLoopback(request.ip) || (adminToken !== undefined && showsToken(request, adminToken));
    if (!mayRead) return reply.code(403).send({ error: { code: 'forbidden', message: 'Metrics are for loopback or the admin token.' } });
    const { text, contentType } = await options.metrics();
    return reply.type(contentType).send(text);
  });
  if (options.adminToken !== undefined) await addAdminRoutes(server, { ...options.admin, token: options.adminToken });
  if (options.inbound !== undefined) await addInboundRoute(server, options.inbound);
  await options.addFaces?.(server);
  server.setNotFoundHandler(async (request, reply) => {
    const message =
      request.url.startsWith(adminPrefix) && options.adminToken === undefined
        ? 'The admin interface is not served here: set admin.token, or use the command line.'
        : 'There is nothing here.';
    return reply.code(404).send({ error: { code: 'notFound', message } });
  });
  return server;
}

/** The administration alone, for the socket in the data folder: whoever may open that file may do everything. */
export async function createAdminServer(admin: Omit<AdminRoutesOptions, 'token'>): Promise<FastifyInstance> {
  const server = newFastify({ trustedProxies: [] });
  await addAdminRoutes(server, { ...admin, token: undefined });
  return server;
}

function newFastify({ certificates, trustedProxies }: Pick<HttpServerOptions, 'certificates' | 'trustedProxies'>): FastifyInstance {
  const common = {
    logger: false,
    bodyLimit: adminBodyBytesMax,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    // Connections that wait for their next request are closed at once when the server stops; those with one under way finish it.
    forceCloseConnections: 'idle' as const,
    routerOptions: { maxParamLength: 3 * 1024 },
    requestTimeout: requestTimeoutMs,
    // A path that no UTF-8 is written in, and the like: refused before any route, in the words of all routes.
    frameworkErrors: (_error: unknown, _request: unknown, reply: FastifyReply) => {
      reply.code(400).send({ error: { code: 'invalidArguments', message: 'The path of the address cannot be read.' } });
    },
    http: { headersTimeout: headersTimeoutMs },
  };
  if (certificates === undefined) return Fastify(common) as unknown as FastifyInstance;
  const { cert, key } = certificates.current;
  const server = Fastify({ ...common, https: { cert, key, minVersion: 'TLSv1.2' } });
  const watch = certificates.watch((next) => server.server.setSecureContext({ cert: next.cert, key: next.key, minVersion: 'TLSv1.2' }));
  server.addHook('onClose', async () => watch[Symbol.dispose]());
  return server as unknown as FastifyInstance;
}
