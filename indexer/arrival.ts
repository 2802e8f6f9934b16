/** An object of the inbound prefix, read and understood: who sent it for whom, and what the scanners said. Pure. */
import { hash } from 'node:crypto';
import type { DeliveryFacts } from '../storage/log/record.ts';
import { parseInboundKey } from '../storage/objects/object-keys.ts';
import { type RouteCandidates, routeCandidates } from './routing.ts';
import type { ReceiptEvent } from './ses/events.ts';
import { readSesBlock, type ScanResults, type SesBlock } from './ses/header-block.ts';
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
  const evidence = evidenceOf(receipts, block);
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
function evidenceOf(receipts: readonly ReceiptEvent[], block: SesBlock | undefined): Evidence {
  if (receipts.length > 0) return { results: worstOf(receipts), fields: block?.isProven ? block.fields : [], isProven: true };
  if (block === undefined) return { results: {}, fields: [], isProven: true };
  return { results: block.results, fields: block.fields, isProven: block.isProven };
}

/** Rules may differ in whether they scan: what one of them found bad is bad, and what one has found out outranks what another did not ask. */
function worstOf(receipts: readonly ReceiptEvent[]): ScanResults {
  const [first, ...others] = receipts.map(({ results }) => results);
  return others.reduce<ScanResults>((worst, results) => {
    const merged = (name: keyof ScanResults) => (badness(results[name]) > badness(worst[name]) ? results[name] : worst[name]);
    return {
      spam: merged('spam'),
      virus: merged('virus'),
      spf: merged('spf'),
      dkim: merged('dkim'),
      dmarc: merged('dmarc'),
      dmarcPolicy: worst.dmarcPolicy ?? results.dmarcPolicy,
    };
  }, first!);
}

function badness(status: string | undefined): number {
  if (status === undefined) return 0;
  return ['DISABLED', 'PROCESSING_FAILED', 'PASS', 'GRAY', 'FAIL'].indexOf(status) + 1;
}
