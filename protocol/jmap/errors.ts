/** JMAP's errors at their three levels: the request (RFC 8620 §3.6.1), a call (§3.6.2), an object of a /set (§5.3). */

export type RequestProblemType = 'unknownCapability' | 'notJSON' | 'notRequest' | 'limit';

/** The whole request is refused: an RFC 7807 problem, with an HTTP status. */
export class RequestProblem extends Error {
  readonly type: RequestProblemType;
  /** Name of the limit, for 'limit'. */
  readonly limit: string | undefined;
  constructor(type: RequestProblemType, detail: string, limit?: string) {
    super(detail);
    this.name = 'RequestProblem';
    this.type = type;
    this.limit = limit;
  }

  toJSON(): object {
    const { type, message, limit } = this;
    return { type: `urn:ietf:params:jmap:error:${type}`, status: 400, detail: message, ...(limit === undefined ? {} : { limit }) };
  }
}

export type MethodErrorType =
  | 'serverUnavailable'
  | 'serverFail'
  | 'serverPartialFail'
  | 'unknownMethod'
  | 'invalidArguments'
  | 'invalidResultReference'
  | 'forbidden'
  | 'accountNotFound'
  | 'accountNotSupportedByMethod'
  | 'accountReadOnly'
  | 'fromAccountNotFound'
  | 'unknownDataType'
  | 'requestTooLarge'
  | 'stateMismatch'
  | 'cannotCalculateChanges'
  | 'tooManyChanges'
  | 'anchorNotFound'
  | 'unsupportedFilter'
  | 'unsupportedSort';

/** A call is refused; the calls after it go on. */
export class MethodError extends Error {
  readonly type: MethodErrorType;
  readonly more: Readonly<Record<string, unknown>>;
  constructor(type: MethodErrorType, description: string, more: Readonly<Record<string, unknown>> = {}) {
    super(description);
    this.name = 'MethodError';
    this.type = type;
    this.more = more;
  }
}

/** Why one object of a /set was not created, updated or destroyed. */
export interface SetError {
  readonly type: string;
  readonly description?: string;
  readonly properties?: readonly string[];
  readonly notFound?: readonly string[];
  readonly existingId?: string;
  /** RFC 8621 §7.5. */
  readonly maxSize?: number;
  readonly maxRecipients?: number;
  readonly invalidRecipients?: readonly string[];
}

/** One object of a /set, /import or /copy is refused (RFC 8620 §5.3); the others go on. */
export class SetFailure extends Error {
  readonly error: SetError;
  constructor(error: SetError) {
    super(error.description ?? error.type);
    this.name = 'SetFailure';
    this.error = error;
  }
}

export function invalidProperties(description: string, ...properties: string[]): SetFailure {
  return new SetFailure({ type: 'invalidProperties', description, properties });
}
