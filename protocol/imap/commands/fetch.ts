/**
 * fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") [fetch-modifiers] (RFC 9051 §6.4.5).
 *   fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value (RFC 7162 §3.1.4.1)
 */
import { decodeFetchAttributes, type FetchAttribute, formatFetchAttribute } from '../fetch-attribute.ts';
import { decodeSequenceSet, formatSequenceSet, type SequenceSet } from '../sequence-set.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface FetchArguments {
  readonly set: SequenceSet;
  readonly attributes: readonly FetchAttribute[];
  readonly changedSince?: number;
}

export function decodeFetch(scanner: Scanner): FetchArguments {
  scanner.space();
  const set = decodeSequenceSet(scanner);
  scanner.space();
  const attributes = decodeFetchAttributes(scanner);
  let changedSince: number | undefined;
  if (scanner.take(' ')) {
    scanner.list(() => {
      if (scanner.keyword('a FETCH modifier') !== 'CHANGEDSINCE') scanner.fail('CHANGEDSINCE');
      scanner.space();
      changedSince = scanner.modSeq();
    });
  }
  scanner.expectEnd();
  return changedSince === undefined ? { set, attributes } : { set, attributes, changedSince };
}

export function encodeFetch({ set, attributes, changedSince }: FetchArguments, prefix = ''): Buffer {
  const writer = new CommandWriter().raw(`${prefix}FETCH ${formatSequenceSet(set)} `);
  writer.list(attributes, (attribute) => writer.raw(formatFetchAttribute(attribute)));
  if (changedSince !== undefined) writer.raw(` (CHANGEDSINCE ${changedSince})`);
  return writer.toBuffer();
}
