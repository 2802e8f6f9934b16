/**
 * list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts] (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8440);
 * lsub = "LSUB" SP mailbox SP list-mailbox (RFC 3501 §6.3.9); XLIST as LIST was before RFC 6154.
 */
import { annotationEntriesMax, listPatternsMax } from '../limits.ts';
import { decodeMailbox, decodeMailboxName } from '../mailbox-name.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';
import { decodeEntry } from './metadata.ts';
import { decodeStatusItems, type StatusItem } from './status.ts';

const selectOptions = ['SUBSCRIBED', 'REMOTE', 'RECURSIVEMATCH', 'SPECIAL-USE'] as const;
const returnOptions = ['SUBSCRIBED', 'CHILDREN', 'SPECIAL-USE', 'MYRIGHTS'] as const;
export type ListSelectOption = (typeof selectOptions)[number];
export type ListReturnOption = (typeof returnOptions)[number];

export interface ListArguments {
  readonly reference: string;
  readonly patterns: readonly string[];
  readonly select: readonly ListSelectOption[];
  readonly return: readonly ListReturnOption[];
  /** STATUS items to be told of each mailbox (RFC 5819); none when not asked for. */
  readonly status: readonly StatusItem[];
  /** Annotations to be told of each mailbox (RFC 9590); none when not asked for. */
  readonly metadata: readonly string[];
  /** RFC 5258 §3: any of its syntax was used, so that `LIST "" ""` is no longer a question for the delimiter. */
  readonly isExtended: boolean;
}

export function decodeList(scanner: Scanner, context: DecodeContext): ListArguments {
  scanner.space();
  const select = scanner.isNext('(') ? decodeSelectOptions(scanner) : undefined;
  const reference = decodeMailbox(scanner, context.acceptsUtf8);
  scanner.space();
  const isList = scanner.isNext('(');
  const patterns = isList ? scanner.list(() => decodePattern(scanner, context)) : [decodePattern(scanner, context)];
  if (patterns.length === 0) scanner.fail('a mailbox pattern');
  if (patterns.length > listPatternsMax) scanner.fail(`at most ${listPatternsMax} patterns`);
  const returned: ListReturnOption[] = [];
  let status: StatusItem[] = [];
  let metadata: string[] = [];
  const hasReturn = scanner.take(' ');
  if (hasReturn) {
    if (scanner.keyword() !== 'RETURN') scanner.fail('RETURN');
    scanner.space();
    scanner.list(() => {
      const name = scanner.keyword('a return option');
      if (name === 'STATUS') {
        scanner.space();
        status = decodeStatusItems(scanner);
      } else if (name === 'METADATA') {
        scanner.space();
        metadata = scanner.list(() => decodeEntry(scanner));
        if (metadata.length === 0 || metadata.length > annotationEntriesMax) scanner.fail(`1 to ${annotationEntriesMax} entries`);
      } else returned.push(returnOptions.find((option) => option === name) ?? scanner.fail('a return option'));
    });
  }
  scanner.expectEnd();
  return {
    reference,
    patterns,
    select: select ?? [],
    return: returned,
    status,
    metadata,
    isExtended: select !== undefined || isList || hasReturn,
  };
}

/** RFC 5258 §6: RECURSIVEMATCH needs another option to recurse for. */
function decodeSelectOptions(scanner: Scanner): ListSelectOption[] {
  const select = scanner.list(() => {
    const name = scanner.keyword('a selection option');
    return selectOptions.find((option) => option === name) ?? scanner.fail('a selection option');
  });
  if (select.includes('RECURSIVEMATCH') && !select.some((option) => option === 'SUBSCRIBED' || option === 'SPECIAL-USE')) {
    scanner.fail('SUBSCRIBED or SPECIAL-USE beside RECURSIVEMATCH');
  }
  scanner.space();
  return select;
}

/** LSUB and XLIST: reference and one pattern. */
export function decodeOldList(scanner: Scanner, context: DecodeContext): ListArguments {
  scanner.space();
  const reference = decodeMailbox(scanner, context.acceptsUtf8);
  scanner.space();
  const patterns = [decodePattern(scanner, context)];
  scanner.expectEnd();
  return { reference, patterns, select: [], return: [], status: [], metadata: [], isExtended: false };
}

function decodePattern(scanner: Scanner, { acceptsUtf8 }: DecodeContext): string {
  return decodeMailboxName(scanner.decode(scanner.listMailbox()), acceptsUtf8);
}

export function encodeList(list: ListArguments): Buffer {
  const writer = new CommandWriter().raw('LIST ');
  if (list.select.length > 0) writer.raw(`(${list.select.join(' ')}) `);
  writer.mailbox(list.reference).sp();
  const isList =
    list.patterns.length > 1 ||
    (list.isExtended && list.select.length === 0 && list.return.length === 0 && list.status.length === 0 && list.metadata.length === 0);
  if (isList) writer.list(list.patterns, (pattern) => writer.mailbox(pattern));
  else writer.mailbox(list.patterns[0]!);
  const returned: string[] = [...list.return];
  if (list.status.length > 0) returned.push(`STATUS (${list.status.join(' ')})`);
  if (list.metadata.length > 0) returned.push(`METADATA (${list.metadata.map((entry) => `"${entry}"`).join(' ')})`);
  if (returned.length > 0) writer.raw(` RETURN (${returned.join(' ')})`);
  return writer.toBuffer();
}
