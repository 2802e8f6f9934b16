/** The envelope of a submission (RFC 8621 §7): read from what the client gives, or made from the message's header. All throw SetFailure. */
import { asAddresses } from '../mime/header-forms.ts';
import { invalidProperties, SetFailure } from './errors.ts';
import type { SubmissionEnvelope } from './schema/email-submission.ts';
import { parseJmapDate } from './utc-date.ts';

/** Raw values of all instances of the fields that name senders and recipients. */
export type AddressFields = Readonly<Record<'from' | 'sender' | 'to' | 'cc' | 'bcc', readonly string[]>>;

export interface Senders {
  /** Addresses of From. */
  readonly from: readonly string[];
  /** The one that the envelope is from. */
  readonly mailFrom: string;
}

const invalidEmail = (description: string, ...properties: string[]) => new SetFailure({ type: 'invalidEmail', description, properties });

/** RFC 5322 §3.6.2: one From; with several addresses in it, one Sender of one address. */
export function sendersOf({ from, sender }: AddressFields): Senders {
  const authors = from.flatMap(asAddresses).map(({ email }) => email);
  const senders = sender.flatMap(asAddresses).map(({ email }) => email);
  if (from.length !== 1 || authors.length === 0) throw invalidEmail('A message has one From field, with an address.', 'from');
  if (sender.length > 1 || (sender.length === 1 && senders.length !== 1)) throw invalidEmail('A Sender field has one address.', 'sender');
  if (senders.length === 0 && authors.length > 1)
    throw invalidEmail('A message from several people says in Sender who sends it.', 'from', 'sender');
  return { from: authors, mailFrom: senders[0] ?? authors[0]! };
}

/** Each recipient once: domains do not care for case, and local parts are kept as they are first written. */
export function recipientsOf({ to, cc, bcc }: AddressFields): string[] {
  const seen = new Map<string, string>();
  for (const { email } of [...to, ...cc, ...bcc].flatMap(asAddresses)) {
    const key = email.toLowerCase();
    if (!seen.has(key)) seen.set(key, email);
  }
  return [...seen.values()];
}

/** Parameters of MAIL that are kept; HOLDFOR and HOLDUNTIL are RFC 4865's. */
const mailParameters = new Set(['HOLDFOR', 'HOLDUNTIL', 'SIZE', 'BODY', 'RET', 'ENVID']);
const rcptParameters = new Set(['NOTIFY', 'ORCPT']);

/** An envelope with its parameters checked, their names in upper case. */
export function checkedEnvelope({ mailFrom, rcptTo }: SubmissionEnvelope): SubmissionEnvelope {
  return {
    mailFrom: { email: mailFrom.email, parameters: checkedParameters(mailFrom.parameters, mailParameters, checkMailParameter) },
    rcptTo: rcptTo.map(({ email, parameters }) => ({
      email,
      parameters: checkedParameters(parameters, rcptParameters, checkRcptParameter),
    })),
  };
}

type Parameters = Readonly<Record<string, string | null>> | null | undefined;

function checkedParameters(
  given: Parameters,
  known: ReadonlySet<string>,
  isRight: (name: string, value: string | null) => boolean,
): Record<string, string | null> | null {
  if (given === undefined || given === null) return null;
  const checked: Record<string, string | null> = {};
  for (const [name, value] of Object.entries(given)) {
    const upper = name.toUpperCase();
    if (!known.has(upper)) throw invalidProperties(`The parameter ${JSON.stringify(name.slice(0, 50))} is not known.`, 'envelope');
    if (!isRight(upper, value)) throw invalidProperties(`${upper} does not have its form.`, 'envelope');
    checked[upper] = value;
  }
  return checked;
}

function checkMailParameter(name: string, value: string | null): boolean {
  switch (name) {
    case 'HOLDFOR':
      return value !== null && /^[1-9]\d{0,8}$/.test(value);
    case 'HOLDUNTIL':
      return value !== null && parseJmapDate(value, false) !== undefined;
    case 'SIZE':
      return value !== null && /^\d{1,20}$/.test(value);
    case 'BODY':
      return value !== null && /^(7BIT|8BITMIME)$/i.test(value);
    case 'RET':
      return value !== null && /^(FULL|HDRS)$/i.test(value);
    default:
      return value !== null && /^[\x20-\x7e]{1,100}$/.test(value);
  }
}

/** RFC 3461 §4.1, §4.2; xtext is taken off in JMAP. */
function checkRcptParameter(name: string, value: string | null): boolean {
  if (value === null) return false;
  if (name === 'NOTIFY') return /^(NEVER|(SUCCESS|FAILURE|DELAY)(,(SUCCESS|FAILURE|DELAY)){0,2})$/i.test(value);
  return /^[A-Za-z0-9-]+;[^\r\n\0]{1,400}$/.test(value);
}

/** RFC 4865 §4: when the message may leave, milliseconds since the epoch; undefined for at once. */
export function heldUntil({ mailFrom }: SubmissionEnvelope, now: number, delaySecondsMax: number): number | undefined {
  const { HOLDFOR: seconds, HOLDUNTIL: date } = mailFrom.parameters ?? {};
  if (typeof seconds === 'string' && typeof date === 'string')
    throw invalidProperties('HOLDFOR and HOLDUNTIL exclude each other.', 'envelope');
  const at = typeof seconds === 'string' ? now + Number(seconds) * 1000 : typeof date === 'string' ? parseJmapDate(date, false) : undefined;
  if (at !== undefined && at > now + delaySecondsMax * 1000)
    throw invalidProperties(`A message is held for at most ${delaySecondsMax} seconds.`, 'envelope');
  return at;
}
