/** Turns errors into JMAP's: the one place where MailError codes become SetErrors (RFC 8620 §5.3, RFC 8621) and method errors (RFC 8620 §3.6.2). */
import { MethodError, type SetError, SetFailure } from '../../protocol/jmap/errors.ts';
import { assertNever, MailError, StorageError } from '../../protocol/mail/errors.ts';
import type { Logger } from '../logger.ts';

/** The SetError of an object that was refused; rethrows what is not about the object. */
export function setErrorOf(error: unknown): SetError {
  if (error instanceof SetFailure) return error.error;
  if (!(error instanceof MailError)) throw error;
  const description = error.message;
  switch (error.code) {
    case 'notFound':
      return { type: 'notFound', description };
    case 'mailboxNotFound':
      return { type: 'invalidProperties', properties: ['mailboxIds'], description };
    case 'alreadyExists':
      return { type: 'alreadyExists', description };
    case 'invalidName':
      return { type: 'invalidProperties', properties: ['name'], description };
    case 'invalidArguments':
      return { type: 'invalidProperties', description };
    case 'mailboxHasChild':
      return { type: 'mailboxHasChild', description };
    case 'mailboxNotEmpty':
      return { type: 'mailboxHasEmail', description };
    case 'forbidden':
    case 'unsupported':
    case 'limit':
      return { type: 'forbidden', description };
    case 'overQuota':
      return { type: 'overQuota', description };
    case 'tooLarge':
      return { type: 'tooLarge', description };
    case 'authenticationFailed':
    case 'accountClosed':
    case 'stateMismatch':
    case 'cannotCalculateChanges':
      throw error;
    default:
      return assertNever(error.code);
  }
}

/** The error response of a call. What we did wrong goes to the log, and no further. */
export function methodErrorOf(error: unknown, logger: Logger, method: string): object {
  if (error instanceof MethodError) return { type: error.type, description: error.message, ...error.more };
  if (error instanceof MailError) return mailErrorOf(error);
  if (error instanceof StorageError && (error.code === 'unavailable' || error.code === 'conflict')) {
    logger.warn('The store failed a JMAP method.', { method, error });
    return { type: 'serverUnavailable', description: 'The store cannot be reached, try again.' };
  }
  logger.error('A JMAP method failed.', { method, error });
  if (error instanceof StorageError && error.code === 'refused')
    return { type: 'serverFail', description: 'The store refuses this; the log of the server says why.' };
  return { type: 'serverFail', description: 'The server failed; its log says why.' };
}

function mailErrorOf({ code, message: description }: MailError): object {
  switch (code) {
    case 'accountClosed':
      return { type: 'accountNotFound', description };
    case 'stateMismatch':
    case 'cannotCalculateChanges':
    case 'forbidden':
      return { type: code, description };
    default:
      return { type: 'invalidArguments', description };
  }
}
