/**
 * fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") [fetch-modifiers] (RFC 9051 §6.4.5).
 *   fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value (RFC 7162 §3.1.4.1)
 *   fetch-modifier =/ "PARTIAL" SP partial-range, of UID FETCH only (RFC 9394 §3.2)
 *   fetch-modifier =/ "VANISHED", of UID FETCH and beside CHANGEDSINCE only (RFC 7162 §3.2.6)
 */
import { decodeFetchAttributes, type FetchAttribute, formatFetchAttribute } from '../fetch-attribute.ts';
import { decodePartialRange, formatPartialRange, type PartialRange } from '../search-return.ts';
import { decodeSequenceSet, formatSequenceSet, type SequenceSet } from '../sequence-set.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface FetchArguments {
  readonly set: SequenceSet;
  readonly attributes: readonly FetchAttribute[];
  readonly changedSince?: number;
  /** Of the messages of the set, those at these positions. */
  readonly partial?: PartialRange;
  /** UIDs that have gone since are asked for too. */
  readonly vanished?: true;
}

export function decodeFetch(scanner: Scanner, _?: unknown, name = 'UID FETCH'): FetchArguments {
  scanner.space();
  const set = decodeSequenceSet(scanner);
  scanner.space();
  const attributes = decodeFetchAttributes(scanner);
  let changedSince: number | undefined;
  let vanished = false;
  let partial: PartialRange | undefined;
  if (scanner.take(' ')) {
    scanner.list(() => {
      const modifier = scanner.keyword('a FETCH modifier');
      if (modifier === 'VANISHED' && name === 'UID FETCH') vanished = true;
      else if (modifier === 'CHANGEDSINCE') {
        scanner.space();
        changedSince = scanner.modSeq();
      } else if (modifier === 'PARTIAL' && name === 'UID FETCH' && partial === undefined) {
        scanner.space();
        partial = decodePartialRange(scanner);
      } else scanner.fail('CHANGEDSINCE, and of UID FETCH also VANISHED and PARTIAL');
    });
    if (vanished && changedSince === undefined) scanner.fail('CHANGEDSINCE beside VANISHED');
  }
  scanner.expectEnd();
  return {
    set,
    attributes,
    ...(changedSince === undefined ? {} : { changedSince }),
    ...(vanished ? { vanished } : {}),
    ...(partial === undefined ? {} : { partial }),
  };
}

export function encodeFetch({ set, attributes, changedSince, vanished, partial }: FetchArguments, prefix = ''): Buffer {
  const writer = new CommandWriter().raw(`${prefix}FETCH ${formatSequenceSet(set)} `);
  writer.list(attributes, (attribute) => writer.raw(formatFetchAttribute(attribute)));
  const modifiers = [
    ...(changedSince === undefined ? [] : [`CHANGEDSINCE ${changedSince}`]),
    ...(vanished ? ['VANISHED'] : []),
    ...(partial === undefined ? [] : [`PARTIAL ${formatPartialRange(partial)}`]),
  ];
  if (modifiers.length > 0) writer.raw(` (${modifiers.join(' ')})`);
  return writer.toBuffer();
}
