/**
 * Annotations of mailboxes and of the account (RFC 5464): objects of the account's log, by mailbox and entry. The log's format: docs/FORMAT.md.
 */
import type { AccountId, MailboxNumber } from './ids.ts';

export const annotationType = 'annotation';

/** A value is text where its octets are UTF-8, else base64. */
export type AnnotationRecord = { readonly text: string } | { readonly base64: string };

/** `mailbox` null: of the account, which IMAP calls the server's. `entry` in lower case, from its first slash. */
export function annotationId(mailbox: MailboxNumber | null, entry: string): string {
  return `${annotationPrefix(mailbox)}${entry}`;
}

/** What the ids of one mailbox's annotations begin with. */
export const annotationPrefix = (mailbox: MailboxNumber | null): string => `${mailbox ?? 'account'}:`;

/** Private annotations of those with whom a mailbox is shared: each has his own. `id` is that of the annotation. */
export const sharedAnnotationType = 'sharedAnnotation';

export function sharedAnnotationId(id: string, viewer: AccountId): string {
  const colon = id.indexOf(':') + 1;
  return `${id.slice(0, colon)}${viewer}:${id.slice(colon)}`;
}

/** undefined: it is somebody else's. */
export function annotationIdOfShared(id: string, viewer: AccountId): string | undefined {
  const [mailbox = '', of, ...entry] = id.split(':');
  return of === viewer ? `${mailbox}:${entry.join(':')}` : undefined;
}

export const isPrivateAnnotation = (id: string): boolean => id.slice(id.indexOf(':') + 1).startsWith('/private/');

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
