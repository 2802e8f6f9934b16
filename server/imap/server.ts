/** The IMAP server: what its sessions share. */
import { type SessionServer, serveSessions } from '../net/sessions.ts';
import { idleTimeoutMs, loginTimeoutMs, messageBytesDefault, progressMs } from './limits.ts';
import { RecentRegistry } from './recent.ts';
import type { ImapServerOptions, ImapServices } from './services.ts';
import { Session } from './session.ts';

export type ImapServer = SessionServer;

export function createImapServer(options: ImapServerOptions): ImapServer {
  const services: ImapServices = {
    idleTimeoutMs,
    loginTimeoutMs,
    progressMs,
    messageBytesMax: messageBytesDefault,
    nonSynchronizingLiterals: 'all',
    ...options,
    recents: new RecentRegistry(options.clock.now()),
  };
  return serveSessions((connection) => new Session(connection, services), services.logger);
}
