/**
 * select = ("SELECT" / "EXAMINE") SP mailbox [SP "(" select-param *(SP select-param) ")"] (RFC 9051 §6.3.2, RFC 4466).
 *   select-param =/ "CONDSTORE" (RFC 7162 §3.1.8)
 *   select-param =/ "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" (RFC 7162 §3.2.5)
 *   seq-match-data = "(" known-sequence-set SP known-uid-set ")"
 */
import { eachOf, formatRanges, type Ranges, sizeOf } from '../../mail/ranges.ts';
import { decodeGivenName, type GivenName } from '../mailbox-name.ts';
import { decodeSequenceSet, star } from '../sequence-set.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

/** What a client remembers of a mailbox. */
export interface QresyncParameters {
  readonly uidValidity: number;
  readonly modSeq: number;
  /** UIDs that it has; all when it does not say. As the client wrote them. */
  readonly knownUids?: Ranges;
  /** Some message numbers and the UIDs that they had: pairs in ascending order (RFC 7162 §3.2.5.2). */
  readonly matches?: { readonly sequences: Ranges; readonly uids: Ranges };
}

export interface SelectArguments extends GivenName {
  readonly isCondstore: boolean;
  readonly qresync?: QresyncParameters;
}

export function decodeSelect(scanner: Scanner, { acceptsUtf8 }: DecodeContext): SelectArguments {
  scanner.space();
  const name = decodeGivenName(scanner, acceptsUtf8);
  let isCondstore = false;
  let qresync: QresyncParameters | undefined;
  if (scanner.take(' ')) {
    scanner.list(() => {
      const name = scanner.keyword('a parameter of SELECT');
      if (name === 'QRESYNC') qresync = decodeQresync(scanner);
      else if (name === 'CONDSTORE') isCondstore = true;
      else scanner.fail('CONDSTORE or QRESYNC');
    });
  }
  scanner.expectEnd();
  return qresync === undefined ? { ...name, isCondstore } : { ...name, isCondstore, qresync };
}

function decodeQresync(scanner: Scanner): QresyncParameters {
  scanner.space();
  scanner.expect('(');
  const uidValidity = scanner.nzNumber();
  scanner.space();
  const modSeq = scanner.modSeq();
  let knownUids: Ranges | undefined;
  let matches: QresyncParameters['matches'];
  while (matches === undefined && scanner.take(' ')) {
    if (scanner.isNext('(')) matches = decodeMatches(scanner);
    else if (knownUids === undefined) knownUids = decodeKnown(scanner);
    else scanner.fail('")"');
  }
  scanner.expect(')');
  return {
    uidValidity,
    modSeq,
    ...(knownUids === undefined ? {} : { knownUids }),
    ...(matches === undefined ? {} : { matches }),
  };
}

function decodeMatches(scanner: Scanner): QresyncParameters['matches'] {
  scanner.expect('(');
  const sequences = decodeKnown(scanner);
  scanner.space();
  const uids = decodeKnown(scanner);
  if (sizeOf(sequences) !== sizeOf(uids)) scanner.fail('as many message numbers as UIDs');
  for (const ranges of [sequences, uids]) if (!ascends(ranges)) scanner.fail('message numbers and UIDs in ascending order');
  scanner.expect(')');
  return { sequences, uids };
}

/** RFC 7162 §7: "* is not allowed". */
function decodeKnown(scanner: Scanner): Ranges {
  const set = decodeSequenceSet(scanner);
  if (set === '$' || set.some((range) => range.includes(star))) return scanner.fail('a set without * and $');
  return set;
}

function ascends(ranges: Ranges): boolean {
  return ranges.every(([first, last], at) => first <= last && (at === 0 || ranges[at - 1]![1] < first));
}

/** The pairs of seq-match-data: lazily, for a set of few bytes may name billions. */
export function* pairsOf({ sequences, uids }: NonNullable<QresyncParameters['matches']>): Generator<readonly [number, number]> {
  const known = eachOf(uids);
  for (const sequence of eachOf(sequences)) {
    const uid = known.next();
    if (uid.done) return;
    yield [sequence, uid.value];
  }
}

export function encodeSelect({ mailbox, isCondstore, qresync }: SelectArguments, name: 'SELECT' | 'EXAMINE' = 'SELECT'): Buffer {
  const parameters = [...(isCondstore ? ['CONDSTORE'] : []), ...(qresync === undefined ? [] : [formatQresync(qresync)])];
  return new CommandWriter()
    .raw(`${name} `)
    .mailbox(mailbox)
    .raw(parameters.length === 0 ? '' : ` (${parameters.join(' ')})`)
    .toBuffer();
}

function formatQresync({ uidValidity, modSeq, knownUids, matches }: QresyncParameters): string {
  const known = knownUids === undefined ? '' : ` ${formatRanges(knownUids)}`;
  const pairs = matches === undefined ? '' : ` (${formatRanges(matches.sequences)} ${formatRanges(matches.uids)})`;
  return `QRESYNC (${uidValidity} ${modSeq}${known}${pairs})`;
}
