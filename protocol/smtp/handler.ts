/** What an SMTP session asks of the service behind it, and what it knows when it asks. */
import type { Reply } from './reply.ts';

export type MaybePromise<T> = T | Promise<T>;

/** `lmtp` answers after the message once for each recipient (RFC 2033 §4.2). */
export type SmtpMode = 'smtp' | 'lmtp';

export interface Recipient<R> {
  readonly address: string;
  readonly parameters: ReadonlyMap<string, string | null>;
  /** What the handler made of it. */
  readonly value: R;
}

export interface MailTransaction<R> {
  /** '' for the null path. */
  readonly sender: string;
  readonly parameters: ReadonlyMap<string, string | null>;
  readonly isSmtpUtf8: boolean;
  readonly recipients: readonly Recipient<R>[];
  /** What the client called itself. */
  readonly clientName: string;
  readonly isSecure: boolean;
}

export interface ReceivedMessage {
  /** The message in pieces; they are the handler's to keep. */
  readonly chunks: readonly Buffer[];
  readonly octets: number;
}

export interface SmtpHandler<R> {
  /** A transaction begins; a Reply refuses it. */
  sender?(transaction: MailTransaction<R>): MaybePromise<Reply | undefined>;
  recipient(address: string, transaction: MailTransaction<R>): MaybePromise<{ readonly accept: R } | { readonly refuse: Reply }>;
  /** One reply for each recipient, in order, in LMTP; one in SMTP. A positive one means that the message is safe. */
  message(transaction: MailTransaction<R>, message: ReceivedMessage): MaybePromise<readonly Reply[]>;
  /** An AUTH exchange begins (RFC 4954). Absent: there is no AUTH. `mechanisms` are asked for at each EHLO. */
  readonly auth?: SmtpAuth;
  /** The handler threw or rejected; the peer was told to try again later. */
  onError?(error: unknown): void;
}

export type AuthStep =
  /** Sent as 334; the client's answer goes to `answer`. */
  | { readonly kind: 'challenge'; readonly data: Uint8Array; readonly answer: (message: Uint8Array) => Promise<AuthStep> }
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly reply: Reply };

export interface SmtpAuth {
  mechanisms(isSecure: boolean): readonly string[];
  /** `initialResponse`: undefined where the client sent none. */
  begin(mechanism: string, initialResponse: Uint8Array | undefined, isSecure: boolean): Promise<AuthStep>;
}

/** What a submission server offers beyond transport (RFC 6409), and asks for: nobody sends before AUTH. */
export interface SubmissionOptions {
  /** RFC 4865: seconds that a message is held at most. */
  readonly holdSecondsMax: number;
  readonly now: () => number;
  /** Whether REQUIRETLS (RFC 8689) can be kept on the way out, as things are now. */
  readonly canRequireTls: () => boolean;
}

/** The connection under a session. */
export interface SmtpPort {
  /** One call for a burst of replies. */
  write(bytes: string): void;
  /** Asks for no more input until resume(). What comes nevertheless is taken. */
  pause(): void;
  resume(): void;
  /** Begins TLS on the connection; resolves when it is secure. Absent where it is not offered. */
  startTls?(): Promise<void>;
  /** Ends the connection once everything written is sent. */
  close(): void;
}

export interface SmtpOptions<R> {
  readonly mode: SmtpMode;
  /** What we call ourselves. */
  readonly hostName: string;
  readonly messageBytesMax: number;
  /** 'refuse' messages with a CR or LF alone, or 'keep' them as they are. Neither ever ends DATA. */
  readonly bareLineEnds: 'keep' | 'refuse';
  readonly handler: SmtpHandler<R>;
  /** In mode `smtp`. */
  readonly submission?: SubmissionOptions;
  /** Recipients of one transaction; at most recipientsMax. */
  readonly recipientsMax?: number;
}
