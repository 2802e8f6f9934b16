/**
 * store = "STORE" SP sequence-set [store-modifiers] SP store-att-flags (RFC 9051 §6.4.6);
 *   store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
 *   store-modifier =/ "UNCHANGEDSINCE" SP mod-sequence-valzer (RFC 7162 §3.1.3)
 */
import { decodeFlags } from '../flags.ts';
import { decodeSequenceSet, formatSequenceSet, type SequenceSet } from '../sequence-set.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';

export interface StoreArguments {
  readonly set: SequenceSet;
  readonly unchangedSince?: number;
  readonly operation: 'set' | 'add' | 'remove';
  readonly isSilent: boolean;
  readonly flags: readonly string[];
}

const operations = { '': 'set', '+': 'add', '-': 'remove' } as const;

export function decodeStore(scanner: Scanner): StoreArguments {
  scanner.space();
  const set = decodeSequenceSet(scanner);
  scanner.space();
  let unchangedSince: number | undefined;
  if (scanner.isNext('(')) {
    scanner.list(() => {
      if (scanner.keyword('a STORE modifier') !== 'UNCHANGEDSINCE') scanner.fail('UNCHANGEDSINCE');
      scanner.space();
      unchangedSince = scanner.modSeq();
    });
    scanner.space();
  }
  const match = /^([+-]?)FLAGS(\.SILENT)?$/.exec(scanner.keyword('FLAGS'));
  if (match === null) scanner.fail('FLAGS, +FLAGS or -FLAGS, with or without .SILENT');
  scanner.space();
  const flags = decodeFlags(scanner);
  scanner.expectEnd();
  const operation = operations[match[1] as keyof typeof operations];
  return { set, ...(unchangedSince === undefined ? {} : { unchangedSince }), operation, isSilent: match[2] !== undefined, flags };
}

export function encodeStore({ set, unchangedSince, operation, isSilent, flags }: StoreArguments, prefix = ''): Buffer {
  const writer = new CommandWriter().raw(`${prefix}STORE ${formatSequenceSet(set)} `);
  if (unchangedSince !== undefined) writer.raw(`(UNCHANGEDSINCE ${unchangedSince}) `);
  const sign = { set: '', add: '+', remove: '-' }[operation];
  return writer.raw(`${sign}FLAGS${isSilent ? '.SILENT' : ''} (${flags.join(' ')})`).toBuffer();
}
