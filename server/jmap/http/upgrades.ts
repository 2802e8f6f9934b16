/**
 * Requests that ask to become a WebSocket, sent through the routes like all others, so that they are authenticated and refused alike. Only for one path:
 * node answers other upgrades as plain requests.
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type WebSocket, WebSocketServer } from 'ws';
import { maxSizeRequest } from '../../../protocol/jmap/limits.ts';

const subprotocol = 'jmap';

export interface Upgrades {
  isUpgrade(request: FastifyRequest): boolean;
  offersJmap(request: FastifyRequest): boolean;
  /** Finishes the handshake; undefined where it was broken off or is no WebSocket's. */
  accept(request: FastifyRequest): Promise<WebSocket | undefined>;
}

export function acceptUpgrades(scope: FastifyInstance, path: string): Upgrades {
  // Answers are compressed by no one: mail in them and secrets do not go well with it.
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: maxSizeRequest,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });
  const heads = new WeakMap<IncomingMessage, Buffer>();

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const isOurs = (request.url ?? '').split('?')[0] === path;
    if (!isOurs) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    heads.set(request, head);
    const response = new ServerResponse(request);
    response.assignSocket(request.socket);
    // A refusal ends the connection: what would follow is no HTTP that we parse.
    response.on('finish', () => {
      if (heads.has(request)) socket.end();
    });
    response.shouldKeepAlive = false;
    scope.routing(request, response);
  };
  scope.server.on('upgrade', onUpgrade);
  scope.addHook('onClose', async () => {
    scope.server.off('upgrade', onUpgrade);
    server.close();
  });

  return {
    isUpgrade: ({ raw }) => heads.has(raw),
    offersJmap: ({ headers }) => (headers['sec-websocket-protocol'] ?? '').split(',').some((name) => name.trim() === subprotocol),
    accept({ raw }) {
      const head = heads.get(raw)!;
      heads.delete(raw);
      const { socket } = raw;
      return new Promise((resolve) => {
        socket.once('close', () => resolve(undefined));
        server.handleUpgrade(raw, socket, head, (webSocket) => resolve(webSocket));
      });
    },
  };
}
