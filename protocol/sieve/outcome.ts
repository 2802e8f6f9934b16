/** What a run gives, and what it is given. The run itself sends and stores nothing: whoever ran it does. */
import type { Part } from '../mime/structure.ts';
import type { Script } from './compile.ts';

/** A copy of the message with the changes that the script had made by then; the original's own buffer where there are none. */
interface OfMessage {
  readonly bytes: Buffer;
}

/** RFC 5490, RFC 8579: where a message is to go. */
export interface Target {
  /** Names joined by `/`. */
  readonly mailbox: string;
  readonly mayCreate: boolean;
  /** `\Junk`; lower case, with its backslash. */
  readonly specialUse: string | undefined;
}

/** RFC 8580. */
export interface FileCopy extends Target {
  readonly flags: readonly string[];
}

export interface VacationAction {
  readonly do: 'vacation';
  /** Of the answers that one sender gets one of. */
  readonly handle: string;
  readonly seconds: number;
  readonly subject: string | undefined;
  readonly from: string | undefined;
  /** Of the owner, besides those that are known. */
  readonly addresses: readonly string[];
  readonly isMime: boolean;
  readonly reason: string;
  readonly fileCopy: FileCopy | undefined;
}

export interface NotifyAction {
  readonly do: 'notify';
  /** A mailto: URI. */
  readonly method: string;
  readonly from: string | undefined;
  readonly importance: '1' | '2' | '3';
  readonly message: string | undefined;
  readonly fileCopy: FileCopy | undefined;
}

export type Action =
  /** Where the message would go without a script. */
  | ({ readonly do: 'keep'; readonly flags: readonly string[] | undefined } & OfMessage)
  | ({ readonly do: 'fileinto'; readonly flags: readonly string[] | undefined } & Target & OfMessage)
  | ({ readonly do: 'redirect'; readonly address: string } & OfMessage)
  | { readonly do: 'discard' }
  | { readonly do: 'reject' | 'ereject'; readonly reason: string }
  | VacationAction
  | NotifyAction;

/** RFC 7352: to be remembered once the message is taken in. */
export interface TrackedId {
  readonly name: string;
  readonly seconds: number;
  /** Remembering it again makes it last longer. */
  readonly isRenewed: boolean;
}

export interface Outcome {
  /** The implicit keep among them, where it stands. Flags are IMAP's spelling; undefined: none were set. */
  readonly actions: readonly Action[];
  readonly tracked: readonly TrackedId[];
  readonly steps: number;
}

export interface RunInput {
  readonly raw: Buffer;
  readonly root: Part;
  /** '' for the null path, undefined where it is not known. */
  readonly envelopeFrom: string | undefined;
  readonly envelopeTo: string | undefined;
  /** RFC 5235: 0 for not tested, 1 to 10. */
  readonly spamScore: number;
  /** RFC 5235: 0 for not tested, 1 to 5. */
  readonly virusScore: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** RFC 5183's items: `name`, `version`, `location`, … */
  readonly environment: Readonly<Record<string, string>>;
  mailboxExists(mailbox: string): boolean;
  /** Whether the mailbox (any, for undefined) has all these uses. */
  specialUseExists(mailbox: string | undefined, uses: readonly string[]): boolean;
  isTracked(name: string): boolean;
  /** RFC 6609: a script of the account. Undefined where there is none. */
  script(name: string): Script | undefined;
}
