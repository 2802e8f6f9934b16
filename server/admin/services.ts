/** What the administrator's verbs act on. compose.ts gives it, beside listeners or without any. */
import type { HeldMail } from '../../indexer/held-mail.ts';
import type { ParsedMessage } from '../../indexer/parse-message.ts';
import type { IntakeOutcome } from '../../indexer/pipeline.ts';
import type { VerdictRule } from '../../indexer/verdict.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Accounts } from '../../storage/account/api.ts';
import type { Clock } from '../../storage/clock.ts';
import type { Directory } from '../../storage/directory/directory.ts';
import type { StoreMeter } from '../../storage/objects/metered.ts';
import type { ObjectStore } from '../../storage/objects/object-store.ts';
import type { Shares } from '../../storage/sharing/shares.ts';
import type { Finding } from '../../storage/snapshot/findings.ts';
import type { VerifySummary } from '../../storage/snapshot/verify.ts';
import type { ClientSetup } from './client-setup.ts';

export interface AdminServices {
  readonly directory: Directory;
  /** What accounts share with each other. */
  readonly shares: Shares;
  /** How mail programs reach this server. */
  readonly setup: () => ClientSetup;
  readonly maintenance: Maintenance;
  readonly held: Pick<HeldMail, 'list' | 'get' | 'remove'>;
  readonly mail: MailServices;
  /** Takes an address off the relay's own list of suppressed ones; absent where the relay keeps none. */
  readonly unsuppressAtRelay?: (address: string) => Promise<boolean>;
  /** Delivers a held message after all; undefined when there is none of this name. */
  release(name: string, recipients?: readonly string[]): Promise<IntakeOutcome | undefined>;
}

/** The accounts' mail, and the store that it comes through. */
export interface MailServices {
  readonly accounts: Accounts;
  readonly parse: (bytes: Uint8Array) => Promise<ParsedMessage>;
  readonly messageBytesMax: number;
  readonly verdicts: readonly VerdictRule[];
  /** Names of the hooks in the configuration, and where functions reach the message flow interface. */
  readonly hooks?: readonly string[];
  readonly messageFlowUrl?: string;
  readonly store: ObjectStore;
  readonly inboundPrefix: string;
  readonly meter: Pick<StoreMeter, 'snapshot'>;
  readonly clock: Clock;
  /** When the meter began to count, by the monotonic clock. */
  readonly startedAt: number;
}

export interface Verified {
  readonly findings: readonly Finding[];
  /** How many more findings there were than are listed. */
  readonly findingsOmitted: number;
  readonly summary: VerifySummary;
}

export interface Rebuilt {
  readonly messages: number;
  readonly mailboxes: number;
  readonly seq: number;
  readonly durationMs: number;
}

/** Work on whole accounts, the directory's own among them. */
export interface Maintenance {
  verify(id: AccountId, options: { readonly isDeep: boolean }): Promise<Verified>;
  /** Throws the account's index away and builds it anew from the bucket. Its sessions end. */
  rebuild(id: AccountId): Promise<Rebuilt>;
}
