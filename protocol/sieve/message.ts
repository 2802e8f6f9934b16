/**
 * The message as a script sees it: header fields in their order, which editheader may change, and the part tree. The bytes after changes are made
 * when an action wants them: header lines that were not touched, and the body, stay byte for byte.
 */
import { addrSpec, type Mailbox, mailboxesOf, parseAddresses } from '../mime/address.ts';
import { encodeWords } from '../mime/encoded-word.ts';
import { scanHeader, unfold } from '../mime/header.ts';
import { asText } from '../mime/header-forms.ts';
import { htmlText } from '../mime/html-text.ts';
import { decodePartText } from '../mime/part-content.ts';
import type { Part } from '../mime/structure.ts';
import { bodyBytesMax } from './limits.ts';

export interface Field {
  /** Lower case. */
  readonly name: string;
  /** What stands after the colon: latin1, folds kept, without the last line end. */
  readonly raw: string;
  /** Its lines with their line end. */
  readonly bytes: Buffer;
}

/** Where a part of the script's attention is: the message, or a part in foreverypart. */
export interface Entity {
  readonly part: Part;
  readonly fields: readonly Field[];
}

export class Message {
  readonly raw: Buffer;
  readonly root: Part;
  readonly #given: readonly Field[];
  #fields: readonly Field[];
  readonly #bodyStart: number;
  #rendered: Buffer | undefined;

  constructor(raw: Buffer, root: Part) {
    this.raw = raw;
    this.root = root;
    this.#given = fieldsOf(raw, root);
    this.#fields = this.#given;
    this.#bodyStart = scanHeader(raw, 0, Number.POSITIVE_INFINITY).fieldsEnd;
  }

  get fields(): readonly Field[] {
    return this.#fields;
  }

  get entity(): Entity {
    return { part: this.root, fields: this.#fields };
  }

  entityOf(part: Part): Entity {
    return part === this.root ? this.entity : { part, fields: fieldsOf(this.raw, part) };
  }

  /** RFC 5293 §4: at the top, or at the end of the header. */
  addField(name: string, value: string, isLast: boolean): number {
    const text = foldField(`${name}: ${encodeWords(value)}`);
    const field = { name: name.toLowerCase(), raw: text.slice(name.length + 1), bytes: Buffer.from(`${text}\r\n`, 'latin1') };
    if (isLast) this.#fields = [...this.#fields, field];
    else this.#fields = [field, ...this.#fields];
    this.#rendered = undefined;
    return field.bytes.length;
  }

  removeFields(isRemoved: (field: Field) => boolean): void {
    const kept = this.#fields.filter((field) => !isRemoved(field));
    if (kept.length === this.#fields.length) return;
    this.#fields = kept;
    this.#rendered = undefined;
  }

  /** Octets of the message as it is now, without making it. */
  get length(): number {
    if (!this.#isChanged) return this.raw.length;
    return this.#fields.reduce((sum, { bytes }) => sum + bytes.length, this.raw.length - this.#bodyStart);
  }

  /** The bytes as they are now. The same object until the next change. */
  bytes(): Buffer {
    this.#rendered ??= this.#render();
    return this.#rendered;
  }

  /** Not by what was added and removed again. */
  get #isChanged(): boolean {
    return this.#fields.length !== this.#given.length || this.#fields.some((field, index) => field !== this.#given[index]);
  }

  #render(): Buffer {
    if (!this.#isChanged) return this.raw;
    return Buffer.concat([...this.#fields.map(({ bytes }) => bytes), this.raw.subarray(this.#bodyStart)]);
  }
}

function fieldsOf(raw: Buffer, part: Part): Field[] {
  const header = raw.subarray(part.headerStart, part.bodyStart);
  return scanHeader(header, 0, Number.POSITIVE_INFINITY).fields.map(({ name, start, valueStart, end }) => ({
    name,
    raw: header.toString('latin1', valueStart, end).replace(/\r?\n$/, ''),
    bytes: header[end - 1] === 10 ? header.subarray(start, end) : Buffer.concat([header.subarray(start, end), Buffer.from('\r\n')]),
  }));
}

/** RFC 5322 §2.1.1: lines of 78 characters where there are spaces to fold at. */
function foldField(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.trim() !== '' && line.length + 1 + word.length > 78 && !line.endsWith(':')) {
      lines.push(line);
      line = ` ${word}`;
    } else line = line === '' && lines.length === 0 ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\r\n');
}

/** RFC 5228 §2.4.2.2: decoded, without the space around it. */
export const textOf = ({ raw }: Field): string => asText(raw);

export const fieldsNamed = (fields: readonly Field[], name: string): Field[] => {
  const wanted = name.toLowerCase();
  return wanted === '' ? [] : fields.filter((field) => field.name === wanted);
};

export const addressesIn = ({ raw }: Field): Mailbox[] => mailboxesOf(parseAddresses(unfold(raw).trim()));

export type AddressPart = 'all' | 'localpart' | 'domain' | 'user' | 'detail';

/** RFC 5233 §4: `+` begins the detail. Undefined where the address has none. */
export function addressPart(address: string, part: AddressPart): string | undefined {
  const at = address.lastIndexOf('@');
  const local = (at < 0 ? address : address.slice(0, at)).replace(/^"(.*)"$/s, (_, inner: string) => inner.replace(/\\(.)/gs, '$1'));
  const plus = local.indexOf('+');
  switch (part) {
    case 'all':
      return address;
    case 'localpart':
      return local;
    case 'domain':
      return at < 0 ? '' : address.slice(at + 1);
    case 'user':
      return plus < 0 ? local : local.slice(0, plus);
    case 'detail':
      return plus < 0 ? undefined : local.slice(plus + 1);
  }
}

export { addrSpec };

/** All parts below and with this one, nested messages entered. */
export function* partsBelow(part: Part): Generator<Part> {
  yield part;
  for (const child of part.children ?? []) yield* partsBelow(child);
  if (part.message !== undefined) yield* partsBelow(part.message.root);
}

/** A leaf's text; of HTML what a reader sees (RFC 5173 §5.3). */
export function partText(raw: Buffer, part: Part, isPlain: boolean): string {
  const text = decodePartText(raw, part, bodyBytesMax);
  return isPlain && (part.subtype === 'html' || part.subtype === 'xhtml+xml') ? htmlText(text) : text;
}
