/**
 * Blob ids: `be5` is the raw message of email e5, `u` and a SHA-256 an upload. `_` and a section number, dots written as `-`, goes to the content of a part:
 * `be5_1-2`; where that part is a message, another one goes to a part of it. `d0-…` and `m0-…` are notifications of delivery and of reading of a submission, by its id. An id says nothing of other accounts: it is looked up in one.
 */
import { type EmailNumber, formatEmailId, parseEmailId } from '../mail/ids.ts';
import { parseSection } from '../mime/sections.ts';
import { blobStepsMax } from './limits.ts';

export type BlobBase =
  | { readonly kind: 'email'; readonly email: EmailNumber }
  | { readonly kind: 'upload'; readonly sha256: string }
  | NotificationBase;

/** The `index`th report that came in for a submission. */
export interface NotificationBase {
  readonly kind: 'notification';
  readonly of: 'delivery' | 'disposition';
  readonly submission: string;
  readonly index: number;
}

export interface BlobAddress {
  readonly base: BlobBase;
  /** Section numbers, each within the message that the one before it leads to. */
  readonly steps: readonly (readonly number[])[];
}

export const emailBlobId = (email: EmailNumber): string => `b${formatEmailId(email)}`;
export const uploadBlobId = (sha256: string): string => `u${sha256}`;
export const notificationBlobId = (of: NotificationBase['of'], submission: string, index: number): string =>
  `${of === 'delivery' ? 'd' : 'm'}${index}-${submission}`;
export const partBlobId = (messageBlobId: string, section: string): string => `${messageBlobId}_${section.replaceAll('.', '-')}`;

export function parseBlobId(id: string): BlobAddress | undefined {
  const [first = '', ...rest] = id.split('_');
  const base = parseBase(first);
  const steps = rest.map((step) => (step === '' || step.includes('.') ? undefined : parseSection(step.replaceAll('-', '.'))));
  if (base === undefined || steps.length > blobStepsMax || !steps.every((step) => step !== undefined)) return undefined;
  return { base, steps };
}

function parseBase(text: string): BlobBase | undefined {
  if (/^u[0-9a-f]{64}$/.test(text)) return { kind: 'upload', sha256: text.slice(1) };
  const notification = /^([dm])(0|[1-9]\d{0,5})-([A-Za-z0-9-]{1,100})$/.exec(text);
  if (notification !== null) {
    const [, letter, index, submission = ''] = notification;
    return { kind: 'notification', of: letter === 'd' ? 'delivery' : 'disposition', submission, index: Number(index) };
  }
  const email = text.startsWith('b') ? parseEmailId(text.slice(1)) : undefined;
  return email === undefined ? undefined : { kind: 'email', email };
}
