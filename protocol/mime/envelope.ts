/** The envelope of a message (RFC 3501 §7.4.2): read from its header's fields, and written as IMAP bytes. */
import { type Address, isGroup, parseAddresses } from './address.ts';
import { fieldValue, type HeaderField, lastField } from './header.ts';
import { nstring } from './imap-string.ts';
import { fieldBytesMax, subjectBytesMax } from './limits.ts';

/** Values as the message has them (latin1 strings of its bytes, unfolded, encoded words kept). A field that is absent in the message is absent here. */
export interface Envelope {
  date?: string;
  subject?: string;
  from?: Address[];
  sender?: Address[];
  replyTo?: Address[];
  to?: Address[];
  cc?: Address[];
  bcc?: Address[];
  inReplyTo?: string;
  messageId?: string;
}

const addressFields = [
  ['from', 'from'],
  ['sender', 'sender'],
  ['reply-to', 'replyTo'],
  ['to', 'to'],
  ['cc', 'cc'],
  ['bcc', 'bcc'],
] as const;

/** How many bytes of values may still be interpreted in this message. */
export interface InterpretationBudget {
  bytesLeft: number;
}

/** A field's value within the budget; undefined where the field is absent or the budget is spent. */
export function readValue(
  buffer: Buffer,
  fields: readonly HeaderField[],
  name: string,
  budget: InterpretationBudget,
  bytesMax = fieldBytesMax,
): string | undefined {
  const field = lastField(fields, name);
  return field === undefined ? undefined : readField(buffer, field, budget, bytesMax);
}

function readField(buffer: Buffer, field: HeaderField, budget: InterpretationBudget, bytesMax = fieldBytesMax): string | undefined {
  const bytes = Math.min(field.end - field.valueStart, bytesMax);
  if (bytes > budget.bytesLeft) return undefined;
  budget.bytesLeft -= bytes;
  return fieldValue(buffer, field, bytesMax);
}

/** A date or an id longer than this is none. */
const shortValueBytesMax = 2048;

export function readEnvelope(buffer: Buffer, fields: readonly HeaderField[], budget: InterpretationBudget): Envelope {
  const envelope: Envelope = {};
  const date = readValue(buffer, fields, 'date', budget, shortValueBytesMax);
  if (date !== undefined) envelope.date = date;
  const subject = readValue(buffer, fields, 'subject', budget, subjectBytesMax);
  if (subject !== undefined) envelope.subject = subject;
  for (const [name, property] of addressFields) {
    const value = readValue(buffer, fields, name, budget);
    const addresses = value === undefined ? [] : parseAddresses(value);
    if (addresses.length > 0) envelope[property] = addresses;
  }
  const inReplyTo = readValue(buffer, fields, 'in-reply-to', budget, shortValueBytesMax);
  if (inReplyTo !== undefined) envelope.inReplyTo = inReplyTo;
  const messageId = readValue(buffer, fields, 'message-id', budget, shortValueBytesMax);
  if (messageId !== undefined) envelope.messageId = messageId;
  return envelope;
}

/**
 * envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP env-bcc SP env-in-reply-to SP
 * env-message-id ")". Pure ASCII.
 */
export function formatEnvelope(envelope: Envelope): string {
  const from = envelope.from ?? [];
  return `(${[
    nstring(envelope.date),
    nstring(envelope.subject),
    formatAddresses(from),
    // RFC 3501 §7.4.2: absent or empty Sender and Reply-To are those of From.
    formatAddresses(envelope.sender ?? from),
    formatAddresses(envelope.replyTo ?? from),
    formatAddresses(envelope.to ?? []),
    formatAddresses(envelope.cc ?? []),
    formatAddresses(envelope.bcc ?? []),
    nstring(envelope.inReplyTo),
    nstring(envelope.messageId),
  ].join(' ')})`;
}

/**
 * "(" 1*address ")" / nil, where a group is an address without host before and one without mailbox after its members. A NIL host means a group,
 * so a mailbox that lacks a host gets an empty string.
 */
function formatAddresses(addresses: readonly Address[]): string {
  let text = '';
  for (const address of addresses) {
    if (!isGroup(address)) {
      text += formatAddress(address.name, address.route, address.mailbox, address.host);
      continue;
    }
    text += formatAddress(undefined, undefined, address.group, undefined);
    for (const member of address.members) text += formatAddress(member.name, member.route, member.mailbox, member.host);
    text += formatAddress(undefined, undefined, undefined, undefined);
  }
  return text === '' ? 'NIL' : `(${text})`;
}

function formatAddress(name: string | undefined, route: string | undefined, mailbox: string | undefined, host: string | undefined): string {
  return `(${nstring(name)} ${nstring(route)} ${nstring(mailbox)} ${nstring(host)})`;
}
