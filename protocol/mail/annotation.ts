/**
 * Annotations of mailboxes and of the account (RFC 5464): objects of the account's log, by mailbox and entry. The log's format: docs/FORMAT.md.
 */
import type { MailboxNumber } from './ids.ts';

export const annotationType = 'annotation';

/** A value is text where its octets are UTF-8, else base64. */
export type AnnotationRecord = { readonly text: string } | { readonly base64: string };

/** `mailbox` null: of the account, which IMAP calls the server's. `entry` in lower case, from its first slash. */
export function annotationId(mailbox: MailboxNumber | null, entry: string): string {
  return `${annotationPrefix(mailbox)}${entry}`;
}

/** What the ids of one mailbox's annotations begin with. */
export const annotationPrefix = (mailbox: MailboxNumber | null): string => `${mailbox ?? 'account'}:`;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function annotationRecord(value: Uint8Array): AnnotationRecord {
  try {
    return { text: strictUtf8.decode(value) };
  } catch {
    return { base64: Buffer.from(value).toString('base64') };
  }
}

export function annotationValue(record: AnnotationRecord): Buffer {
  return 'text' in record ? Buffer.from(record.text) : Buffer.from(record.base64, 'base64');
}
