/**
 * JMAP over WebSocket (RFC 8887): requests and their answers, and pushes of states, on one connection whose handshake is authenticated as any other request.
 * Requests run side by side; a client that does not read its answers is not read from either, and hears of new states once it can take them.
 */
import type { RawData, WebSocket } from 'ws';
import { RequestProblem } from '../../../protocol/jmap/errors.ts';
import { maxConcurrentRequests } from '../../../protocol/jmap/limits.ts';
import { isRecord, parseJson, readRequest } from '../../../protocol/jmap/request.ts';
import type { Account } from '../../../storage/account/api.ts';
import type { Identity } from '../../auth/authenticator.ts';
import { type AccountCache, cacheOf } from '../account-cache.ts';
import { dispatch } from '../dispatcher.ts';
import { webSocketBufferedBytesMax, webSocketPingMs } from '../limits.ts';
import { parseHeard, ReachWatch } from '../reach-watch.ts';
import type { JmapServices } from '../services.ts';
import { stateTypes } from '../states.ts';
import { isLoginOver, type Stream } from './stream.ts';

/** RFC 6455 §7.4.1. */
const goingAway = 1001;
const unsupportedData = 1003;
const policyViolation = 1008;

/** Serves a connection until either side ends it, or its login is over. Disposing ends it. */
export function serveWebSocket(services: JmapServices, identity: Identity, account: Account, socket: WebSocket, onEnd: () => void): Stream {
  const connection = new Connection(services, identity, account, socket);
  let isAlive = true;
  const pings = setInterval(() => {
    // Half-open: the other side has not answered the last one.
    if (!isAlive) socket.terminate();
    isAlive = false;
    socket.ping();
  }, webSocketPingMs);
  socket.on('pong', () => {
    isAlive = true;
  });
  socket.on('message', (data, isBinary) => {
    isAlive = true;
    // RFC 8887 §4.1: messages are text.
    if (isBinary) socket.close(unsupportedData, 'JMAP messages are text.');
    else if (connection.look()) connection.receive(data);
  });
  socket.on('error', (error) => services.logger.info('A WebSocket failed.', { account: account.id, error }));
  socket.on('close', () => {
    clearInterval(pings);
    connection[Symbol.dispose]();
    onEnd();
  });
  return { look: () => connection.lookAround(), [Symbol.dispose]: () => socket.close(goingAway, 'The server stops.') };
}

class Connection implements Disposable {
  readonly #services: JmapServices;
  readonly #identity: Identity;
  readonly #account: Account;
  readonly #cache: AccountCache;
  readonly #socket: WebSocket;
  #push: ReachWatch | undefined;

  constructor(services: JmapServices, identity: Identity, account: Account, socket: WebSocket) {
    this.#services = services;
    this.#identity = identity;
    this.#account = account;
    this.#cache = cacheOf(account);
    this.#socket = socket;
  }

  /** Whether the login still holds; ends the connection where not. */
  look(): boolean {
    if (!isLoginOver(this.#services, this.#identity)) return true;
    this.#disablePush();
    this.#socket.close(policyViolation, 'The login has ended.');
    return false;
  }

  /** Now and then: whether the login holds, and which accounts it reaches. */
  lookAround(): void {
    if (this.look()) this.#push?.look();
  }

  receive(data: RawData): void {
    let requestId: string | undefined;
    try {
      const message = parseJson(Buffer.isBuffer(data) ? data : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]));
      if (isRecord(message) && typeof message['id'] === 'string') requestId = message['id'];
      switch (isRecord(message) ? message['@type'] : undefined) {
        case 'Request':
          this.#answer(message, requestId).catch((error) => this.#refuse(error, requestId));
          return;
        case 'WebSocketPushEnable':
          this.#enablePush(message as Record<string, unknown>);
          return;
        case 'WebSocketPushDisable':
          this.#disablePush();
          return;
        default:
          throw new RequestProblem('notRequest', 'A message is a Request, a WebSocketPushEnable or a WebSocketPushDisable.');
      }
    } catch (error) {
      this.#refuse(error, requestId);
    }
  }

  async #answer(message: unknown, requestId: string | undefined): Promise<void> {
    const request = readRequest(message);
    if (this.#cache.requests >= maxConcurrentRequests) {
      throw new RequestProblem('limit', 'Too many requests at once.', 'maxConcurrentRequests');
    }
    this.#cache.requests += 1;
    try {
      const response = await dispatch(this.#services, this.#identity, this.#account, request);
      this.#send({ '@type': 'Response', ...(requestId === undefined ? {} : { requestId }), ...response });
    } finally {
      this.#cache.requests -= 1;
    }
  }

  /** RFC 8887 §4.3.4: from the state that the client has heard of, or from now on. */
  #enablePush({ dataTypes = null, pushState = null }: Record<string, unknown>): void {
    const isTypes = dataTypes === null || (Array.isArray(dataTypes) && dataTypes.every((type) => typeof type === 'string'));
    if (!isTypes || (pushState !== null && typeof pushState !== 'string'))
      throw new RequestProblem('notRequest', 'dataTypes is a list of types or null, pushState a string or null.');
    this.#disablePush();
    const types = dataTypes === null ? stateTypes : stateTypes.filter((type) => dataTypes.includes(type));
    // What is no state of ours says nothing: the client is told all states.
    const heard = pushState === null ? undefined : (parseHeard(pushState) ?? new Map([['own' as const, 0]]));
    this.#push = ReachWatch.of(this.#services, this.#identity, this.#account, { types, heard, onChange: () => this.#tell() });
    this.#tell();
  }

  #disablePush(): void {
    this.#push?.[Symbol.dispose]();
    this.#push = undefined;
  }

  #tell(): void {
    // Whoever reads slowly hears the newest states when the rest is read: nothing is queued.
    if (this.#push === undefined || this.#socket.bufferedAmount > 0 || !this.look()) return;
    const news = this.#push.news();
    if (news === undefined) return;
    this.#send({ '@type': 'StateChange', changed: news.changed, pushState: news.upTo });
  }

  #refuse(error: unknown, requestId: string | undefined): void {
    let told: object;
    if (error instanceof RequestProblem) told = error.toJSON();
    else {
      this.#services.logger.error('A JMAP request failed.', { error });
      told = { type: 'about:blank', status: 500, detail: 'The server failed; its log says why.' };
    }
    this.#send({ '@type': 'RequestError', ...(requestId === undefined ? {} : { requestId }), ...told });
  }

  #send(message: object): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(JSON.stringify(message), () => {
      if (this.#socket.bufferedAmount > 0) return;
      if (this.#socket.isPaused) this.#socket.resume();
      this.#tell();
    });
    if (this.#socket.bufferedAmount > webSocketBufferedBytesMax) this.#socket.pause();
  }

  [Symbol.dispose](): void {
    this.#disablePush();
  }
}
