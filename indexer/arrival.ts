/** An object of the inbound prefix, read and understood: who sent it for whom, and what the scanners said. Pure. */
import { hash } from 'node:crypto';
import type { DeliveryFacts } from '../storage/log/record.ts';
import { parseInboundKey } from '../storage/objects/object-keys.ts';
import { type RouteCandidates, routeCandidates } from './routing.ts';
import type { ReceiptEvent } from './ses/events.ts';
import { readSesBlock, type SesBlock } from './ses/header-block.ts';
import type { Evidence } from './verdict.ts';

export interface Arrival {
  readonly sesMessageId: string | undefined;
  /** Whether SES's own block shows that SES wrote the object: then it is written once and never changed. */
  readonly isWrittenBySes: boolean;
  readonly envelopeFrom: string | undefined;
  readonly candidates: readonly RouteCandidates[];
  readonly evidence: Evidence;
  readonly facts: DeliveryFacts;
  readonly ingestKey: string;
  readonly sha256: string;
}

/** `receipts` are those of this object, of whatever rules. */
export function understand(key: string, inboundPrefix: string, body: Buffer, receipts: readonly ReceiptEvent[]): Arrival {
  const name = parseInboundKey(inboundPrefix, key);
  const block = readSesBlock(body, name?.id);
  const sha256 = hash('sha256', body, 'hex');
  const receipt = receipts[0];
  const sesMessageId = receipt?.sesMessageId ?? (block?.isProven ? block.sesMessageId : undefined);
  const evidence = evidenceOf(receipt, block);
  const envelopeFrom = receipt?.envelopeFrom ?? block?.envelopeFrom;
  const { spam, virus, spf, dkim, dmarc } = evidence.isProven ? evidence.results : {};
  return {
    sesMessageId,
    isWrittenBySes: block?.isProven === true,
    envelopeFrom,
    candidates: routeCandidates(body, {
      receiptRecipients: receipts.flatMap((event) => event.recipients),
      keyAddress: name?.address,
      block,
    }),
    evidence,
    facts: { source: sesMessageId === undefined ? 'inbound' : 'ses', sesMessageId, envelopeFrom, spam, virus, spf, dkim, dmarc },
    ingestKey: sesMessageId === undefined ? `object:${key}:${sha256}` : `ses:${sesMessageId}`,
    sha256,
  };
}

/** The receipt outranks the block; fields that rules added stand in a proven block. */
function evidenceOf(receipt: ReceiptEvent | undefined, block: SesBlock | undefined): Evidence {
  if (receipt !== undefined) return { results: receipt.results, fields: block?.isProven ? block.fields : [], isProven: true };
  if (block === undefined) return { results: {}, fields: [], isProven: true };
  return { results: block.results, fields: block.fields, isProven: block.isProven };
}
