/**
 * Annotations (RFC 5464 §5):
 *   getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries
 *   getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")"; getmetadata-option = "MAXSIZE" SP number / "DEPTH" SP ("0" / "1" / "infinity")
 *   setmetadata = "SETMETADATA" SP mailbox SP "(" entry-value *(SP entry-value) ")"; entry-value = entry SP (nstring / literal8)
 *   entries = entry / "(" entry *(SP entry) ")"; entry = astring
 */
import { annotationEntriesMax } from '../limits.ts';
import { decodeMailbox } from '../mailbox-name.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export interface MetadataOptions {
  /** Octets of the largest value that is wanted. */
  readonly maxSize?: number;
  /** Levels below an entry that are wanted too. */
  readonly depth: 0 | 1 | 'infinity';
}

export interface GetMetadataArguments extends MetadataOptions {
  /** '' for the server's annotations. */
  readonly mailbox: string;
  /** In lower case. */
  readonly entries: readonly string[];
}

export interface SetMetadataArguments {
  readonly mailbox: string;
  /** null removes. */
  readonly values: readonly { readonly entry: string; readonly value: Buffer | null }[];
}

export function decodeGetMetadata(scanner: Scanner, { acceptsUtf8 }: Pick<DecodeContext, 'acceptsUtf8'>): GetMetadataArguments {
  scanner.space();
  let options: MetadataOptions = { depth: 0 };
  const isBefore = scanner.isNext('(');
  if (isBefore) {
    options = decodeOptions(scanner);
    scanner.space();
  }
  const mailbox = decodeMailbox(scanner, acceptsUtf8);
  scanner.space();
  // RFC 5464's own examples have the options behind the mailbox, and clients follow them.
  if (!isBefore && /^\((?:maxsize|depth) /i.test(scanner.text.toString('latin1', scanner.position, scanner.position + 10))) {
    options = decodeOptions(scanner);
    scanner.space();
  }
  const entries = scanner.isNext('(') ? scanner.list(() => decodeEntry(scanner, true)) : [decodeEntry(scanner, true)];
  if (entries.length === 0) scanner.fail('an entry');
  if (entries.length > annotationEntriesMax) scanner.fail(`at most ${annotationEntriesMax} entries`);
  scanner.expectEnd();
  return { mailbox, entries, ...options };
}

function decodeOptions(scanner: Scanner): MetadataOptions {
  let maxSize: number | undefined;
  let depth: MetadataOptions['depth'] = 0;
  scanner.list(() => {
    const name = scanner.keyword('MAXSIZE or DEPTH');
    scanner.space();
    if (name === 'MAXSIZE') maxSize = scanner.number();
    else if (name === 'DEPTH') {
      const levels = scanner.keyword('0, 1 or infinity');
      depth = levels === '0' ? 0 : levels === '1' ? 1 : levels === 'INFINITY' ? 'infinity' : scanner.fail('0, 1 or infinity');
    } else scanner.fail('MAXSIZE or DEPTH');
  });
  return maxSize === undefined ? { depth } : { depth, maxSize };
}

export function decodeSetMetadata(scanner: Scanner, { acceptsUtf8 }: Pick<DecodeContext, 'acceptsUtf8'>): SetMetadataArguments {
  scanner.space();
  const mailbox = decodeMailbox(scanner, acceptsUtf8);
  scanner.space();
  const values = scanner.list(() => {
    const entry = decodeEntry(scanner);
    scanner.space();
    return { entry, value: scanner.nstring() };
  });
  if (values.length === 0) scanner.fail('an entry and its value');
  if (values.length > annotationEntriesMax) scanner.fail(`at most ${annotationEntriesMax} entries`);
  scanner.expectEnd();
  return { mailbox, values };
}

/** RFC 5464 §3.2: /private or /shared, names behind slashes, in any case; no wildcards, no empty name. A root alone has no value, but others below it. */
export function decodeEntry(scanner: Scanner, mayBeRoot = false): string {
  const start = scanner.position;
  const entry = scanner.astringText().toLowerCase();
  if (mayBeRoot && (entry === '/private' || entry === '/shared')) return entry;
  if (/^\/(?:private|shared)(?:\/[\x20-\x24\x26-\x29\x2b-\x2e\x30-\x7e]+)+$/.test(entry) && entry.length <= 1024) return entry;
  scanner.position = start;
  return scanner.fail('an entry such as /private/comment, without *, % and empty names');
}

export function encodeGetMetadata({ mailbox, entries, maxSize, depth }: GetMetadataArguments): Buffer {
  const options = [...(maxSize === undefined ? [] : [`MAXSIZE ${maxSize}`]), ...(depth === 0 ? [] : [`DEPTH ${depth}`])];
  const writer = new CommandWriter()
    .raw(`GETMETADATA ${options.length === 0 ? '' : `(${options.join(' ')}) `}`)
    .mailbox(mailbox)
    .sp();
  return writer.list(entries, (entry) => writer.astring(entry)).toBuffer();
}

export function encodeSetMetadata({ mailbox, values }: SetMetadataArguments): Buffer {
  const writer = new CommandWriter().raw('SETMETADATA ').mailbox(mailbox).sp();
  return writer
    .list(values, ({ entry, value }) => {
      writer.astring(entry).sp();
      if (value === null) writer.raw('NIL');
      else writer.literal(value);
    })
    .toBuffer();
}
