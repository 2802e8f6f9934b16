/**
 * What a command is to the server: a row. CAPABILITY, the states in which it is permitted, whether EXPUNGE may be told while it is answered, and
 * whether it may be carried out together with its neighbours all follow from the rows in commands/index.ts.
 */
import type { DecodeContext } from '../../protocol/imap/commands/context.ts';
import type { Scanner } from '../../protocol/imap/wire/scanner.ts';
import type { Reply } from './refusal.ts';
import type { Session } from './session.ts';

/** RFC 9051 §3. */
export type SessionState = 'notAuthenticated' | 'authenticated' | 'selected';

export const anyState: readonly SessionState[] = ['notAuthenticated', 'authenticated', 'selected'];
export const loggedIn: readonly SessionState[] = ['authenticated', 'selected'];
export const selected: readonly SessionState[] = ['selected'];

/** What capabilities may depend on. */
export interface CapabilityContext {
  readonly messageBytesMax: number;
  readonly nonSynchronizingLiterals: 'all' | 'small';
  readonly messagesMax: number | undefined;
  readonly canStartTls: boolean;
  /** Passwords may cross the connection. */
  readonly isProtected: boolean;
  /** The connection has channel binding (RFC 9266). */
  readonly canBind: boolean;
  /** Bearer tokens of an OpenID provider are taken. */
  readonly takesTokens: boolean;
  readonly isLoggedIn: boolean;
  readonly isCompressed: boolean;
  /** The accounts can be reached by JMAP too. */
  readonly hasJmap: boolean;
}

export interface Invocation {
  readonly session: Session;
  readonly tag: string;
  /** Upper case, with `UID ` in front of UID commands. */
  readonly name: string;
  readonly isUid: boolean;
}

/** Ends a command that was begun: waits for it and writes its untagged responses. */
export type Finish = () => Promise<Reply | undefined>;

interface RowBase<A> {
  readonly names: readonly string[];
  readonly states: readonly SessionState[];
  readonly capability: readonly string[] | ((context: CapabilityContext) => readonly string[]);
  /**
   * 'hold': the names without UID use sequence numbers, so that no EXPUNGE may be told while they are answered (RFC 9051 §7.5.1).
   * 'free': it may.
   */
  readonly sequences: 'hold' | 'free';
  /** The names without UID take message numbers: refused where the client has enabled UIDONLY (RFC 9586 §3.2). */
  readonly takesNumbers?: true;
  /** It waits for what the client says: however long that takes, nothing is under way here. */
  readonly isConversation?: true;
  decode(scanner: Scanner, context: DecodeContext, name: string): A;
}

export type CommandRow<A> = RowBase<A> &
  (
    | { run(invocation: Invocation, args: A): Promise<Reply | undefined> | Reply | undefined; readonly begin?: undefined }
    /** Starts without waiting for begun commands before it, whose outcome does not matter to it (RFC 9051 §5.5); they are finished in order. */
    | { begin(invocation: Invocation, args: A): Finish; readonly run?: undefined }
  );

/** A row whose arguments are its own affair. */
export type AnyCommandRow = CommandRow<unknown>;

/** A row. What decode gives is what run gets, so the table need not know the type. */
export function defineCommand<A>(row: CommandRow<A>): AnyCommandRow {
  return row as AnyCommandRow;
}
