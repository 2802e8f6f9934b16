/** The ManageSieve server (RFC 5804). */
import { type SessionServer, serveSessions } from '../net/sessions.ts';
import { type ManageSieveServices, Session } from './session.ts';

export function createManageSieveServer(services: ManageSieveServices): SessionServer {
  return serveSessions((connection) => new Session(connection, services), services.logger);
}
