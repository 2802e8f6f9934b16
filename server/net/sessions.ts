/** The sessions of a line protocol's server: one for each connection that a listener hands over, and a word of farewell to all of them at shutdown. */
import type { Logger } from '../logger.ts';
import type { Connection } from './connection.ts';
import type { ConnectionHandler } from './listener.ts';

export interface LineSession {
  /** Resolves when the session is over. */
  run(): Promise<void>;
  /** Says farewell and ends, when it has answered what it is at. */
  sayBye(text: string): void;
}

export interface SessionServer extends ConnectionHandler, AsyncDisposable {
  /** Serves one connection to its end. */
  handle(connection: Connection): Promise<void>;
  readonly sessions: number;
  /** Says farewell to every session and waits for them to end. Close the listeners first. */
  close(): Promise<void>;
}

export function serveSessions(open: (connection: Connection) => LineSession, logger: Logger): SessionServer {
  const farewell = 'The server is shutting down.';
  const running = new Map<LineSession, Promise<void>>();
  let isClosing = false;

  async function close(): Promise<void> {
    isClosing = true;
    for (const session of running.keys()) session.sayBye(farewell);
    await Promise.all(running.values());
  }

  return {
    async handle(connection) {
      const session = open(connection);
      const ended = session
        .run()
        .catch((error: unknown) => logger.error('session failed', { remote: connection.remote, error }))
        .finally(() => running.delete(session));
      running.set(session, ended);
      if (isClosing) session.sayBye(farewell);
      await ended;
      await connection[Symbol.asyncDispose]();
    },
    close,
    get sessions() {
      return running.size;
    },
    [Symbol.asyncDispose]: close,
  };
}
