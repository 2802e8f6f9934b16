/** The messages that filing writes: vacation answers, notifications, rejections. And who may be answered at all (RFC 3834, RFC 5230 §4). */

import { formatField, formatHeaderValue } from '../../protocol/jmap/header-writer.ts';
import { encodeQuotedPrintable } from '../../protocol/jmap/transfer-writer.ts';
import { addrSpec, mailboxesOf, parseAddresses } from '../../protocol/mime/address.ts';
import { encodeWords } from '../../protocol/mime/encoded-word.ts';
import type { MessageFacts } from '../../protocol/mime/facts.ts';
import { unfold } from '../../protocol/mime/header.ts';
import { headerValuesFromRaw } from '../../protocol/mime/header-facts.ts';
import { mailtoOf } from '../../protocol/sieve/extensions/answers.ts';
import type { NotifyAction, VacationAction } from '../../protocol/sieve/outcome.ts';
import { referencesCharsMax } from './limits.ts';

export interface Writer {
  /** The address that the message reached, and its owner's name. */
  readonly address: string;
  readonly name: string;
  /** All of the owner's. */
  readonly addresses: readonly string[];
  readonly hostName: string;
  readonly now: number;
  /** For Message-ID and boundaries: drawn. */
  readonly token: string;
}

export interface Answer {
  readonly bytes: Buffer;
  /** Without brackets. */
  readonly messageId: string;
  readonly to: readonly string[];
}

export interface Original {
  readonly header: Buffer;
  readonly facts: MessageFacts;
  readonly envelopeFrom: string | undefined;
}

const valuesOf = ({ header }: Original, name: string) => headerValuesFromRaw(header, name).map((value) => unfold(value).trim());

/** RFC 3834 §2, RFC 5230 §4.5, §4.6. */
export function mayBeAnswered(original: Original, addresses: readonly string[]): boolean {
  const { envelopeFrom } = original;
  if (envelopeFrom === undefined || envelopeFrom === '') return false;
  const sender = envelopeFrom.toLowerCase();
  const own = new Set(addresses.map((address) => address.toLowerCase()));
  if (own.has(sender) || !sender.includes('@')) return false;
  if (
    /^(?:mailer-daemon|postmaster|listserv|majordomo|no-?reply|do-?not-?reply|owner-.*|.*-owner|.*-request|.*-bounces?(?:[+=].*)?)@/.test(
      sender,
    )
  )
    return false;
  if (valuesOf(original, 'auto-submitted').some((value) => !/^no\b/i.test(value))) return false;
  if (valuesOf(original, 'precedence').some((value) => /^(?:bulk|list|junk)\b/i.test(value))) return false;
  if (valuesOf(original, 'x-auto-response-suppress').some((value) => /\b(?:all|oof|autoreply)\b/i.test(value))) return false;
  const lists = ['list-id', 'list-post', 'list-unsubscribe', 'list-help', 'list-owner', 'list-archive', 'list-subscribe', 'feedback-id'];
  if (lists.some((name) => valuesOf(original, name).length > 0)) return false;
  // RFC 5230 §4.5: it was sent to him, and not to a list or as a blind copy.
  const named = ['to', 'cc', 'bcc', 'resent-to', 'resent-cc', 'resent-bcc'].flatMap((name) => valuesOf(original, name));
  return named
    .flatMap((value) => mailboxesOf(parseAddresses(value)).map(addrSpec))
    .some((address) => own.has(withoutDetail(address)) || own.has(address.toLowerCase()));
}

const withoutDetail = (address: string) => address.toLowerCase().replace(/\+[^@]*@/, '@');

const field = (name: string, value: string | undefined) => (value === undefined || value === '' ? '' : formatField(name, value));
const oneLine = (text: string) => text.replace(/[\r\n\0]+/g, ' ').trim();
const mailDate = (ms: number) => new Date(ms).toUTCString().replace('GMT', '+0000');

function fromOf({ address, name }: Writer, given: string | undefined): string {
  // `:from` was checked to hold one address.
  if (given !== undefined) return formatHeaderValue('asAddresses', addressesOf(given)) ?? address;
  return formatHeaderValue('asAddresses', [{ name: name === '' ? null : name, email: address }]) ?? address;
}

function addressesOf(text: string) {
  return mailboxesOf(parseAddresses(Buffer.from(text, 'utf8').toString('latin1'))).map((mailbox) => ({
    name: mailbox.name === undefined ? null : Buffer.from(mailbox.name, 'latin1').toString('utf8'),
    email: addrSpec(mailbox),
  }));
}

const networkLines = (text: string) => text.replace(/\r?\n/g, '\r\n');

function textPart(text: string): string {
  return `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${encodeQuotedPrintable(networkLines(text))}\r\n`;
}

/**
 * RFC 5230 §4.7: with :mime the reason is an entity with its fields. Those that MIME gives it stand, since the others are the answer's own; undefined
 * for what begins without any.
 */
function mimeEntity(reason: string): string | undefined {
  const text = networkLines(reason);
  const end = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2;
  const fields = text.slice(0, end).split(/\r\n(?![ \t])/);
  fields.pop();
  if (!fields.every((each) => /^[\x21-\x39\x3b-\x7e]+[ \t]*:/.test(each))) return undefined;
  const kept = fields.filter((each) => /^content-/i.test(each));
  return kept.length === 0 ? undefined : `${kept.join('\r\n')}\r\n${text.slice(end)}`;
}

export function vacationAnswer(action: VacationAction, original: Original, writer: Writer): Answer {
  const { facts } = original;
  const messageId = `${writer.token}.vacation@${writer.hostName}`;
  const [parent] = facts.messageIds;
  const references =
    parent === undefined
      ? ''
      : [...facts.references, parent]
          .map((id) => `<${id}>`)
          .join(' ')
          .slice(-referencesCharsMax)
          .replace(/^[^<]*/, '');
  // RFC 5230 §4.4: `Auto: ` and the subject, where none is said.
  const subject = action.subject ?? (facts.subject === '' ? 'Automated reply' : `Auto: ${facts.subject}`);
  const to = original.envelopeFrom ?? '';
  const header = [
    field('Date', mailDate(writer.now)),
    field('From', fromOf(writer, action.from)),
    field('To', formatHeaderValue('asAddresses', [{ name: null, email: to }]) ?? to),
    field('Subject', encodeWords(oneLine(subject))),
    field('Message-ID', `<${messageId}>`),
    field('In-Reply-To', parent === undefined ? undefined : `<${parent}>`),
    field('References', references),
    // RFC 3834 §5.2.
    field('Auto-Submitted', 'auto-replied'),
    field('X-Auto-Response-Suppress', 'All'),
    'MIME-Version: 1.0\r\n',
  ].join('');
  const body = (action.isMime ? mimeEntity(action.reason) : undefined) ?? textPart(action.reason);
  return { bytes: Buffer.from(header + body), messageId, to: [to] };
}

/** RFC 5436 §2.7. Undefined for a method that is none. */
export function notification(action: NotifyAction, original: Original, writer: Writer): Answer | undefined {
  const mailto = mailtoOf(action.method);
  if (mailto === undefined) return undefined;
  const messageId = `${writer.token}.notify@${writer.hostName}`;
  const { facts } = original;
  const from = oneLine(valuesOf(original, 'from').join(', '));
  const subject = action.message ?? mailto.fields.get('subject') ?? (facts.subject === '' ? 'New message' : facts.subject);
  const body =
    mailto.fields.get('body') ?? `${action.message ?? 'A message has come.'}\r\n\r\nFrom: ${from}\r\nSubject: ${facts.subject}\r\n`;
  const importance = { 1: ['1 (Highest)', 'High'], 2: undefined, 3: ['5 (Lowest)', 'Low'] }[action.importance];
  const header = [
    field('Date', mailDate(writer.now)),
    field('From', fromOf(writer, action.from)),
    field('To', mailto.to.join(', ')),
    field('Cc', mailto.cc.join(', ')),
    field('Subject', encodeWords(oneLine(subject))),
    field('Message-ID', `<${messageId}>`),
    // RFC 5436 §2.7.1.
    field('Auto-Submitted', `auto-notified; owner-email="${writer.address}"`),
    ...(importance === undefined ? [] : [field('X-Priority', importance[0]), field('Importance', importance[1])]),
    'MIME-Version: 1.0\r\n',
  ].join('');
  return { bytes: Buffer.from(header + textPart(body)), messageId, to: [...mailto.to, ...mailto.cc] };
}

/** RFC 5429 §2.1.2, RFC 3464: the report to a sender who is who he says. */
export function rejection(reason: string, original: Original, writer: Writer): Answer {
  const messageId = `${writer.token}.reject@${writer.hostName}`;
  const boundary = `=_${writer.token}`;
  const to = original.envelopeFrom ?? '';
  const header = [
    field('Date', mailDate(writer.now)),
    field(
      'From',
      formatHeaderValue('asAddresses', [{ name: 'Mail Delivery System', email: `postmaster@${writer.address.split('@').at(-1)}` }]) ?? '',
    ),
    field('To', formatHeaderValue('asAddresses', [{ name: null, email: to }]) ?? to),
    field('Subject', encodeWords(oneLine(`Rejected: ${original.facts.subject}`))),
    field('Message-ID', `<${messageId}>`),
    field('Auto-Submitted', 'auto-replied'),
    `MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="${boundary}"\r\n\r\n`,
  ].join('');
  const human = textPart(`Your message to ${writer.address} was refused by its recipient:\n\n${reason}\n`);
  const status = `Reporting-MTA: dns; ${writer.hostName}\r\n\r\nFinal-Recipient: rfc822; ${writer.address}\r\nAction: failed\r\nStatus: 5.7.1\r\n`;
  const parts = [human, `Content-Type: message/delivery-status\r\n\r\n${status}`, 'Content-Type: text/rfc822-headers\r\n\r\n'];
  return {
    bytes: Buffer.concat([
      Buffer.from(`${header}--${boundary}\r\n${parts.join(`\r\n--${boundary}\r\n`)}`),
      original.header,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
    messageId,
    to: [to],
  };
}
