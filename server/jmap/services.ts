/** What the JMAP face is given by who composes the process. */

import type { AccountId } from '../../protocol/mail/ids.ts';
import type { MessageFacts } from '../../protocol/mime/facts.ts';
import type { Accounts } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import type { Directory } from '../../storage/directory/directory.ts';
import type { SendingLimits } from '../../storage/outbox/history.ts';
import type { Random } from '../../storage/random.ts';
import type { Shares } from '../../storage/sharing/shares.ts';
import type { Authenticator, Identity } from '../auth/authenticator.ts';
import type { Logger } from '../logger.ts';
import type { Pusher } from './push/pusher.ts';
import type { ReachableAccount } from './reachable.ts';

/** What of an added message goes into the log beside its bytes. */
export interface ReadMessage {
  readonly facts: MessageFacts;
  readonly text: string;
  readonly preview: string;
}

export interface JmapServices {
  readonly accounts: Accounts;
  /** The accounts of a login, its own first. */
  readonly reachableAccounts: (identity: Identity) => Promise<readonly ReachableAccount[]>;
  /** Gives and takes rights on mailboxes. */
  readonly shares: Shares;
  /** Who may send as whom, and who may know whom. */
  readonly directory: Pick<
    Directory,
    | 'addressesOf'
    | 'maySendAs'
    | 'accountById'
    | 'credential'
    | 'principals'
    | 'principal'
    | 'principalIdOf'
    | 'areNeighbours'
    | 'history'
    | 'noteShares'
  >;
  readonly authenticator: Authenticator;
  /** Reads a message, off the event loop where it may be large. Must not reject for what a message says. */
  readonly readMessage: (raw: Uint8Array) => Promise<ReadMessage>;
  /** Certificates in PEM that S/MIME signatures may lead to. */
  readonly trustAnchors: () => readonly string[];
  /** Web origins whose pages may call us; `*`: all. */
  readonly corsOrigins: readonly string[];
  /** `https://mail.example.com`, where that is configured; otherwise clients are told the host that they asked. */
  readonly publicUrl: string | undefined;
  /** Issuers of the tokens that are taken, as clients find them (RFC 9728); none where no tokens are. */
  readonly tokenIssuers: readonly string[];
  readonly pusher: Pusher;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  /** Right side of the Message-IDs that we make. */
  readonly hostname: string;
  /** What an account may send in a day. */
  readonly sendingLimits: SendingLimits;
  /** Before a commit that puts mail into an account's outbox: resolves when it would be found again after a crash right after it. */
  readonly announce: (account: AccountId) => Promise<void>;
  /** Octets of a message that may be added. */
  readonly messageBytesMax: number;
}
