/**
 * Parameters of MAIL and RCPT that submission knows: DSN (RFC 3461 §4), FUTURERELEASE (RFC 4865 §4), REQUIRETLS (RFC 8689 §2), AUTH (RFC 4954 §5), and the
 * EHLO lines that go with them, LIMITS (RFC 9422) among them.
 *
 *   hold-for-param   = "HOLDFOR=" future-release-integer
 *   hold-until-param = "HOLDUNTIL=" future-release-date-time
 *   notify-esmtp-value = "NEVER" / 1#notify-list-element
 */
import type { SmtpOptions } from '../handler.ts';
import { recipientsMax } from '../limits.ts';
import { SmtpRefusal } from '../reply.ts';
import type { SmtpContext } from './command.ts';

type Check = (value: string | null, context: SmtpContext) => void;

const refuse = (text: string): never => {
  throw new SmtpRefusal(501, '5.5.4', text);
};

const isXtext = (value: string | null, most: number): value is string =>
  value !== null && value.length <= most && /^(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e\u{80}-\u{10ffff}]|\+[0-9A-F]{2})+$/u.test(value);

/** `+41` is `A` (RFC 3461 §4). */
export function decodeXtext(text: string): string {
  return text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

export const submissionParameters: Readonly<Record<string, Check>> = {
  RET: (value) => {
    if (!/^(FULL|HDRS)$/i.test(value ?? '')) refuse('RET takes FULL or HDRS');
  },
  ENVID: (value) => {
    if (!isXtext(value, 100)) refuse('ENVID takes at most 100 characters of xtext');
  },
  // We know who the client is, and believe no other name.
  AUTH: (value) => {
    if (!isXtext(value, 500)) refuse('AUTH takes an address or <>');
  },
  REQUIRETLS: (value, context) => {
    if (!takesRequireTls(context)) throw new SmtpRefusal(555, '5.5.4', 'REQUIRETLS cannot be kept here');
    if (value !== null) refuse('REQUIRETLS takes no value');
  },
  HOLDFOR: (value, { options }) => {
    if (value === null || !/^[1-9]\d{0,8}$/.test(value)) refuse('HOLDFOR takes seconds');
    requireHold(Number(value) * 1000, options);
  },
  HOLDUNTIL: (value, { options }) => {
    const at = parseHoldUntil(value ?? '');
    if (at === undefined) throw new SmtpRefusal(501, '5.5.4', 'HOLDUNTIL takes a date and time such as 2027-03-31T12:00:00Z');
    const ms = at - options.submission!.now();
    // RFC 4865 §4.2.1: a time that is past is refused.
    if (ms < 0) throw new SmtpRefusal(501, '5.5.4', 'that time is past');
    requireHold(ms, options);
  },
};

function requireHold(ms: number, { submission }: SmtpOptions<unknown>): void {
  const most = submission!.holdSecondsMax;
  if (ms > most * 1000) throw new SmtpRefusal(501, '5.7.1', `a message is held for at most ${most} seconds`);
}

/** RFC 8689 §2: only within TLS. */
const takesRequireTls = ({ options, isSecure }: SmtpContext) => isSecure && options.submission?.canRequireTls() === true;

/** RFC 3339 date-time, in milliseconds since the epoch. */
function parseHoldUntil(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i.test(text)) return undefined;
  const ms = Date.parse(text.toUpperCase());
  return Number.isNaN(ms) ? undefined : ms;
}

/** RFC 4865 §4: one of the two. */
export function checkSubmissionParameters(parameters: ReadonlyMap<string, string | null>): void {
  if (parameters.has('HOLDFOR') && parameters.has('HOLDUNTIL')) refuse('HOLDFOR and HOLDUNTIL exclude each other');
}

/** False for a parameter that is not known. */
export function checkRecipientParameter(keyword: string, value: string | null): boolean {
  switch (keyword) {
    case 'NOTIFY':
      if (value === null || !/^(NEVER|(SUCCESS|FAILURE|DELAY)(,(SUCCESS|FAILURE|DELAY)){0,2})$/i.test(value))
        refuse('NOTIFY takes NEVER, or some of SUCCESS, FAILURE and DELAY');
      return true;
    case 'ORCPT': {
      const [type = '', ...address] = (value ?? '').split(';');
      if (!/^[A-Za-z0-9-]{1,32}$/.test(type) || !isXtext(address.join(';'), 500)) refuse('ORCPT takes type;address');
      return true;
    }
    default:
      return false;
  }
}

/** When the message may leave, milliseconds since the epoch; undefined: at once. */
export function heldUntil(parameters: ReadonlyMap<string, string | null>, now: number): number | undefined {
  const seconds = parameters.get('HOLDFOR');
  if (typeof seconds === 'string') return now + Number(seconds) * 1000;
  const date = parameters.get('HOLDUNTIL');
  return typeof date === 'string' ? parseHoldUntil(date) : undefined;
}

export function submissionCapabilities(context: SmtpContext): readonly string[] {
  const { submission, recipientsMax: most = recipientsMax } = context.options;
  if (submission === undefined) return [];
  const { holdSecondsMax, now } = submission;
  // RFC 4865 §3: the longest interval, and the latest date.
  const latest = `${new Date(now() + holdSecondsMax * 1000).toISOString().slice(0, 19)}Z`;
  const requireTls = takesRequireTls(context) ? ['REQUIRETLS'] : [];
  return ['DSN', `FUTURERELEASE ${holdSecondsMax} ${latest}`, `LIMITS RCPTMAX=${Math.min(most, recipientsMax)}`, ...requireTls];
}
