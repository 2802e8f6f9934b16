/**
 * What SES tells of mail that it sent for us, from either of its schemas (events of a configuration set, notifications of an identity), as one value. Pure;
 * a value that is not as SES writes it is undefined.
 */
import type { FeedbackEvent } from '../ses/events.ts';

export interface FeedbackRecipient {
  readonly address: string;
  /** `5.1.1`. */
  readonly status: string | undefined;
  readonly diagnostic: string | undefined;
}

export interface SesFeedback {
  readonly kind: 'send' | 'delivery' | 'bounce' | 'complaint' | 'reject' | 'failure' | 'delay';
  /** SES's own id of the copy. */
  readonly sesMessageId: string;
  /** Our tags; undefined where the notification carries none. */
  readonly account: string | undefined;
  readonly submission: string | undefined;
  /** Address that the message was from. */
  readonly source: string;
  /** The same for each repetition of the event. */
  readonly key: string;
  /** Whom it is about. */
  readonly recipients: readonly FeedbackRecipient[];
  /** `Permanent`, `Transient`, `Undetermined`; of a bounce. */
  readonly bounceType: string;
  /** `NoEmail`, `OnAccountSuppressionList`, `abuse`, `Bad content`, …: for people. */
  readonly detail: string;
  readonly smtpResponse: string | undefined;
  readonly reportingMta: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

const kinds: Readonly<Record<string, SesFeedback['kind']>> = {
  Send: 'send',
  Delivery: 'delivery',
  Bounce: 'bounce',
  Complaint: 'complaint',
  Reject: 'reject',
  'Rendering Failure': 'failure',
  DeliveryDelay: 'delay',
};

/** What says why, in one or another kind of event. */
const detailNames = ['bounceSubType', 'complaintFeedbackType', 'delayType', 'reason', 'errorMessage'];

/** Recipients of one event: SES sends to 50 at most. */
const recipientsMax = 100;

export function decodeSesFeedback({ type, body }: FeedbackEvent): SesFeedback | undefined {
  const kind = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
  const mail = body['mail'];
  if (kind === undefined || !isObject(mail)) return undefined;
  const sesMessageId = text(mail['messageId']);
  if (sesMessageId === undefined || !/^[A-Za-z0-9._-]{1,128}$/.test(sesMessageId)) return undefined;
  const part = partOf(kind, body);
  const recipients = recipientsOf(kind, part, mail);
  const identity = text(part['feedbackId']) ?? `${sesMessageId}:${recipients.map(({ address }) => address.toLowerCase()).join(',')}`;
  return {
    kind,
    sesMessageId,
    account: tag(mail, 'account'),
    submission: tag(mail, 'submission'),
    source: addressIn(text(mail['source']) ?? ''),
    key: `${kind}:${identity}`,
    recipients,
    bounceType: text(part['bounceType']) ?? '',
    detail: detailNames.map((name) => text(part[name])).find((detail) => detail !== undefined) ?? '',
    smtpResponse: text(part['smtpResponse']),
    reportingMta: text(part['reportingMTA'])?.replace(/^dns; */, ''),
  };
}

function partOf(kind: SesFeedback['kind'], body: Json): Json {
  const part = body[kind === 'delay' ? 'deliveryDelay' : kind];
  return isObject(part) ? part : {};
}

function recipientsOf(kind: SesFeedback['kind'], part: Json, mail: Json): FeedbackRecipient[] {
  const listed = { bounce: part['bouncedRecipients'], complaint: part['complainedRecipients'], delay: part['delayedRecipients'] };
  const isOfAll = kind === 'send' || kind === 'reject' || kind === 'failure';
  const given = kind === 'delivery' ? part['recipients'] : isOfAll ? mail['destination'] : listed[kind];
  if (!Array.isArray(given)) return [];
  return given.slice(0, recipientsMax).flatMap((one: unknown) => {
    if (typeof one === 'string') return [{ address: addressIn(one), status: undefined, diagnostic: undefined }];
    if (!isObject(one) || typeof one['emailAddress'] !== 'string') return [];
    const diagnostic = text(one['diagnosticCode'])?.replace(/^smtp; */i, '');
    return [{ address: addressIn(one['emailAddress']), status: text(one['status']), diagnostic }];
  });
}

/** Tags are lists of one. */
function tag(mail: Json, name: string): string | undefined {
  const tags = mail['tags'];
  const values = isObject(tags) ? tags[name] : undefined;
  const value = Array.isArray(values) ? text(values[0]) : undefined;
  return value !== undefined && /^[A-Za-z0-9_-]{1,64}$/.test(value) ? value : undefined;
}

/** `Ann <ann@example.com>` or `ann@example.com`. */
function addressIn(value: string): string {
  const [, inside] = /<([^<>]*)>\s*$/.exec(value) ?? [];
  return (inside ?? value).trim();
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value.slice(0, 2000) : undefined);
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
