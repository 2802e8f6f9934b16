/**
 * Errors by who acts next: ProtocolError (the peer sent what cannot be read), MailError (a well-formed request, and the answer is no),
 * StorageError (the store or index failed), invariant (we were wrong).
 */

/** The peer's bytes do not follow the grammar. `offset` counts bytes from the start of what was being read. */
export class ProtocolError extends Error {
  readonly offset: number | undefined;
  constructor(message: string, offset?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ProtocolError';
    this.offset = offset;
  }
}

/** Why a well-formed request is refused. Each face maps every code to its protocol's words. */
export type MailErrorCode =
  | 'authenticationFailed'
  | 'forbidden'
  | 'notFound'
  | 'mailboxNotFound'
  | 'alreadyExists'
  | 'invalidName'
  | 'mailboxHasChild'
  | 'mailboxNotEmpty'
  | 'invalidArguments'
  | 'stateMismatch'
  | 'cannotCalculateChanges'
  | 'tooLarge'
  | 'overQuota'
  | 'limit'
  | 'unsupported'
  | 'accountClosed';

/** A well-formed request, and the answer is no. Its message may be shown to the client. */
export class MailError extends Error {
  readonly code: MailErrorCode;
  constructor(code: MailErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MailError';
    this.code = code;
  }
}

/**
 * `unavailable`: the store failed or is not reachable, try again later. `conflict`: re-read and rerun. `corrupt`: stored bytes are not what
 * they must be; stop and tell the administrator. `missing`: a named object is not there. `refused`: the store, or its configuration, is not
 * one we may write to.
 */
export type StorageErrorCode = 'unavailable' | 'conflict' | 'corrupt' | 'missing' | 'refused';

/** The store or the index failed. */
export class StorageError extends Error {
  readonly code: StorageErrorCode;
  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StorageError';
    this.code = code;
  }
}

export function isUnavailable(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'unavailable';
}

/** We were wrong: a condition that the code guarantees does not hold. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvariantError';
  }
}

export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Ends a switch over a closed union: the compiler points here when a case is missing. */
export function assertNever(value: never): never {
  throw new InvariantError(`unexpected value ${JSON.stringify(value)}`);
}
