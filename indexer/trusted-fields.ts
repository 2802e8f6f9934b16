/**
 * Which header fields of a message somebody we trust has written. Of an object: those of SES's block. Of what an MTA handed over by LMTP: those
 * above the topmost `Received`, which the MTA put on top of all that its client sent; a message without one has none.
 */
import { asBuffer } from '../protocol/mime/bytes.ts';
import { fieldValue, scanHeader } from '../protocol/mime/header.ts';
import { blockBytesMax, blockFieldsMax } from './limits.ts';

export type MailVerdictFields = readonly { readonly name: string; readonly value: string }[];

export function fieldsAboveReceived(message: Uint8Array): MailVerdictFields {
  const buffer = asBuffer(message).subarray(0, blockBytesMax);
  const { fields } = scanHeader(buffer, 0, blockFieldsMax);
  const received = fields.findIndex((field) => field.name === 'received');
  return fields.slice(0, Math.max(received, 0)).map((field) => ({ name: field.name, value: fieldValue(buffer, field) }));
}
