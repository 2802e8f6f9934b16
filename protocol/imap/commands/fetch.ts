/**
 * fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") [fetch-modifiers] (RFC 9051 §6.4.5).
 *   fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value (RFC 7162 §3.1.4.1)
 *   fetch-modifier =/ "VANISHED", of UID FETCH and beside CHANGEDSINCE only (RFC 7162 §3.2.6)
 */
import { decodeFetchAttributes, type FetchAttribute, formatFetchAttribute } from '../fetch-attribute.ts';
import { decodeSequenceSet, formatSequenceSet, type SequenceSet } from '../sequence-set.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface FetchArguments {
  readonly set: SequenceSet;
  readonly attributes: readonly FetchAttribute[];
  readonly changedSince?: number;
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
  if (scanner.take(' ')) {
    scanner.list(() => {
      const modifier = scanner.keyword('a FETCH modifier');
      if (modifier === 'VANISHED' && name === 'UID FETCH') vanished = true;
      else if (modifier === 'CHANGEDSINCE') {
        scanner.space();
        changedSince = scanner.modSeq();
      } else scanner.fail('CHANGEDSINCE, and of UID FETCH also VANISHED');
    });
    if (vanished && changedSince === undefined) scanner.fail('CHANGEDSINCE beside VANISHED');
  }
  scanner.expectEnd();
  return { set, attributes, ...(changedSince === undefined ? {} : { changedSince }), ...(vanished ? { vanished } : {}) };
}

export function encodeFetch({ set, attributes, changedSince, vanished }: FetchArguments, prefix = ''): Buffer {
  const writer = new CommandWriter().raw(`${prefix}FETCH ${formatSequenceSet(set)} `);
  writer.list(attributes, (attribute) => writer.raw(formatFetchAttribute(attribute)));
  if (changedSince !== undefined) writer.raw(` (CHANGEDSINCE ${changedSince}${vanished ? ' VANISHED' : ''})`);
  return writer.toBuffer();
}
