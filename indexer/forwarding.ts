/**
 * Passing a message on to somebody outside: Sieve's redirect, groups with members elsewhere, rules of the organisation. A relay such as SES sends only
 * from addresses of its own domains, and takes fields like DKIM-Signature once. So From becomes the forwarder's address under the sender's name,
 * Reply-To the sender, what the old From vouched for (signatures) goes, and a field of ours tells loops.
 */

import { formatField, formatHeaderValue } from '../protocol/jmap/header-writer.ts';
import { addrSpec, mailboxesOf, parseAddresses, toEmailAddress } from '../protocol/mime/address.ts';
import { asBuffer } from '../protocol/mime/bytes.ts';
import { fieldValue, type HeaderField, lastField, scanHeader } from '../protocol/mime/header.ts';

/** Names each address of ours that has passed the message on. */
export const forwardedByName = 'X-Satchel-Forwarded-By';
/** RFC 5321 §6.3: Received fields after which a message is taken to go in circles. */
const hopsMax = 100;

/** Signatures that the new From breaks, fields of the last server and of SES's scanners, and what we write anew. */
const droppedNames =
  /^(?:dkim-signature|domainkey-signature|arc-.*|return-path|delivered-to|authentication-results|received-spf|x-ses-.*|sender|from|reply-to|bcc|resent-.*|x-original-from|disposition-notification-to|return-receipt-to|)$/;
/** RFC 5322 §3.6, and SES: at most one. The first stays. */
const onceNames = /^(?:date|message-id|subject|references|in-reply-to|to|cc|mime-version|content-.*|auto-submitted|list-.*)$/;

/** Whether passing it on by this address would go round in a circle. */
export function isLooping(message: Uint8Array, by: string): boolean {
  const buffer = asBuffer(message);
  const { fields } = scanHeader(buffer, 0, Number.POSITIVE_INFINITY);
  const passed = fields
    .filter(({ name }) => name === forwardedByName.toLowerCase())
    .map((field) => fieldValue(buffer, field).toLowerCase());
  return passed.includes(by.toLowerCase()) || fields.filter(({ name }) => name === 'received').length > hopsMax;
}

/** The message as it goes to somebody of ours: only marked. */
export function markedMessage(message: Uint8Array, by: string): Buffer {
  return Buffer.concat([Buffer.from(formatField(forwardedByName, by)), asBuffer(message)]);
}

/** The message as `by` (one of our addresses) passes it on to somebody outside. */
export function forwardedMessage(message: Uint8Array, by: string): Buffer {
  const buffer = asBuffer(message);
  const { fields, fieldsEnd } = scanHeader(buffer, 0, Number.POSITIVE_INFINITY);
  const from = lastField(fields, 'from');
  const replyTo = lastField(fields, 'reply-to');
  const fromValue = from === undefined ? '' : fieldValue(buffer, from);
  const [author] = mailboxesOf(parseAddresses(fromValue));
  const sender = author === undefined ? undefined : toEmailAddress(author);
  const name = `${sender?.name ?? sender?.email ?? 'Unknown sender'} via ${by}`;
  const answers = replyTo === undefined ? fromValue : fieldValue(buffer, replyTo);
  const addresses = mailboxesOf(parseAddresses(answers))
    .filter((mailbox) => addrSpec(mailbox).includes('@'))
    .map(toEmailAddress);
  const head = [
    formatField(forwardedByName, by),
    formatField('From', formatHeaderValue('asAddresses', [{ name, email: by }]) ?? by),
    ...(addresses.length === 0 ? [] : [formatField('Reply-To', formatHeaderValue('asAddresses', addresses) ?? '')]),
    ...(fromValue === ''
      ? []
      : [formatField('X-Original-From', formatHeaderValue('asAddresses', sender === undefined ? [] : [sender]) ?? '')]),
  ];
  const seen = new Set<string>();
  const kept = fields.filter((field: HeaderField) => {
    if (droppedNames.test(field.name)) return false;
    if (!onceNames.test(field.name)) return true;
    if (seen.has(field.name)) return false;
    seen.add(field.name);
    return true;
  });
  return Buffer.concat([
    Buffer.from(head.join('')),
    ...kept.map(({ start, end }) => buffer.subarray(start, end)),
    buffer.subarray(fieldsEnd),
  ]);
}
