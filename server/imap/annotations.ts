/**
 * Annotations (RFC 5464) as IMAP sees them. `/private/specialuse` is no object: it is the mailbox's role (RFC 6154 §4). Of the server's annotations
 * only private ones can be set; shared ones would be everybody's.
 */
import type { MetadataOptions } from '../../protocol/imap/commands/metadata.ts';
import type { ByteWriter } from '../../protocol/imap/wire/byte-writer.ts';
import {
  type AnnotationRecord,
  annotationId,
  annotationPrefix,
  annotationRecord,
  annotationType,
  annotationValue,
} from '../../protocol/mail/annotation.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { MailboxNumber } from '../../protocol/mail/ids.ts';
import type { AccountReader, AccountTransactor } from '../../storage/account/api.ts';
import { roleOfSpecialUse, specialUseOf } from './mailbox-tree.ts';

/** Entries with their values; null: there is none. */
export type Annotations = ReadonlyMap<string, Buffer | null>;

const specialUseEntry = '/private/specialuse';

/** RFC 5464 §4.2: the entries that were asked for, with NIL where there is no value, and what is below them as deep as was asked for. */
export function readAnnotations(
  reader: AccountReader,
  mailbox: MailboxNumber | null,
  entries: readonly string[],
  depth: MetadataOptions['depth'] = 0,
): Annotations {
  const found = new Map<string, Buffer | null>();
  for (const entry of entries) {
    found.set(entry, currentValue(reader, mailbox, entry));
    if (depth === 0) continue;
    for (const below of entriesOf(reader, mailbox)) {
      if (!below.startsWith(`${entry}/`)) continue;
      if (depth === 'infinity' || !below.slice(entry.length + 1).includes('/')) found.set(below, currentValue(reader, mailbox, below));
    }
    if (found.get(entry) === null) found.delete(entry);
  }
  return found;
}

function currentValue(reader: AccountReader, mailbox: MailboxNumber | null, entry: string): Buffer | null {
  if (entry === specialUseEntry && mailbox !== null) {
    const use = specialUseOf(reader.mailbox(mailbox)?.role ?? null);
    return use === undefined ? null : Buffer.from(use);
  }
  const record = reader.object<AnnotationRecord>(annotationType, annotationId(mailbox, entry));
  return record === undefined ? null : annotationValue(record);
}

function* entriesOf(reader: AccountReader, mailbox: MailboxNumber | null): Generator<string> {
  const prefix = annotationPrefix(mailbox);
  if (mailbox !== null && currentValue(reader, mailbox, specialUseEntry) !== null) yield specialUseEntry;
  for (const { id } of reader.objects(annotationType)) if (id.startsWith(prefix)) yield id.slice(prefix.length);
}

/** Throws MailError. */
export function setAnnotation(tx: AccountTransactor, mailbox: MailboxNumber | null, entry: string, value: Buffer | null): void {
  if (entry === specialUseEntry && mailbox !== null) {
    setSpecialUse(tx, mailbox, value);
    return;
  }
  if (mailbox === null && entry.startsWith('/shared/'))
    throw new MailError('forbidden', 'Shared annotations of the server are the administrator’s.');
  const id = annotationId(mailbox, entry);
  if (value !== null) tx.putObject(annotationType, id, annotationRecord(value));
  else if (tx.object(annotationType, id) !== undefined) tx.removeObject(annotationType, id);
}

/** RFC 5464 §4.1: INBOX keeps its annotations when it is renamed, and the new mailbox gets them too. */
export function copyAnnotations(tx: AccountTransactor, from: MailboxNumber, to: MailboxNumber): void {
  const prefix = annotationPrefix(from);
  for (const { id, value } of [...tx.objects<AnnotationRecord>(annotationType)])
    if (id.startsWith(prefix)) tx.putObject(annotationType, annotationId(to, id.slice(prefix.length)), value);
}

/** RFC 6154 §4: one use a mailbox, which no other mailbox has. */
function setSpecialUse(tx: AccountTransactor, mailbox: MailboxNumber, value: Buffer | null): void {
  const role = value === null ? null : roleOfSpecialUse(value.toString('latin1').trim());
  if (role === undefined) throw new MailError('invalidArguments', 'This special use cannot be given.');
  if (tx.mailbox(mailbox)?.role === 'inbox') throw new MailError('forbidden', 'The INBOX has no other use.');
  tx.updateMailbox(mailbox, { role });
}

/** entry-values = "(" entry-value *(SP entry-value) ")" */
export function writeAnnotations(out: ByteWriter, annotations: Annotations): void {
  out.ascii('(');
  let isFirst = true;
  for (const [entry, value] of annotations) {
    if (!isFirst) out.ascii(' ');
    isFirst = false;
    writeEntry(out, entry);
    out.ascii(' ');
    if (value === null) out.ascii('NIL');
    else if (value.includes(0)) out.literal8(value);
    else if (/^[\x20-\x7e]*$/.test(value.toString('latin1'))) out.string(value.toString('latin1'));
    else out.literal(value);
  }
  out.ascii(')');
}

/** An astring. */
export function writeEntry(out: ByteWriter, entry: string): void {
  if (/^[\w/.-]+$/.test(entry)) out.ascii(entry);
  else out.string(entry);
}
