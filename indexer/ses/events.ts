/**
 * What arrives from AWS (and MinIO) about new mail, decoded into values: SES receipts, object events, and what is to be skipped, each bare,
 * in an SNS wrapper (also twice removed, as Lambda forwards it) or from EventBridge. Pure: transports check signatures and topics.
 *
 * Nothing throws on any input: what cannot be read is an event of kind `malformed` that says why, for a log and a dead-letter queue.
 */
import { eventBytesMax, eventRecordsMax } from '../limits.ts';
import { type ScanResults, sesMessageIdPattern, setupNotificationId } from './header-block.ts';

/** SES has stored (or carries) a message for these envelope recipients. */
export interface ReceiptEvent {
  readonly kind: 'receipt';
  readonly sesMessageId: string;
  /** Envelope sender; '' for bounces. */
  readonly envelopeFrom: string;
  /** RCPT TO addresses that this rule matched, as sent. Another rule's receipt may name others: unite them by message id. */
  readonly recipients: readonly string[];
  readonly results: ScanResults;
  /** What the rule did, which the receipt is about: S3, SNS, Lambda, WorkMail, Bounce, Stop, … */
  readonly action: string;
  /** Where the message is; undefined when the event came from a Lambda action, which does not say. */
  readonly object: { readonly bucket: string; readonly key: string; readonly prefix: string | undefined } | undefined;
  /** The message itself, with the SNS action. */
  readonly content: Buffer | undefined;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number | undefined;
}

/** An object was written. There is no envelope in it. */
export interface ObjectEvent {
  readonly kind: 'object';
  readonly bucket: string;
  /** Decoded: the name as the store knows it. */
  readonly key: string;
  readonly size: number | undefined;
}

/** About mail that we sent: for the outbox. */
export interface FeedbackEvent {
  readonly kind: 'feedback';
  /** Bounce, Complaint, Delivery, Send, Reject, DeliveryDelay, Rendering Failure, Open, Click, Subscription, … */
  readonly type: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** To be acknowledged and forgotten: S3's test event, SES's setup notification and validation note, removals. */
export interface SkippedEvent {
  readonly kind: 'skip';
  readonly why: 'test' | 'setup' | 'validation' | 'notCreated';
}

/** SNS wants a subscription confirmed, or tells that one ended. */
export interface SubscriptionEvent {
  readonly kind: 'subscription';
  readonly change: 'confirm' | 'ended';
  readonly topicArn: string;
  readonly token: string;
  readonly subscribeUrl: string;
}

export interface MalformedEvent {
  readonly kind: 'malformed';
  readonly reason: string;
}

export type InboundEvent = ReceiptEvent | ObjectEvent | FeedbackEvent | SkippedEvent | SubscriptionEvent | MalformedEvent;

type Json = Readonly<Record<string, unknown>>;

/** SNS wraps, and Lambda wraps SNS: what is nested deeper is nobody's format. */
const wrappersMax = 2;

/** The events in a body, in order; at least one. A body is JSON text, or already parsed. */
export function decodeEvents(body: string | unknown): readonly InboundEvent[] {
  return decodeText(body, wrappersMax);
}

function decodeText(body: unknown, wrappersLeft: number): readonly InboundEvent[] {
  if (typeof body !== 'string') return decodeValue(body, wrappersLeft);
  if (Buffer.byteLength(body) > eventBytesMax) return [malformed(`larger than ${eventBytesMax} bytes`)];
  if (body.startsWith('Successfully validated SNS topic for Amazon SES')) return [{ kind: 'skip', why: 'validation' }];
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return [malformed('not JSON')];
  }
  return decodeValue(value, wrappersLeft);
}

function decodeValue(value: unknown, wrappersLeft: number): readonly InboundEvent[] {
  if (!isObject(value)) return [malformed('not a JSON object')];
  if (typeof value['Type'] === 'string' && typeof value['TopicArn'] === 'string') return decodeSns(value, wrappersLeft);
  if (value['Event'] === 's3:TestEvent') return [{ kind: 'skip', why: 'test' }];
  if (Array.isArray(value['Records'])) return decodeRecords(value['Records'], wrappersLeft);
  if (value['notificationType'] === 'Received') return [decodeReceipt(value)];
  const feedback = value['eventType'] ?? value['notificationType'];
  if (typeof feedback === 'string') return [{ kind: 'feedback', type: feedback, body: value }];
  if (value['source'] === 'aws.s3') return [decodeEventBridgeObject(value)];
  if (value['source'] === 'aws.ses') return [decodeEventBridgeFeedback(value)];
  return [malformed('none of the known events')];
}

function decodeSns(value: Json, wrappersLeft: number): readonly InboundEvent[] {
  const topicArn = value['TopicArn'] as string;
  switch (value['Type']) {
    case 'Notification':
      if (typeof value['Message'] !== 'string') return [malformed('an SNS notification without Message')];
      if (wrappersLeft === 0) return [malformed('an SNS notification inside another')];
      return decodeText(value['Message'], wrappersLeft - 1);
    case 'SubscriptionConfirmation':
    case 'UnsubscribeConfirmation': {
      const { Token: token, SubscribeURL: subscribeUrl } = value;
      if (typeof token !== 'string' || typeof subscribeUrl !== 'string') return [malformed('a subscription message without Token or URL')];
      return [
        { kind: 'subscription', change: value['Type'] === 'SubscriptionConfirmation' ? 'confirm' : 'ended', topicArn, token, subscribeUrl },
      ];
    }
    default:
      return [malformed('an SNS message of unknown type')];
  }
}

function decodeRecords(records: readonly unknown[], wrappersLeft: number): readonly InboundEvent[] {
  if (records.length === 0) return [malformed('no records')];
  if (records.length > eventRecordsMax) return [malformed(`more than ${eventRecordsMax} records`)];
  return records.flatMap((record): readonly InboundEvent[] => {
    if (!isObject(record)) return [malformed('a record that is no object')];
    // MinIO says `minio:s3`.
    if (record['eventSource'] === 'aws:s3' || record['eventSource'] === 'minio:s3') return [decodeObjectRecord(record)];
    if (record['eventSource'] === 'aws:ses')
      return [isObject(record['ses']) ? decodeReceipt(record['ses']) : malformed('no ses in the record')];
    if (record['EventSource'] === 'aws:sns') {
      const sns = record['Sns'];
      return isObject(sns)
        ? decodeSns({ ...sns, TopicArn: String(sns['TopicArn'] ?? '') }, wrappersLeft)
        : [malformed('no Sns in the record')];
    }
    return [malformed('a record of unknown source')];
  });
}

function decodeObjectRecord(record: Json): InboundEvent {
  const version = record['eventVersion'];
  if (typeof version !== 'string' || !/^2\.\d+$/.test(version)) return malformed('an S3 event of unknown version');
  const name = record['eventName'];
  if (typeof name !== 'string') return malformed('an S3 event without a name');
  // S3 leaves the prefix away, MinIO writes it.
  if (!/^(s3:)?ObjectCreated:/.test(name)) return { kind: 'skip', why: 'notCreated' };
  const bucket = member(record, 's3', 'bucket', 'name');
  const encoded = member(record, 's3', 'object', 'key');
  if (typeof bucket !== 'string' || typeof encoded !== 'string') return malformed('an S3 event without bucket or key');
  const key = decodeKey(encoded);
  if (key === undefined) return malformed('an S3 event whose key is wrongly encoded');
  return objectEvent(bucket, key, member(record, 's3', 'object', 'size'));
}

/** EventBridge does not encode the key. */
function decodeEventBridgeObject(value: Json): InboundEvent {
  if (value['detail-type'] !== 'Object Created') return { kind: 'skip', why: 'notCreated' };
  const bucket = member(value, 'detail', 'bucket', 'name');
  const key = member(value, 'detail', 'object', 'key');
  if (typeof bucket !== 'string' || typeof key !== 'string') return malformed('an EventBridge event without bucket or key');
  return objectEvent(bucket, key, member(value, 'detail', 'object', 'size'));
}

function decodeEventBridgeFeedback(value: Json): InboundEvent {
  const detail = value['detail'];
  if (!isObject(detail) || typeof detail['eventType'] !== 'string') return malformed('an EventBridge event of SES without detail');
  return { kind: 'feedback', type: detail['eventType'], body: detail };
}

function objectEvent(bucket: string, key: string, size: unknown): InboundEvent {
  if (key.slice(key.lastIndexOf('/') + 1) === setupNotificationId) return { kind: 'skip', why: 'setup' };
  return { kind: 'object', bucket, key, size: typeof size === 'number' ? size : undefined };
}

/** S3 encodes keys in events as a form would: `+` is a space, then percent escapes. */
function decodeKey(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded.replace(/\+/g, ' '));
  } catch {
    return undefined;
  }
}

function decodeReceipt(value: Json): InboundEvent {
  const { mail, receipt } = value;
  if (!isObject(mail) || !isObject(receipt)) return malformed('a receipt without mail or receipt');
  const sesMessageId = mail['messageId'];
  if (sesMessageId === setupNotificationId) return { kind: 'skip', why: 'setup' };
  if (typeof sesMessageId !== 'string' || !sesMessageIdPattern.test(sesMessageId)) return malformed('a receipt without a usable messageId');
  const recipients = receipt['recipients'];
  if (!Array.isArray(recipients) || !recipients.every((recipient) => typeof recipient === 'string')) {
    return malformed('a receipt without recipients');
  }
  const source = typeof mail['source'] === 'string' ? mail['source'] : '';
  return {
    kind: 'receipt',
    sesMessageId,
    // The null path has been written in each of these ways.
    envelopeFrom: source === 'MAILER-DAEMON' ? '' : source.replace(/^<(.*)>$/, '$1'),
    recipients: [...new Set(recipients as readonly string[])],
    results: {
      spam: status(receipt, 'spamVerdict'),
      virus: status(receipt, 'virusVerdict'),
      spf: status(receipt, 'spfVerdict'),
      dkim: status(receipt, 'dkimVerdict'),
      dmarc: status(receipt, 'dmarcVerdict'),
      dmarcPolicy: typeof receipt['dmarcPolicy'] === 'string' ? receipt['dmarcPolicy'].toLowerCase() : undefined,
    },
    action: String(member(receipt, 'action', 'type') ?? ''),
    object: receiptObject(receipt),
    content: receiptContent(value, receipt),
    receivedAt: time(mail['timestamp']) ?? time(receipt['timestamp']),
  };
}

/** `objectKey` is the whole key and not encoded. */
function receiptObject(receipt: Json): ReceiptEvent['object'] {
  const bucket = member(receipt, 'action', 'bucketName');
  const key = member(receipt, 'action', 'objectKey');
  const prefix = member(receipt, 'action', 'objectKeyPrefix');
  if (member(receipt, 'action', 'type') !== 'S3' || typeof bucket !== 'string' || typeof key !== 'string') return undefined;
  return { bucket, key, prefix: typeof prefix === 'string' ? prefix : undefined };
}

function receiptContent(value: Json, receipt: Json): Buffer | undefined {
  if (typeof value['content'] !== 'string') return undefined;
  const encoding = String(member(receipt, 'action', 'encoding') ?? '')
    .replace('-', '')
    .toUpperCase();
  return Buffer.from(value['content'], encoding === 'BASE64' ? 'base64' : 'utf8');
}

function status(receipt: Json, verdict: string): string | undefined {
  const found = member(receipt, verdict, 'status');
  return typeof found === 'string' ? found.toUpperCase() : undefined;
}

function time(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function member(value: unknown, ...path: readonly string[]): unknown {
  for (const name of path) {
    if (!isObject(value)) return undefined;
    value = value[name];
  }
  return value;
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const malformed = (reason: string): MalformedEvent => ({ kind: 'malformed', reason });
