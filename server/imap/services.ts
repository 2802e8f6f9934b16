/** What the IMAP server is given by who composes the process. */
import type { SecureContext } from 'node:tls';
import type { MessageFacts } from '../../protocol/mime/facts.ts';
import type { Accounts } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import type { Shares } from '../../storage/sharing/shares.ts';
import type { Authenticator } from '../auth/authenticator.ts';
import type { Logger } from '../logger.ts';
import type { RecentRegistry } from './recent.ts';

/** What of an appended message goes into the log beside its bytes. */
export interface ReadMessage {
  readonly facts: MessageFacts;
  readonly text: string;
  readonly preview: string;
}

export interface ImapServerOptions {
  readonly accounts: Accounts;
  readonly authenticator: Authenticator;
  /** What accounts share with each other. */
  readonly shares: Shares;
  /** Reads a message, off the event loop where it may be large. Must not reject for what a message says. */
  readonly readMessage: (raw: Uint8Array) => Promise<ReadMessage>;
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'now'>;
  /** Named in the greeting. */
  readonly hostname: string;
  /** For ID (RFC 2971). */
  readonly version: string;
  /** Makes STARTTLS available; asked for at each handshake. */
  readonly secureContext?: () => SecureContext;
  /** Where the JMAP session of who logs in here is, with the same login and the same ids (RFC 9698). Absent: there is no JMAP. */
  readonly jmapSessionUrl?: string;
  /** Octets of a message that may be appended. */
  readonly messageBytesMax?: number;
  /** Messages that one command may be about (RFC 9738). Absent: as many as there are. */
  readonly messagesMax?: number;
  /** Literals that a client may send without waiting: all of them (LITERAL+), or up to 4,096 octets (LITERAL-). RFC 7888 forbids to offer both. */
  readonly nonSynchronizingLiterals?: 'all' | 'small';
  readonly idleTimeoutMs?: number;
  readonly loginTimeoutMs?: number;
  /** Milliseconds after which, again and again, a client is told that its command is under way. */
  readonly progressMs?: number;
}

/** The same with every default filled in, and what the sessions of a node share. */
export interface ImapServices extends ImapServerOptions {
  readonly messageBytesMax: number;
  readonly nonSynchronizingLiterals: 'all' | 'small';
  readonly idleTimeoutMs: number;
  readonly loginTimeoutMs: number;
  readonly progressMs: number;
  readonly recents: RecentRegistry;
}
