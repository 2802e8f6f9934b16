/** The HTTP side of JMAP (RFC 8620 §2, §3.1, §6, §7.3): session, API, upload, download, EventSource, all behind authentication. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RequestProblem } from '../../protocol/jmap/errors.ts';
import { maxConcurrentRequests, maxConcurrentUpload, maxSizeRequest, maxSizeUpload } from '../../protocol/jmap/limits.ts';
import { parseRequest } from '../../protocol/jmap/request.ts';
import { MailError, StorageError } from '../../protocol/mail/errors.ts';
import type { Account } from '../../storage/account/api.ts';
import type { Identity } from '../auth/authenticator.ts';
import { cacheOf } from './account-cache.ts';
import { storeUpload } from './blobs.ts';
import { dispatch, reachableAccount } from './dispatcher.ts';
import { authenticate, problem } from './http/authentication.ts';
import { addResourceMetadata, allowOrigins, mayOpenWebSocket, originOf } from './http/browsers.ts';
import { sendBlob } from './http/download.ts';
import { readEventSourceQuery, serveEvents } from './http/event-source.ts';
import { isLoginOver, type Stream } from './http/stream.ts';
import { acceptUpgrades, type Upgrades } from './http/upgrades.ts';
import { serveWebSocket } from './http/websocket.ts';
import { eventSourcesMax, refusedBodyBytesMax, streamLooksMs, webSocketsMax } from './limits.ts';
import { ReachWatch } from './reach-watch.ts';
import type { JmapServices } from './services.ts';
import { sessionOf } from './session.ts';

const webSocketPath = '/jmap/ws';

type Handler = (identity: Identity, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** Adds the routes to `server`, within their own parsing of bodies and handling of errors. */
export async function addJmapRoutes(server: FastifyInstance, services: JmapServices): Promise<void> {
  await server.register(async (outer) => {
    await allowOrigins(outer, services.corsOrigins);
    addResourceMetadata(outer, services.tokenIssuers, services.publicUrl);
    await outer.register(async (scope) => addOwnRoutes(scope, services));
  });
}

/** Those behind a login. */
async function addOwnRoutes(scope: FastifyInstance, services: JmapServices): Promise<void> {
  const streams = new Set<Stream>();
  // They end with the password or the token that opened them.
  const looks = setInterval(() => {
    for (const stream of streams) stream.look();
  }, streamLooksMs);
  // Streams never end by themselves: a server that stops ends them first.
  scope.addHook('preClose', async () => {
    clearInterval(looks);
    for (const stream of streams) stream[Symbol.dispose]();
  });
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  scope.setErrorHandler(async (error, _request, reply) => answerError(reply, error, services));

  const identities = new WeakMap<FastifyRequest, Identity>();
  // Before a body is read: strangers do not send us 50 MB.
  scope.addHook('onRequest', async (request, reply) => {
    const identity = await authenticate(services, request, reply);
    if (identity === undefined) return reply;
    identities.set(request, identity);
  });
  const serve = (handler: Handler) => (request: FastifyRequest, reply: FastifyReply) => handler(identities.get(request)!, request, reply);

  const session: Handler = async (identity, request, reply) => {
    reply.header('cache-control', 'no-cache, no-store, must-revalidate');
    return sessionOf(services, identity, originOf(request, services.publicUrl));
  };
  scope.get('/.well-known/jmap', serve(session));
  scope.get('/jmap/session', serve(session));
  scope.post('/jmap/api', { bodyLimit: maxSizeRequest }, serve(api(services)));
  scope.post('/jmap/upload/:accountId', { bodyLimit: maxSizeUpload, onRequest: serve(admitUpload(services)) }, serve(upload(services)));
  scope.get('/jmap/download/:accountId/:blobId/:name', serve(download(services)));
  scope.get('/jmap/eventsource', serve(eventSource(services, streams)));
  const upgrades = acceptUpgrades(scope, webSocketPath);
  scope.get(webSocketPath, serve(webSocket(services, streams, upgrades)));
}

function api(services: JmapServices): Handler {
  return async (identity, request, reply) => {
    if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
      return problem(reply, 415, 'A request is application/json.');
    const parsed = parseRequest((request.body as Buffer | null) ?? Buffer.alloc(0));
    const account = await services.accounts.open(identity.accountId);
    const cache = cacheOf(account);
    if (cache.requests >= maxConcurrentRequests) throw new RequestProblem('limit', 'Too many requests at once.', 'maxConcurrentRequests');
    cache.requests += 1;
    try {
      const response = await dispatch(services, identity, account, parsed);
      // As bytes: Node writes a long string that is not all ASCII far slower than it encodes one.
      return reply.type('application/json; charset=utf-8').send(Buffer.from(JSON.stringify(response)));
    } finally {
      cache.requests -= 1;
    }
  };
}

function upload(services: JmapServices): Handler {
  return async (identity, request, reply) => {
    const account = await namedAccount(services, identity, request);
    if (account === undefined) return problem(reply, 404, 'There is no such account.');
    const bytes = (request.body as Buffer | null) ?? Buffer.alloc(0);
    const type = uploadType(request.headers['content-type']);
    const blobId = await storeUpload(account, bytes, type);
    return reply.code(201).send({ accountId: account.id, blobId, type, size: bytes.length });
  };
}

/** Counts an upload from its header on until it is answered or broken off: a slow one holds what it has sent. */
function admitUpload(services: JmapServices): Handler {
  return async (identity, request, reply) => {
    const reached = await reachableAccount(services, identity, (request.params as { accountId: string }).accountId);
    if (reached === undefined) return problem(reply, 404, 'There is no such account.');
    if (reached.isReadOnly) return problem(reply, 403, 'The account can only be read.');
    const cache = cacheOf(await reached.open());
    if (cache.uploads >= maxConcurrentUpload) throw new RequestProblem('limit', 'Too many uploads at once.', 'maxConcurrentUpload');
    cache.uploads += 1;
    let isCounted = true;
    const release = () => {
      if (isCounted) cache.uploads -= 1;
      isCounted = false;
    };
    reply.raw.once('finish', release).once('close', release);
    return undefined;
  };
}

/** As the client says, in its normal form; never guessed. */
function uploadType(given: string | undefined): string {
  const type = (given ?? '').replace(/;.*$/s, '').trim().toLowerCase();
  return /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/.test(type) ? type : 'application/octet-stream';
}

function download(services: JmapServices): Handler {
  return async (identity, request, reply) => {
    const account = await namedAccount(services, identity, request);
    return account === undefined ? problem(reply, 404, 'There is no such blob.') : sendBlob(account, request, reply);
  };
}

/** RFC 8887 §4: the handshake, which is authenticated like any request. */
function webSocket(services: JmapServices, streams: Set<Stream>, upgrades: Upgrades): Handler {
  return async (identity, request, reply) => {
    if (!upgrades.isUpgrade(request))
      return problem(reply.header('upgrade', 'websocket'), 426, 'This is for WebSocket, with the subprotocol "jmap".');
    if (!mayOpenWebSocket(request, services))
      return problem(reply, 403, 'Pages of this origin may not open WebSockets here: see corsOrigins.');
    if (!upgrades.offersJmap(request)) return problem(reply, 400, 'The subprotocol is "jmap".');
    const account = await services.accounts.open(identity.accountId);
    const cache = cacheOf(account);
    if (cache.webSockets >= webSocketsMax) return problem(reply, 429, `An account has at most ${webSocketsMax} WebSockets.`);
    cache.webSockets += 1;
    // The account stays in memory meanwhile, and with it what is counted of it.
    const watch = account.watch(() => {});
    const leave = () => {
      cache.webSockets -= 1;
      watch[Symbol.dispose]();
    };
    reply.hijack();
    const socket = await upgrades.accept(request);
    if (socket === undefined) {
      leave();
      return reply;
    }
    const stream = serveWebSocket(services, identity, account, socket, () => {
      leave();
      streams.delete(stream);
    });
    streams.add(stream);
    return reply;
  };
}

function eventSource(services: JmapServices, streams: Set<Stream>): Handler {
  return async (identity, request, reply) => {
    const query = readEventSourceQuery(request.query as Record<string, unknown>, request.headers['last-event-id']);
    if (query === undefined) return problem(reply, 400, 'types is a list, closeafter is "state" or "no", ping is a number of seconds.');
    const account = await services.accounts.open(identity.accountId);
    const cache = cacheOf(account);
    if (cache.eventSources >= eventSourcesMax) return problem(reply, 429, `An account has at most ${eventSourcesMax} event sources.`);
    cache.eventSources += 1;
    // What a browser asks for (CORS) goes with the stream, which is not fastify's to send.
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value);
    reply.hijack();
    let stream: Stream | undefined;
    let isEnded = false;
    const isOver = () => isLoginOver(services, identity);
    const { types, heard } = query;
    const watchStates = (onChange: () => void) => ReachWatch.of(services, identity, account, { types, heard, onChange });
    stream = serveEvents(watchStates, query, reply.raw, isOver, () => {
      cache.eventSources -= 1;
      isEnded = true;
      if (stream !== undefined) streams.delete(stream);
    });
    if (!isEnded) streams.add(stream);
    return reply;
  };
}

/** The account in the path, where the login reaches it. */
async function namedAccount(services: JmapServices, identity: Identity, request: FastifyRequest): Promise<Account | undefined> {
  const account = await reachableAccount(services, identity, (request.params as { accountId: string }).accountId);
  return account?.open();
}

function answerError(reply: FastifyReply, error: unknown, { logger }: JmapServices): FastifyReply {
  if (error instanceof RequestProblem) return reply.code(400).type('application/problem+json').send(JSON.stringify(error));
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message: string };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const isUpload = reply.request.url.startsWith('/jmap/upload');
    const limit = new RequestProblem('limit', 'The request is too large.', isUpload ? 'maxSizeUpload' : 'maxSizeRequest');
    // Who still sends would otherwise learn of the end of the connection only; on one that stays open Node reads what is left.
    if (Number(reply.request.headers['content-length']) <= refusedBodyBytesMax) reply.removeHeader('connection');
    return reply
      .code(413)
      .type('application/problem+json')
      .send(JSON.stringify({ ...limit.toJSON(), status: 413 }));
  }
  if (error instanceof StorageError && error.code === 'unavailable') {
    logger.warn('The store failed a JMAP request.', { error });
    return problem(reply, 503, 'The store cannot be reached, try again.');
  }
  if (error instanceof MailError && error.code === 'accountClosed') return problem(reply, 404, 'There is no such account.');
  if (statusCode !== undefined && statusCode < 500) return problem(reply, statusCode, message);
  logger.error('A JMAP request failed.', { error });
  return problem(reply, 500, 'The server failed; its log says why.');
}
