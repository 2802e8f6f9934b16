/**
 * Connections of SMTP and LMTP: bytes between a connection and its session, time-outs, and the end. What the session decides is protocol/smtp's affair,
 * what becomes of the mail the service's. A message that is being stored when the server stops is answered first.
 */
import type { SecureContext } from 'node:tls';
import type { SmtpPort } from '../../protocol/smtp/handler.ts';
import type { Connection } from './connection.ts';
import { smtpIdleTimeoutMs } from './limits.ts';
import type { ConnectionHandler } from './listener.ts';

/** What the connection needs of a session. */
export interface LineSession {
  start(): void;
  receive(bytes: Buffer): void;
  shutDown(text: string): void;
  readonly isBusy: boolean;
}

export interface SmtpPeer {
  readonly address: string;
  readonly isSecure: boolean;
  /** Whether a password may cross as the connection is now. */
  readonly isProtected: boolean;
}

export interface SmtpServer extends ConnectionHandler {
  readonly sessions: number;
  /** Tells every session to end, when it has answered what it is at, and waits for them. */
  close(): Promise<void>;
}

export interface SmtpServerOptions {
  readonly service: { open(port: SmtpPort, peer: SmtpPeer): LineSession };
  /** Makes STARTTLS available; asked for at each handshake. */
  readonly secureContext?: () => SecureContext;
  readonly idleTimeoutMs?: number;
}

export function createSmtpServer(options: SmtpServerOptions): SmtpServer {
  const running = new Map<Conversation, Promise<void>>();
  let isClosing = false;
  return {
    async handle(connection) {
      const conversation = new Conversation(connection, options);
      const ended = conversation.run().finally(() => running.delete(conversation));
      running.set(conversation, ended);
      if (isClosing) conversation.stop();
      await ended;
    },
    async close() {
      isClosing = true;
      for (const conversation of running.keys()) conversation.stop();
      await Promise.all(running.values());
    },
    get sessions() {
      return running.size;
    },
  };
}

class Conversation {
  readonly #connection: Connection;
  readonly #session: LineSession;
  readonly #idleTimeoutMs: number;
  readonly #closed = Promise.withResolvers<undefined>();
  #isClosed = false;
  #isStopping = false;
  /** While the session takes no more. */
  #paused: PromiseWithResolvers<void> | undefined;
  /** Resolves when the session writes next. */
  #written = Promise.withResolvers<void>();

  constructor(connection: Connection, { service, secureContext, idleTimeoutMs: timeout = smtpIdleTimeoutMs }: SmtpServerOptions) {
    this.#connection = connection;
    this.#idleTimeoutMs = timeout;
    const port: SmtpPort = {
      write: (text) => this.#write(text),
      pause: () => {
        this.#paused ??= Promise.withResolvers();
      },
      resume: () => {
        this.#paused?.resolve();
        this.#paused = undefined;
      },
      startTls: secureContext && (() => connection.startTls(secureContext())),
      close: () => this.#close(),
    };
    this.#session = service.open(port, {
      address: connection.remote,
      isSecure: connection.isTls,
      isProtected: connection.isProtected,
    });
    void connection.closed.then(() => this.#close());
  }

  async run(): Promise<void> {
    this.#connection.setDeadline(this.#idleTimeoutMs, () => this.#expire());
    this.#session.start();
    while (!this.#isClosed) {
      await Promise.race([this.#paused?.promise, this.#closed.promise]);
      const bytes = await Promise.race([this.#connection.read(), this.#closed.promise]);
      if (bytes === undefined) break;
      this.#connection.renewDeadline();
      this.#session.receive(bytes);
      await this.#connection.drained();
    }
    // The peer has said its last, and still wants to hear what became of its message.
    while (this.#session.isBusy && !this.#isClosed) await Promise.race([this.#written.promise, this.#closed.promise]);
  }

  stop(): void {
    this.#isStopping = true;
    this.#shutDownWhenIdle();
  }

  #shutDownWhenIdle(): void {
    if (!this.#session.isBusy) this.#session.shutDown('the server is shutting down');
  }

  #write(text: string): void {
    this.#connection.write([Buffer.from(text)]);
    this.#written.resolve();
    this.#written = Promise.withResolvers();
    if (this.#isStopping && !this.#isClosed) queueMicrotask(() => this.#shutDownWhenIdle());
  }

  #expire(): void {
    if (this.#session.isBusy) this.#connection.setDeadline(this.#idleTimeoutMs, () => this.#expire());
    else this.#session.shutDown('nothing was heard for too long');
  }

  #close(): void {
    this.#isClosed = true;
    this.#closed.resolve(undefined);
  }
}
