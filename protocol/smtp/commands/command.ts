/** What a row of the command table is. The session finds the row, checks when it may come, and runs it; EHLO's answer follows from the rows. */
import type { MailTransaction, MaybePromise, SmtpMode, SmtpOptions } from '../handler.ts';
import type { Reply } from '../reply.ts';

/** `any`: at once after connecting. `greeted`: after EHLO. `mail`: in a transaction. `recipients`: with a recipient accepted. */
export type Stage = 'any' | 'greeted' | 'mail' | 'recipients';

/** The session, as rows see it. */
export interface SmtpContext {
  readonly options: SmtpOptions<unknown>;
  readonly isSecure: boolean;
  readonly canStartTls: boolean;
  readonly transaction: MailTransaction<unknown> | undefined;
  /** Whether BDAT chunks of the transaction have come. */
  readonly isInChunks: boolean;
  readonly capabilities: readonly string[];
  greet(clientName: string): void;
  begin(transaction: Omit<MailTransaction<unknown>, 'recipients' | 'clientName' | 'isSecure'>): void;
  addRecipient(address: string, parameters: ReadonlyMap<string, string | null>, value: unknown): void;
  reset(): void;
  /** What follows are the message's bytes, until CRLF.CRLF. */
  receiveData(): void;
  /** What follows are `octets` of the message. */
  receiveChunk(octets: number, isLast: boolean): void;
  startTls(): void;
  /** Whether somebody has proved who he is, since EHLO and the last STARTTLS. */
  readonly isAuthenticated: boolean;
  authenticated(): void;
  /** The next line is not a command: `take` gets it, without its CRLF, and answers. */
  converse(take: (line: string) => MaybePromise<Reply | undefined>): void;
  close(): void;
}

export interface SmtpCommand {
  readonly names: readonly string[];
  readonly modes: readonly SmtpMode[];
  readonly stage: Stage;
  /** EHLO lines that this row stands for. */
  readonly capabilities?: (context: SmtpContext) => readonly string[];
  /** Refuses by throwing SmtpRefusal. No reply: the row has begun something that will answer. */
  readonly run: (context: SmtpContext, args: string) => MaybePromise<Reply | undefined>;
}

export const both: readonly SmtpMode[] = ['smtp', 'lmtp'];

export function noArguments(args: string): boolean {
  return args.trim() === '';
}
