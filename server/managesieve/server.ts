/** The ManageSieve server (RFC 5804): a session for each connection, and a word of farewell to all of them at shutdown. */
import type { Connection } from '../net/connection.ts';
import type { ConnectionHandler } from '../net/listener.ts';
import { type ManageSieveServices, Session } from './session.ts';

export interface ManageSieveServer extends ConnectionHandler {
  readonly sessions: number;
  close(): Promise<void>;
}

export function createManageSieveServer(services: ManageSieveServices): ManageSieveServer {
  const running = new Map<Session, Promise<void>>();
  let isClosing = false;
  return {
    async handle(connection: Connection) {
      const session = new Session(connection, services);
      const ended = session
        .run()
        .catch((error: unknown) => services.logger.error('session failed', { remote: connection.remote, error }))
        .finally(() => running.delete(session));
      running.set(session, ended);
      if (isClosing) session.sayBye('The server is shutting down.');
      await ended;
      await connection[Symbol.asyncDispose]();
    },
    async close() {
      isClosing = true;
      for (const session of running.keys()) session.sayBye('The server is shutting down.');
      await Promise.all(running.values());
    },
    get sessions() {
      return running.size;
    },
  };
}
