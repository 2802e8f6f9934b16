/**
 * What an S3 failure means to us, by who acts next. Kept apart from the driver so that every row can be tried without a network.
 *
 * Whatever may have taken effect is `unavailable`: 409 (another conditional write or a delete is in flight), every 5xx, time-outs, resets.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import { ClockSkewError, UnreachedError } from './object-store.ts';

/** What the SDK's errors carry, as far as we read it. */
interface S3Failure {
  readonly name: string;
  readonly message: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

const skewCodes = new Set(['RequestTimeTooSkewed', 'RequestInTheFuture', 'RequestExpired']);
const passingCodes = new Set(['RequestTimeout', 'ExpiredToken', 'ExpiredTokenException', 'IncompleteBody', 'SlowDown', 'OperationAborted']);

const refusals: Readonly<Record<string, string>> = {
  AccessDenied: 'these credentials may not do that; the policy must allow it',
  AllAccessDisabled: 'access to the bucket is switched off',
  AuthorizationHeaderMalformed: 'the signature names the wrong region; set store.region',
  InvalidAccessKeyId: 'the store does not know this access key',
  InvalidObjectState: 'the object is in an archive tier and cannot be read; restore it, and remove the lifecycle rule that archived it',
  NoSuchBucket: 'there is no such bucket',
  PermanentRedirect: 'the bucket is in another region; set store.region',
  SignatureDoesNotMatch: 'the secret access key is wrong',
};

/** Of the system's: no connection came about, so nothing was sent. */
const unreachedCodes = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? '');
}

export type S3Answer = 'missing' | 'precondition' | 'rangeNotSatisfiable' | 'failed';

/** Which ordinary answer an error stands for, if one. */
export function s3Answer(error: unknown): S3Answer {
  if (!isS3Failure(error)) return 'failed';
  const status = error.$metadata?.httpStatusCode;
  if (status === 412) return 'precondition';
  if (status === 416) return 'rangeNotSatisfiable';
  return status === 404 && error.name !== 'NoSuchBucket' ? 'missing' : 'failed';
}

/** The Date header of the response that an error came with, milliseconds. */
export function s3ErrorDate(error: unknown): number | undefined {
  return isS3Failure(error) ? headerDate(error.$response?.headers) : undefined;
}

export function headerDate(headers: Readonly<Record<string, string>> | undefined): number | undefined {
  const date = Date.parse(headers?.['date'] ?? '');
  return Number.isNaN(date) ? undefined : date;
}

/** The StorageError for a failed request; `doing` completes "Could not …". */
export function s3StorageError(error: unknown, doing: string): StorageError {
  const options = { cause: error };
  if (error instanceof StorageError) return error;
  if (unreachedCodes.has(codeOf(error))) return new UnreachedError(`Could not ${doing}: ${codeOf(error)}.`, options);
  if (!isS3Failure(error)) return new StorageError('unavailable', `Could not ${doing}: ${String(error)}`, options);
  const status = error.$metadata?.httpStatusCode;
  if (skewCodes.has(error.name)) {
    return new ClockSkewError(`Could not ${doing}: this machine's clock is too far from the store's. Set it right (NTP).`, options);
  }
  const isRefused =
    status !== undefined && status >= 300 && status < 500 && status !== 409 && status !== 429 && !passingCodes.has(error.name);
  if (isRefused) {
    const why = refusals[error.name] ?? (error.message || 'no reason given');
    return new StorageError('refused', `Could not ${doing}: ${why} (${status} ${error.name}).`, options);
  }
  const what = status === undefined ? error.name : `${status} ${error.name}`;
  return new StorageError('unavailable', `Could not ${doing}: ${error.message || 'no reason given'} (${what}).`, options);
}

function isS3Failure(error: unknown): error is S3Failure {
  return error instanceof Error;
}
