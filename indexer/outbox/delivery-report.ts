/**
 * Delivery status notifications: what the sender of a message is told of its fate (RFC 3464 in a multipart/report of RFC 6522). The report refers to
 * the message and its subject is the message's behind a bracketed word, which subjects are compared without (RFC 5256 §2.1): so it comes to lie in
 * the message's thread. Pure.
 */
import { asBuffer } from '../../protocol/mime/bytes.ts';
import { encodeWords } from '../../protocol/mime/encoded-word.ts';
import { fieldValue, scanHeader } from '../../protocol/mime/header.ts';
import { asText } from '../../protocol/mime/header-forms.ts';
import { isAsciiOnly } from '../../protocol/smtp/path.ts';
import type { EnvelopeAddress, SubmissionRecord } from '../../storage/outbox/record.ts';
import { returnedBytesMax } from './limits.ts';

/** RFC 3464 §2.3.3. A complaint is of what was delivered: it has no action of its own there. */
export type ReportAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'complaint';

export interface ReportedRecipient {
  readonly rcptTo: EnvelopeAddress;
  readonly action: ReportAction;
  /** `550 5.1.1 nobody`. */
  readonly smtpReply: string;
  /** Who said it; undefined: we. */
  readonly remoteMta?: string;
}

export interface ReportFacts {
  readonly hostName: string;
  /** Domain of the address that the report is from. */
  readonly domain: string;
  /** Fresh: of letters and digits. */
  readonly token: string;
  readonly now: number;
}

const words: Readonly<Record<ReportAction, { readonly tag: string; readonly sentence: string }>> = {
  failed: { tag: 'Undelivered', sentence: 'Your message could not be delivered, and will not be tried again, to:' },
  delayed: { tag: 'Delayed', sentence: 'Your message has not been delivered yet. You need not send it again: it is tried further, to:' },
  delivered: { tag: 'Delivered', sentence: 'Your message was delivered to:' },
  complaint: { tag: 'Complaint', sentence: 'Your message was reported as unwanted. Nothing is sent to this address any more:' },
  relayed: { tag: 'Relayed', sentence: 'Your message was handed to a server that sends no notice of its delivery, for:' },
};

/** A report about recipients who share an action. `message` is the message as it was sent. */
export function deliveryReport(
  record: Pick<SubmissionRecord, 'envelope' | 'messageId' | 'createdAt' | 'expiresAt'>,
  recipients: readonly ReportedRecipient[],
  message: Uint8Array,
  facts: ReportFacts,
): Buffer {
  const { hostName, domain, token, now } = facts;
  const action = recipients[0]!.action;
  const { mailFrom } = record.envelope;
  const boundary = `report-${token}`;
  const original = asBuffer(message);
  const returnsAll = mailFrom.parameters?.['RET']?.toUpperCase() === 'FULL' && action === 'failed' && original.length <= returnedBytesMax;
  const header = original.subarray(0, scanHeader(original).fieldsEnd);
  const isUtf8 = !isAsciiOnly(header.toString('utf8')) || !recipients.every(({ rcptTo }) => isAsciiOnly(rcptTo.email));
  const head = [
    `From: Mail Delivery System <mailer-daemon@${domain}>`,
    `To: <${mailFrom.email}>`,
    `Date: ${mailDate(now)}`,
    `Message-ID: <${token}.report@${domain}>`,
    `Subject: [${words[action].tag}] ${encodeWords(subjectOf(original))}`,
    ...(record.messageId === '' ? [] : [`In-Reply-To: <${record.messageId}>`, `References: <${record.messageId}>`]),
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="${boundary}"`,
    '',
  ];
  const text = [
    words[action].sentence,
    '',
    ...recipients.flatMap(({ rcptTo, smtpReply, remoteMta }) => [
      `  ${rcptTo.email}`,
      `    ${remoteMta === undefined ? '' : `${remoteMta} said: `}${smtpReply}`,
      '',
    ]),
    ...(action === 'delayed' ? [`It is given up on ${mailDate(record.expiresAt)}.`, ''] : []),
  ];
  const fields = [
    `Reporting-MTA: dns; ${hostName}`,
    ...(mailFrom.parameters?.['ENVID'] ? [`Original-Envelope-Id: ${printable(mailFrom.parameters['ENVID'])}`] : []),
    `Arrival-Date: ${mailDate(record.createdAt)}`,
    ...recipients.flatMap((recipient) => ['', ...recipientFields(recipient, record)]),
    '',
  ];
  const part = (type: string, lines: readonly string[]) => `--${boundary}\r\n${type}\r\n\r\n${lines.join('\r\n')}\r\n`;
  // RFC 6533 §3: where addresses are not ASCII, the parts say so.
  const statusType = isUtf8 ? 'Content-Type: message/global-delivery-status' : 'Content-Type: message/delivery-status';
  const headerType = isUtf8 ? 'Content-Type: message/global-headers' : 'Content-Type: text/rfc822-headers';
  return Buffer.concat([
    Buffer.from(`${head.join('\r\n')}\r\n`),
    Buffer.from(part('Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit', text)),
    Buffer.from(part(statusType, fields)),
    Buffer.from(`--${boundary}\r\n${returnsAll ? 'Content-Type: message/rfc822' : headerType}\r\n\r\n`),
    returnsAll ? original : header,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
}

/** RFC 3464 §2.3. */
function recipientFields(
  { rcptTo, action, smtpReply, remoteMta }: ReportedRecipient,
  record: Pick<SubmissionRecord, 'expiresAt'>,
): string[] {
  const original = rcptTo.parameters?.['ORCPT'];
  const type = isAsciiOnly(rcptTo.email) ? 'rfc822' : 'utf-8';
  return [
    ...(original ? [`Original-Recipient: ${printable(original)}`] : []),
    `Final-Recipient: ${type}; ${rcptTo.email}`,
    `Action: ${action === 'complaint' ? 'delivered' : action}`,
    `Status: ${statusOf(smtpReply, action)}`,
    ...(remoteMta === undefined ? [] : [`Remote-MTA: dns; ${printable(remoteMta)}`]),
    `Diagnostic-Code: smtp; ${printable(smtpReply)}`,
    ...(action === 'delayed' ? [`Will-Retry-Until: ${mailDate(record.expiresAt)}`] : []),
  ];
}

/** The enhanced status code of a reply (RFC 3463), or what its first digit comes to. */
export function statusOf(smtpReply: string, action: ReportAction): string {
  const [, code] = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})(?: |$)/.exec(smtpReply) ?? [];
  if (code !== undefined) return code;
  return action === 'failed' ? '5.0.0' : action === 'delayed' ? '4.0.0' : '2.0.0';
}

function subjectOf(message: Buffer): string {
  const field = scanHeader(message).fields.find(({ name }) => name === 'subject');
  return field === undefined ? '' : asText(fieldValue(message, field)).replace(/[\r\n]+/g, ' ');
}

export const mailDate = (ms: number) => new Date(ms).toUTCString().replace('GMT', '+0000');
const printable = (text: string) => text.replace(/[^\x20-\x7e]/g, '?');

/** RFC 3461 §4.1: what the sender wants to hear of this recipient. Without NOTIFY: failures and delays. */
export function wantsReport({ parameters }: EnvelopeAddress, action: ReportAction): boolean {
  if (action === 'complaint') return true;
  const notify = parameters?.['NOTIFY']?.toUpperCase().split(',');
  const word = action === 'failed' ? 'FAILURE' : action === 'delayed' ? 'DELAY' : 'SUCCESS';
  return notify === undefined ? word !== 'SUCCESS' : notify.includes(word);
}
