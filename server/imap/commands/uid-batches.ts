/**
 * UIDBATCHES (RFC 10022): the selected mailbox in ranges of UIDs that hold as many messages each, from the newest down. The ranges lie side by side and
 * reach down to 1. §3.1.1 lets a server refuse to be asked again soon; we do not, since the answer costs one look at an array for each batch.
 */
import { decodeUidBatches, type UidBatchesArguments } from '../../../protocol/imap/commands/uid-batches.ts';
import { defineCommand, selected } from '../command.ts';
import { uidBatchMessagesMin } from '../limits.ts';

export const uidBatches = defineCommand<UidBatchesArguments>({
  names: ['UIDBATCHES'],
  states: selected,
  capability: ({ messagesMax }) => ['UIDBATCHES', ...(messagesMax === undefined ? [] : [`MESSAGELIMIT=${messagesMax}`])],
  sequences: 'free',
  decode: decodeUidBatches,
  run({ session, tag }, { size, batches }) {
    if (size < uidBatchMessagesMin) return { status: 'NO', code: 'TOOFEW', text: `A batch has at least ${uidBatchMessagesMin} messages.` };
    if (batches !== undefined && batches.first > batches.last)
      return { status: 'BAD', code: 'CLIENTBUG', text: 'Batches are named from the first to the last.' };
    const { output, view } = session;
    const ranges = batchRanges(view.uids, size, batches);
    output.ascii(`* UIDBATCHES (TAG "${tag}")`);
    for (const [at, [high, low]] of ranges.entries()) output.ascii(`${at === 0 ? ' ' : ','}${high === low ? high : `${high}:${low}`}`);
    output.crlf();
    return undefined;
  },
});

/** RFC 10022 §3.1.2: in descending order. A batch ends where the next begins, so that all UIDs that were given are in one. */
function batchRanges(uids: Uint32Array, size: number, batches: UidBatchesArguments['batches']): (readonly [high: number, low: number])[] {
  const count = Math.ceil(uids.length / size);
  const { first, last } = batches ?? { first: 1, last: count };
  const ranges: (readonly [number, number])[] = [];
  for (let batch = first; batch <= Math.min(last, count); batch += 1) {
    const top = uids.length - 1 - (batch - 1) * size;
    const below = top - size;
    ranges.push([uids[top]!, below < 0 ? 1 : uids[below]! + 1]);
  }
  return ranges;
}
