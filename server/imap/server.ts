/** The IMAP server: a session for each connection that a listener hands over, and a word of farewell to all of them at shutdown. */
import type { Connection } from '../net/connection.ts';
import type { ConnectionHandler } from '../net/listener.ts';
import { idleTimeoutMs, loginTimeoutMs, messageBytesDefault, progressMs } from './limits.ts';
import { RecentRegistry } from './recent.ts';
import type { ImapServerOptions, ImapServices } from './services.ts';
import { Session } from './session.ts';

export interface ImapServer extends ConnectionHandler, AsyncDisposable {
  /** Serves one connection to its end. */
  handle(connection: Connection): Promise<void>;
  readonly sessions: number;
  /** Says BYE to every session and waits for them to end. Close the listeners first. */
  close(): Promise<void>;
}

export function createImapServer(options: ImapServerOptions): ImapServer {
  const services: ImapServices = {
    idleTimeoutMs,
    loginTimeoutMs,
    progressMs,
    messageBytesMax: messageBytesDefault,
    nonSynchronizingLiterals: 'all',
    ...options,
    recents: new RecentRegistry(),
  };
  const running = new Map<Session, Promise<void>>();
  let isClosing = false;

  async function handle(connection: Connection): Promise<void> {
    const session = new Session(connection, services);
    const ended = session
      .run()
      .catch((error: unknown) => services.logger.error('session failed', { remote: connection.remote, error }))
      .finally(() => running.delete(session));
    running.set(session, ended);
    if (isClosing) session.sayBye('The server is shutting down.');
    await ended;
    await connection[Symbol.asyncDispose]();
  }

  async function close(): Promise<void> {
    isClosing = true;
    for (const session of running.keys()) session.sayBye('The server is shutting down.');
    await Promise.all(running.values());
  }

  return {
    handle,
    close,
    get sessions() {
      return running.size;
    },
    [Symbol.asyncDispose]: close,
  };
}
