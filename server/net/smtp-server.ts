/**
 * Connections of SMTP and LMTP: bytes between a connection and its session, time-outs, and the end. What the session decides is protocol/smtp's affair,
 * what becomes of the mail the service's. A message that is being stored when the server stops is answered first.
 */
import type { SecureContext } from 'node:tls';
import type { SmtpPort } from '../../protocol/smtp/handler.ts';
import type { Logger } from '../logger.ts';
import type { Connection } from './connection.ts';
import { smtpIdleTimeoutMs } from './limits.ts';
import { type LineSession, type SessionServer, serveSessions } from './sessions.ts';

/** What the protocol makes of a connection's bytes. */
export interface SmtpDialogue {
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

export interface SmtpServerOptions {
  readonly service: { open(port: SmtpPort, peer: SmtpPeer): SmtpDialogue };
  readonly logger: Logger;
  /** Makes STARTTLS available; asked for at each handshake. */
  readonly secureContext?: () => SecureContext;
  readonly idleTimeoutMs?: number;
}

export const createSmtpServer = (options: SmtpServerOptions): SessionServer =>
  serveSessions((connection) => new SmtpConversation(connection, options), options.logger);

class SmtpConversation implements LineSession {
  readonly #connection: Connection;
  readonly #dialogue: SmtpDialogue;
  readonly #idleTimeoutMs: number;
  #isClosed = false;
  /** Ends what run() waits for when the session closes. */
  #wake: (() => void) | undefined;
  /** Given, the session ends when it has answered what it is at. */
  #farewell: string | undefined;
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
    this.#dialogue = service.open(port, {
      address: connection.remote,
      isSecure: connection.isTls,
      isProtected: connection.isProtected,
    });
    void connection.closed.then(() => this.#close());
  }

  async run(): Promise<void> {
    this.#connection.setDeadline(this.#idleTimeoutMs, () => this.#expire());
    this.#dialogue.start();
    while (!this.#isClosed) {
      if (this.#paused !== undefined) await this.#orClosed(this.#paused.promise);
      const bytes = await this.#orClosed(this.#connection.read());
      if (bytes === undefined) break;
      this.#connection.renewDeadline();
      this.#dialogue.receive(bytes);
      await this.#connection.drained();
    }
    // The peer has said its last, and still wants to hear what became of its message.
    while (this.#dialogue.isBusy && !this.#isClosed) await this.#orClosed(this.#written.promise);
  }

  /** What `promise` gives, or undefined once the session is closed. No race with one promise of the whole session: that would keep all that was ever read. */
  #orClosed<T>(promise: Promise<T>): Promise<T | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      promise.then(resolve, reject);
    });
  }

  sayBye(text: string): void {
    this.#farewell = text;
    this.#shutDownWhenIdle(text);
  }

  #shutDownWhenIdle(text: string): void {
    if (!this.#dialogue.isBusy) this.#dialogue.shutDown(text);
  }

  #write(text: string): void {
    this.#connection.write([Buffer.from(text)]);
    this.#written.resolve();
    this.#written = Promise.withResolvers();
    const farewell = this.#farewell;
    if (farewell !== undefined && !this.#isClosed) queueMicrotask(() => this.#shutDownWhenIdle(farewell));
  }

  #expire(): void {
    if (this.#dialogue.isBusy) this.#connection.setDeadline(this.#idleTimeoutMs, () => this.#expire());
    else this.#dialogue.shutDown('nothing was heard for too long');
  }

  #close(): void {
    this.#isClosed = true;
    this.#wake?.();
    this.#wake = undefined;
  }
}
