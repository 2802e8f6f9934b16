/**
 * Accepts TCP (or TLS) connections and hands each to its protocol. Counts them against limits per listener and per address; closing stops
 * accepting first, gives the handlers time to say goodbye, and cuts what is left.
 */
import { type AddressInfo, type BlockList, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { addressKey } from '../auth/remote-address.ts';
import type { Logger } from '../logger.ts';
import { Connection } from './connection.ts';
import { connectionsMax, connectionsPerAddressMax, keepAliveMs } from './limits.ts';

/** What a line protocol gives its listeners. */
export interface ConnectionHandler {
  /** Serves the connection to its end. Must not reject for what a client does. */
  handle(connection: Connection): Promise<void>;
}

export interface ListenerOptions {
  /** For the log: `imap`, `lmtp`, … */
  readonly name: string;
  readonly host: string;
  /** 0 lets the system choose; see `port`. */
  readonly port: number;
  /** Given, TLS begins at once (RFC 8314); asked for each connection, so that a renewed certificate is used. */
  readonly implicitTls?: () => SecureContext;
  /** Peers that count as protected. */
  readonly trustedProxies?: BlockList;
  readonly handler: ConnectionHandler;
  readonly logger: Logger;
  readonly connectionsMax?: number;
  readonly connectionsPerAddressMax?: number;
}

export class Listener implements AsyncDisposable {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #connections = new Map<Connection, Promise<void>>();
  readonly #perAddress = new Map<string, number>();

  /** Rejects when the address cannot be listened on. */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', reject);
      listener.#server.listen({ host: options.host, port: options.port, backlog: 511 }, () => {
        listener.#server.off('error', reject);
        resolve();
      });
    });
    listener.#server.on('error', (error) => options.logger.error('listener failed', { listener: options.name, error }));
    return listener;
  }

  private constructor(options: ListenerOptions) {
    this.#options = options;
    // A client that has sent its last still gets its answers.
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs, allowHalfOpen: true }, (socket) =>
      this.#accept(socket),
    );
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  #accept(socket: Socket): void {
    const remote = socket.remoteAddress;
    const { logger, name } = this.#options;
    if (remote === undefined) {
      socket.destroy();
      return;
    }
    const key = addressKey(remote);
    const fromHere = this.#perAddress.get(key) ?? 0;
    const isFull = this.#connections.size >= (this.#options.connectionsMax ?? connectionsMax);
    if (isFull || fromHere >= (this.#options.connectionsPerAddressMax ?? connectionsPerAddressMax)) {
      logger.warn('connection refused: too many', { listener: name, remote, all: this.#connections.size, fromHere });
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#perAddress.set(key, fromHere + 1);
    const proxies = this.#options.trustedProxies;
    const connection = new Connection(socket, {
      remote: remote.replace(/^::ffff:(?=\d+\.)/i, ''),
      isTrustedProxy: proxies?.check(remote, isIPv6(remote) ? 'ipv6' : 'ipv4') ?? false,
    });
    const served = this.#serve(connection).finally(() => {
      this.#connections.delete(connection);
      const left = this.#perAddress.get(key)! - 1;
      if (left === 0) this.#perAddress.delete(key);
      else this.#perAddress.set(key, left);
    });
    this.#connections.set(connection, served);
  }

  async #serve(connection: Connection): Promise<void> {
    const { handler, implicitTls, logger, name } = this.#options;
    try {
      await using _ = connection;
      if (implicitTls !== undefined) {
        try {
          await connection.startTls(implicitTls());
        } catch (error) {
          logger.debug('TLS handshake failed', { listener: name, remote: connection.remote, error });
          return;
        }
      }
      await handler.handle(connection);
    } catch (error) {
      logger.error('connection failed', { listener: name, remote: connection.remote, error });
    }
  }

  /** Stops accepting, so that another process may listen here. The connections go on. */
  stopAccepting(): void {
    this.#server.close();
  }

  /** Waits for the connections to end, which their handlers see to; cuts those that have not after `drainMs`. */
  async close(drainMs: number): Promise<void> {
    this.stopAccepting();
    const timer = setTimeout(() => {
      for (const connection of this.#connections.keys()) connection.destroy();
    }, drainMs).unref();
    await Promise.all(this.#connections.values());
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(0);
  }
}
