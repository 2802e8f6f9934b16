/** Turns errors into replies: the one place where MailError codes become response codes (RFC 5530, RFC 9051 §7.1). */
import { assertNever, MailError, type MailErrorCode, ProtocolError, StorageError } from '../../protocol/mail/errors.ts';
import { UidRequired } from './uid-only.ts';

export interface Reply {
  readonly status: 'OK' | 'NO' | 'BAD';
  /** Response code without brackets. */
  readonly code?: string;
  readonly text: string;
}

/** The tagged reply is out already. */
export const answered: Reply = { status: 'OK', text: '' };

export interface Refusal extends Reply {
  /** The session cannot go on. */
  readonly isFatal?: boolean;
  /** We were wrong, or the store is: the log gets it whole. */
  readonly isReported?: boolean;
}

export function refusalOf(error: unknown): Refusal {
  if (error instanceof ProtocolError) {
    const where = error.offset === undefined ? '' : ` (at byte ${error.offset + 1})`;
    return {
      status: 'BAD',
      ...(error instanceof UidRequired ? { code: 'UIDREQUIRED' } : {}),
      text: `Cannot read this: ${error.message}${where}.`,
    };
  }
  if (error instanceof MailError)
    return { status: 'NO', code: codeOf(error.code), text: sentence(error.message), isFatal: error.code === 'accountClosed' };
  if (error instanceof StorageError) return refuseForStorage(error);
  return { status: 'NO', code: 'SERVERBUG', text: 'Internal error, reported in the log of the server.', isFatal: true, isReported: true };
}

function refuseForStorage(error: StorageError): Refusal {
  switch (error.code) {
    case 'unavailable':
    case 'conflict':
      return { status: 'NO', code: 'UNAVAILABLE', text: 'The store cannot be reached, try again.', isReported: true };
    case 'corrupt':
    case 'missing':
      return {
        status: 'NO',
        code: 'CONTACTADMIN',
        text: 'The store does not have what it should, reported in the log of the server.',
        isReported: true,
      };
    case 'refused':
      return { status: 'NO', code: 'CONTACTADMIN', text: 'The store refuses this, reported in the log of the server.', isReported: true };
    default:
      return assertNever(error.code);
  }
}

function codeOf(code: MailErrorCode): string | undefined {
  switch (code) {
    case 'authenticationFailed':
      return 'AUTHENTICATIONFAILED';
    case 'forbidden':
      return 'NOPERM';
    case 'notFound':
    case 'mailboxNotFound':
      return 'NONEXISTENT';
    case 'alreadyExists':
      return 'ALREADYEXISTS';
    case 'mailboxHasChild':
      return 'HASCHILDREN';
    case 'invalidName':
    case 'invalidArguments':
    case 'unsupported':
    case 'mailboxNotEmpty':
      return 'CANNOT';
    case 'tooLarge':
      return 'TOOBIG';
    case 'overQuota':
      return 'OVERQUOTA';
    case 'limit':
      return 'LIMIT';
    case 'accountClosed':
      return 'UNAVAILABLE';
    case 'stateMismatch':
    case 'cannotCalculateChanges':
      return undefined;
    default:
      return assertNever(code);
  }
}

/** Text of one line that begins with a capital and ends with a stop. */
function sentence(message: string): string {
  const line = message.replace(/[^\x20-\x7e]+/g, ' ').trim();
  const ended = /[.!?]$/.test(line) ? line : `${line}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
