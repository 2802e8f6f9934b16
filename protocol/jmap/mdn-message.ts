/** Disposition notifications (RFC 8098) as messages: made from a JMAP MDN, and read into one (RFC 9007). */

import { scanHeader } from '../mime/header.ts';
import { headerValuesFromRaw } from '../mime/header-facts.ts';
import { asText } from '../mime/header-forms.ts';
import { decodePart, decodePartText } from '../mime/part-content.ts';
import { walkParts } from '../mime/sections.ts';
import { type Part, parseStructure } from '../mime/structure.ts';
import { invalidProperties } from './errors.ts';
import { formatField, formatHeaderValue } from './header-writer.ts';
import type { MdnSettings, ParsedMdn } from './schema/mdn.ts';
import { encodeQuotedPrintable } from './transfer-writer.ts';
import { formatUtcDate } from './utc-date.ts';

export interface MdnMessage {
  readonly mdn: MdnSettings;
  readonly from: { readonly name: string; readonly email: string };
  readonly to: readonly string[];
  readonly subject: string;
  readonly textBody: string;
  /** `rfc822; me@example.com`. */
  readonly finalRecipient: string;
  readonly originalRecipient: string | null;
  /** Without brackets. */
  readonly originalMessageId: string | null;
  readonly messageId: string;
  readonly boundary: string;
  readonly now: number;
  readonly originalMessage: Buffer | undefined;
}

/** RFC 8098 §3: multipart/report of a text for people, the report, and the original where it was asked for. */
export function buildMdn(message: MdnMessage): Buffer {
  const { boundary, originalMessageId } = message;
  const original =
    originalMessageId === null
      ? []
      : [['In-Reply-To', `<${originalMessageId}>`] as const, ['References', `<${originalMessageId}>`] as const];
  const header = [
    ['From', formatHeaderValue('asAddresses', [message.from])!],
    [
      'To',
      formatHeaderValue(
        'asAddresses',
        message.to.map((email) => ({ email })),
      )!,
    ],
    ['Subject', formatHeaderValue('asText', message.subject)!],
    ['Date', formatHeaderValue('asDate', formatUtcDate(message.now))!],
    ['Message-ID', `<${message.messageId}>`],
    ...original,
    // RFC 3834 §5.
    ['Auto-Submitted', 'auto-replied'],
    ['MIME-Version', '1.0'],
    ['Content-Type', `multipart/report; report-type=disposition-notification; boundary="${boundary}"`],
  ] as const;
  const text = message.textBody.replace(/\r\n|\r|\n/g, '\r\n');
  const parts = [
    Buffer.from(
      `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${encodeQuotedPrintable(text)}\r\n`,
    ),
    Buffer.from(`Content-Type: message/disposition-notification\r\n\r\n${reportFields(message)}`),
  ];
  if (message.originalMessage !== undefined)
    parts.push(Buffer.concat([Buffer.from('Content-Type: message/rfc822\r\n\r\n'), message.originalMessage, Buffer.from('\r\n')]));
  return Buffer.concat([
    Buffer.from(`${header.map(([name, value]) => formatField(name, value)).join('')}\r\n`),
    ...parts.flatMap((part) => [Buffer.from(`--${boundary}\r\n`), part]),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
}

/** RFC 8098 §3.1: the fields of the report. */
function reportFields({ mdn, originalRecipient, originalMessageId, finalRecipient }: MdnMessage): string {
  const { actionMode, sendingMode, type } = mdn.disposition;
  const fields: [string, string][] = [];
  if (mdn.reportingUA !== null) fields.push(['Reporting-UA', mdn.reportingUA]);
  if (originalRecipient !== null) fields.push(['Original-Recipient', originalRecipient]);
  fields.push(['Final-Recipient', finalRecipient]);
  if (originalMessageId !== null) fields.push(['Original-Message-ID', `<${originalMessageId}>`]);
  fields.push(['Disposition', `${actionMode}/${sendingMode}; ${type}`]);
  for (const [name, value] of Object.entries(mdn.extensionFields ?? {})) {
    if (!/^[A-Za-z0-9-]{1,60}$/.test(name) || knownFields.has(name.toLowerCase()))
      throw invalidProperties(`${JSON.stringify(name.slice(0, 60))} is no extension field.`, 'extensionFields');
    fields.push([name, value]);
  }
  return fields.map(([name, value]) => formatField(name, formatHeaderValue('asRaw', value) ?? '')).join('');
}

const knownFields = new Set([
  'reporting-ua',
  'mdn-gateway',
  'original-recipient',
  'final-recipient',
  'original-message-id',
  'disposition',
  'error',
]);

/** undefined where the message is no disposition notification that can be read. */
export function parseMdn(raw: Buffer): Omit<ParsedMdn, 'forEmailId'> | undefined {
  const { root } = parseStructure(raw);
  if (root.type !== 'multipart' || root.subtype !== 'report') return undefined;
  const parts = [...walkParts(root)].map(([, part]) => part);
  const report = parts.find(({ type, subtype }) => type === 'message' && /^(global-)?disposition-notification$/.test(subtype));
  if (report === undefined) return undefined;
  const bytes = decodePart(raw, report);
  const fields = Buffer.concat([bytes, Buffer.from('\r\n\r\n')]);
  const values = (name: string) => headerValuesFromRaw(fields, name).map(asText);
  const one = (name: string) => values(name)[0] ?? null;
  const disposition = /^([a-z-]+)\s*\/\s*([a-z-]+)\s*;\s*([a-z-]+)/.exec((one('disposition') ?? '').toLowerCase());
  if (disposition === null) return undefined;
  const [, actionMode = '', sendingMode = '', type = ''] = disposition;
  const text = parts.find((part) => part.type === 'text' && part.subtype === 'plain');
  const errors = values('error');
  const subject = headerValuesFromRaw(raw.subarray(0, root.bodyStart), 'subject').at(-1);
  return {
    subject: subject === undefined ? null : asText(subject),
    textBody: text === undefined ? null : decodePartText(raw, text).replace(/\r\n?/g, '\n'),
    includeOriginalMessage: parts.some((part: Part) => part.type === 'message' && part.subtype === 'rfc822'),
    reportingUA: one('reporting-ua'),
    disposition: { actionMode, sendingMode, type },
    mdnGateway: one('mdn-gateway'),
    originalRecipient: one('original-recipient'),
    finalRecipient: one('final-recipient'),
    originalMessageId: one('original-message-id'),
    error: errors.length === 0 ? null : errors,
    extensionFields: extensionFields(fields),
  };
}

function extensionFields(fields: Buffer): Record<string, string> | null {
  const found = new Map<string, string>();
  for (const { name, start, valueStart, end } of scanHeader(fields).fields) {
    // As the sender spells it.
    const spelt = fields.toString('latin1', start, valueStart).replace(/[ \t]*:$/, '');
    if (name !== '' && !knownFields.has(name)) found.set(spelt, asText(fields.toString('latin1', valueStart, end)));
  }
  return found.size === 0 ? null : Object.fromEntries(found);
}
