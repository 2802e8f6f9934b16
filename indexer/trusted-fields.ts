/**
 * Which header fields of a message somebody we trust has written. Of an object: those of SES's block. Of what an MTA handed over by LMTP: those
 * above the topmost `Received`, which the MTA put on top of all that its client sent; a message without one has none.
 */
import { asBuffer } from '../protocol/mime/bytes.ts';
import { fieldValue, scanHeader } from '../protocol/mime/header.ts';
import { blockBytesMax, blockFieldsMax } from './limits.ts';

export type MailVerdictFields = readonly { readonly name: string; readonly value: string }[];

/** Where the topmost `Received` ends in almost all mail: what an MTA writes above it is short. */
const topBytes = 1024;

export function fieldsAboveReceived(message: Uint8Array): MailVerdictFields {
  const buffer = asBuffer(message).subarray(0, blockBytesMax);
  return fieldsAboveReceivedIn(buffer.subarray(0, topBytes)) ?? fieldsAboveReceivedIn(buffer) ?? [];
}

/** undefined where no `Received` begins here. Where one does, the fields above it are whole. */
function fieldsAboveReceivedIn(buffer: Buffer): MailVerdictFields | undefined {
  const { fields } = scanHeader(buffer, 0, blockFieldsMax);
  const received = fields.findIndex((field) => field.name === 'received');
  if (received < 0) return undefined;
  return fields.slice(0, received).map((field) => ({ name: field.name, value: fieldValue(buffer, field) }));
}
