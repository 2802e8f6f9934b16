/** The data items of one FETCH, compiled once: a function for each that writes name and value of a message. */
import { type FetchAttribute, formatFetchItem } from '../../../protocol/imap/fetch-attribute.ts';
import type { ByteWriter } from '../../../protocol/imap/wire/byte-writer.ts';
import { assertNever } from '../../../protocol/mail/errors.ts';
import { formatEmailId, formatThreadId } from '../../../protocol/mail/ids.ts';
import type { AccountReader, MembershipRow } from '../../../storage/account/api.ts';
import { type FlagBytes, flagBytesOf } from '../flag-bytes.ts';
import type { MailboxView } from '../mailbox-view.ts';
import { objectIds } from '../object-ids.ts';
import { writeDateTime } from './date-bytes.ts';
import { HeaderSelection } from './header-selection.ts';
import { decodedSize, type SectionAttribute } from './section-content.ts';

/** Writes one item from what the index holds. */
export type WriteField = (out: ByteWriter, row: MembershipRow, reader: AccountReader) => void;

export type Field =
  | { readonly kind: 'index'; readonly write: WriteField }
  /** `name`: the item's name and a space. */
  | { readonly kind: 'section'; readonly name: Buffer; readonly attribute: SectionAttribute };

export interface FetchPlan {
  readonly fields: readonly Field[];
  readonly sections: readonly SectionAttribute[];
  /** In the place of `sections`, where all of them are header fields of the message itself: they come out of the index. */
  readonly headerSelections: readonly HeaderSelection[] | undefined;
  readonly hasFlags: boolean;
  /** FLAGS, for messages that become \Seen by being fetched. */
  readonly writeFlags: WriteField;
}

export function planFetch(view: MailboxView, attributes: readonly FetchAttribute[]): FetchPlan {
  const flags = flagBytesOf(view.account);
  const fields = attributes.map((attribute): Field => {
    if (attribute.item === 'section' || attribute.item === 'BINARY') {
      return { kind: 'section', name: Buffer.from(`${formatFetchItem(attribute)} `, 'latin1'), attribute };
    }
    return { kind: 'index', write: fieldOf(attribute, view, flags) };
  });
  const sections = fields.flatMap((field) => (field.kind === 'section' ? [field.attribute] : []));
  return {
    fields,
    sections,
    headerSelections: sections.length > 0 && sections.every(isHeaderFields) ? sections.map(selectionOf) : undefined,
    hasFlags: attributes.some(({ item }) => item === 'FLAGS'),
    writeFlags: fieldOf({ item: 'FLAGS' }, view, flags),
  };
}

function isHeaderFields(attribute: SectionAttribute): boolean {
  return (
    attribute.item === 'section' &&
    attribute.section.numbers.length === 0 &&
    attribute.section.fields !== undefined &&
    attribute.partial === undefined
  );
}

function selectionOf(attribute: SectionAttribute): HeaderSelection {
  const { fields = [], text } = attribute.item === 'section' ? attribute.section : {};
  return new HeaderSelection(fields, text === 'HEADER.FIELDS.NOT');
}

function fieldOf(attribute: Exclude<FetchAttribute, SectionAttribute>, view: MailboxView, flags: FlagBytes): WriteField {
  const { prefix } = objectIds(view.account);
  switch (attribute.item) {
    case 'UID':
      return (out, row) => out.ascii('UID ').number(row.uid);
    case 'FLAGS':
      return (out, row, reader) => {
        out.ascii('FLAGS ');
        flags.write(out, reader, row.keywordSet, row.deleted, view.isRecent(row.uid));
      };
    case 'INTERNALDATE':
      return (out, row) => writeDateTime(out.ascii('INTERNALDATE '), row.receivedAt);
    case 'RFC822.SIZE':
      return (out, row) => out.ascii('RFC822.SIZE ').number(row.size);
    case 'MODSEQ':
      return (out, row) => out.ascii('MODSEQ (').number(row.modSeq).ascii(')');
    case 'EMAILID':
      return (out, row) => out.ascii(`EMAILID (${prefix}${formatEmailId(row.email)})`);
    case 'THREADID':
      return (out, row) => out.ascii(`THREADID (${prefix}${formatThreadId(row.thread)})`);
    case 'SAVEDATE':
      return (out, row) => writeDateTime(out.ascii('SAVEDATE '), row.savedAt);
    case 'ENVELOPE':
      return (out, row, reader) => {
        const { bytes, envelopeStart, envelopeEnd } = reader.wireForms(row.email)!;
        out.ascii('ENVELOPE ').slice(bytes, envelopeStart, envelopeEnd);
      };
    case 'BODYSTRUCTURE':
      return (out, row, reader) => {
        const { bytes, envelopeEnd, end } = reader.wireForms(row.email)!;
        out.ascii('BODYSTRUCTURE ').slice(bytes, envelopeEnd, end);
      };
    case 'BODY':
      return (out, row, reader) => out.ascii('BODY ').bytes(reader.bodyWire(row.email)!);
    case 'PREVIEW':
      return (out, row, reader) => out.ascii('PREVIEW ').nstring(reader.preview(row.email));
    case 'BINARY.SIZE':
      return (out, row, reader) =>
        out.ascii(`${formatFetchItem(attribute)} `).number(decodedSize(reader.facts(row.email)!, attribute.numbers));
    default:
      return assertNever(attribute);
  }
}
