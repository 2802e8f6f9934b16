/** uidbatches = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number] (RFC 10022 §5): messages a batch, and which batches. */
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface UidBatchesArguments {
  readonly size: number;
  /** Batches from 1, the one with the highest UIDs. All of them where absent. */
  readonly batches?: { readonly first: number; readonly last: number };
}

export function decodeUidBatches(scanner: Scanner): UidBatchesArguments {
  scanner.space();
  const size = scanner.nzNumber();
  if (scanner.isAtEnd()) return { size };
  scanner.space();
  const first = scanner.nzNumber();
  scanner.expect(':');
  const last = scanner.nzNumber();
  scanner.expectEnd();
  return { size, batches: { first, last } };
}

export function encodeUidBatches({ size, batches }: UidBatchesArguments): Buffer {
  const writer = new CommandWriter().raw(`UIDBATCHES ${size}`);
  if (batches !== undefined) writer.raw(` ${batches.first}:${batches.last}`);
  return writer.toBuffer();
}
