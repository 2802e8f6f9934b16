/**
 * What QRESYNC clients are told of messages that went while they were away (RFC 7162 §3.2.5, §3.2.6): exactly what the account remembers; where
 * that does not reach back far enough, every UID of theirs that is not in the mailbox, which RFC 7162 §3.2.5.2 allows and is never too little.
 */
import { pairsOf, type QresyncParameters } from '../../protocol/imap/commands/select.ts';
import type { ByteWriter } from '../../protocol/imap/wire/byte-writer.ts';
import type { MailboxNumber, ModSeq } from '../../protocol/mail/ids.ts';
import { formatRanges, intersectRanges, normalizeRanges, type Ranges, withoutNumbers } from '../../protocol/mail/ranges.ts';
import type { AccountReader } from '../../storage/account/api.ts';
import { matchedPairsMax } from './limits.ts';

export interface VanishedQuestion {
  readonly mailbox: MailboxNumber;
  readonly since: number;
  /** UIDs that are asked about, in normal form. */
  readonly known: Ranges;
  /** Messages that the client and we number alike: none below has gone. */
  readonly matches?: QresyncParameters['matches'];
}

/** UIDs of `known` that have gone since, in normal form. */
export function vanishedSince(reader: AccountReader, { mailbox, since, known, matches }: VanishedQuestion): Ranges {
  const effects = reader.effectsSince(since as ModSeq);
  if (effects === undefined) {
    const uids = reader.uids(mailbox);
    const uidNext = reader.mailbox(mailbox)?.uidNext ?? 1;
    const asked: Ranges = [[lastMatch(uids, matches) + 1, uidNext - 1]];
    return withoutNumbers(intersectRanges(known, asked), uids);
  }
  const removed: (readonly [number, number])[] = [];
  for (const { mailboxes } of effects) for (const effect of mailboxes) if (effect.mailbox === mailbox) removed.push(...effect.removed);
  return intersectRanges(known, normalizeRanges(removed));
}

/** The largest UID that the client numbers as we do. A message's number counts those below it, so that none of them can have gone. */
function lastMatch(uids: Uint32Array, matches: QresyncParameters['matches']): number {
  if (matches === undefined) return 0;
  let last = 0;
  let looked = 0;
  for (const [sequence, uid] of pairsOf(matches)) {
    if (sequence > uids.length || looked >= matchedPairsMax) break;
    looked += 1;
    if (uids[sequence - 1] === uid) last = uid;
  }
  return last;
}

/** expunged-resp = "VANISHED" [SP "(EARLIER)"] SP known-uids. Nothing when there are none. */
export function writeVanished(out: ByteWriter, uids: Ranges, how: 'now' | 'earlier'): void {
  if (uids.length === 0) return;
  out
    .ascii(how === 'earlier' ? '* VANISHED (EARLIER) ' : '* VANISHED ')
    .ascii(formatRanges(uids))
    .crlf();
}
