/** "UID" SP "EXPUNGE" SP sequence-set (RFC 9051 §6.4.9, RFC 4315). EXPUNGE alone has no arguments. */
import { decodeSequenceSet, formatSequenceSet, type SequenceSet } from '../sequence-set.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface UidExpungeArguments {
  readonly uids: SequenceSet;
}

export function decodeUidExpunge(scanner: Scanner): UidExpungeArguments {
  scanner.space();
  const uids = decodeSequenceSet(scanner);
  scanner.expectEnd();
  return { uids };
}

export function encodeUidExpunge({ uids }: UidExpungeArguments): Buffer {
  return new CommandWriter().raw(`UID EXPUNGE ${formatSequenceSet(uids)}`).toBuffer();
}
