/**
 * fetch-att (RFC 9051 §9, RFC 3501 §9) with the items of CONDSTORE (RFC 7162), OBJECTID (RFC 8474), SAVEDATE (RFC 8514), PREVIEW (RFC 8970) and
 * BINARY (RFC 3516).
 */
import { decodeSection, formatSection, type Section } from './section.ts';
import type { Scanner } from './wire/scanner.ts';

export interface Partial {
  /** First octet of the section, from 0, and how many at most. */
  readonly offset: number;
  readonly count: number;
}

/** Items without arguments, by their wire names. */
export const plainItems = [
  'UID',
  'FLAGS',
  'INTERNALDATE',
  'RFC822.SIZE',
  'ENVELOPE',
  'BODYSTRUCTURE',
  'BODY',
  'MODSEQ',
  'EMAILID',
  'THREADID',
  'SAVEDATE',
] as const;
export type PlainItem = (typeof plainItems)[number];

export type FetchAttribute =
  | { readonly item: PlainItem }
  | { readonly item: 'PREVIEW'; readonly isLazy: boolean }
  /** `name` is how the item is written: RFC822 and its kin are sections under older names. */
  | {
      readonly item: 'section';
      readonly name: 'BODY' | 'RFC822' | 'RFC822.HEADER' | 'RFC822.TEXT';
      readonly section: Section;
      readonly partial?: Partial;
      /** Sets no \Seen. */
      readonly isPeek: boolean;
    }
  | { readonly item: 'BINARY'; readonly numbers: readonly number[]; readonly partial?: Partial; readonly isPeek: boolean }
  | { readonly item: 'BINARY.SIZE'; readonly numbers: readonly number[] };

const macros: Readonly<Record<string, readonly PlainItem[]>> = {
  ALL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE'],
  FAST: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'],
  FULL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY'],
};

/** fetch = … ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") */
export function decodeFetchAttributes(scanner: Scanner): FetchAttribute[] {
  if (scanner.isNext('(')) {
    const attributes = scanner.list(() => decodeFetchAttribute(scanner));
    if (attributes.length === 0) scanner.fail('a data item');
    return attributes;
  }
  const start = scanner.position;
  const macro = macros[scanner.itemName()];
  if (macro !== undefined) return macro.map((item) => ({ item }));
  scanner.position = start;
  return [decodeFetchAttribute(scanner)];
}

export function decodeFetchAttribute(scanner: Scanner): FetchAttribute {
  const start = scanner.position;
  const name = scanner.itemName();
  switch (name) {
    case 'RFC822':
      return { item: 'section', name, section: { numbers: [] }, isPeek: false };
    case 'RFC822.HEADER':
      return { item: 'section', name, section: { numbers: [], text: 'HEADER' }, isPeek: true };
    case 'RFC822.TEXT':
      return { item: 'section', name, section: { numbers: [], text: 'TEXT' }, isPeek: false };
    case 'PREVIEW':
      return decodePreview(scanner);
    case 'BODY':
    case 'BODY.PEEK':
      if (!scanner.take('[')) break;
      return withPartial(scanner, { item: 'section', name: 'BODY', section: decodeSection(scanner), isPeek: name === 'BODY.PEEK' });
    case 'BINARY':
    case 'BINARY.PEEK':
      return withPartial(scanner, { item: 'BINARY', numbers: decodePartNumbers(scanner), isPeek: name === 'BINARY.PEEK' });
    case 'BINARY.SIZE':
      return { item: 'BINARY.SIZE', numbers: decodePartNumbers(scanner) };
  }
  const item = plainItems.find((known) => known === name);
  if (item !== undefined) return { item };
  scanner.position = start;
  return scanner.fail('a data item that FETCH knows');
}

/** RFC 8970 §3.1: "PREVIEW" [SP "(" "LAZY" ")"] */
function decodePreview(scanner: Scanner): FetchAttribute {
  const start = scanner.position;
  if (!scanner.take(' ') || !scanner.isNext('(')) {
    scanner.position = start;
    return { item: 'PREVIEW', isLazy: false };
  }
  const modifiers = scanner.list(() => scanner.keyword());
  if (modifiers.length !== 1 || modifiers[0] !== 'LAZY') scanner.fail('LAZY');
  return { item: 'PREVIEW', isLazy: true };
}

/** section-binary = "[" [section-part] "]" */
function decodePartNumbers(scanner: Scanner): readonly number[] {
  scanner.expect('[');
  const section = decodeSection(scanner);
  if (section.text !== undefined) scanner.fail('part numbers only');
  return section.numbers;
}

/** partial = "<" number64 "." nz-number64 ">" */
function withPartial<T extends FetchAttribute>(scanner: Scanner, attribute: T): T {
  if (!scanner.take('<')) return attribute;
  const offset = scanner.number(Number.MAX_SAFE_INTEGER);
  scanner.expect('.');
  const count = scanner.number(Number.MAX_SAFE_INTEGER);
  if (count === 0) scanner.fail('a number above zero');
  scanner.expect('>');
  return { ...attribute, partial: { offset, count } };
}

/** As a client asks for it. */
export function formatFetchAttribute(attribute: FetchAttribute): string {
  const partial =
    'partial' in attribute && attribute.partial !== undefined ? `<${attribute.partial.offset}.${attribute.partial.count}>` : '';
  switch (attribute.item) {
    case 'section':
      if (attribute.name !== 'BODY') return attribute.name;
      return `BODY${attribute.isPeek ? '.PEEK' : ''}[${formatSection(attribute.section)}]${partial}`;
    case 'BINARY':
      return `BINARY${attribute.isPeek ? '.PEEK' : ''}[${attribute.numbers.join('.')}]${partial}`;
    case 'BINARY.SIZE':
      return `BINARY.SIZE[${attribute.numbers.join('.')}]`;
    case 'PREVIEW':
      return attribute.isLazy ? 'PREVIEW (LAZY)' : 'PREVIEW';
    default:
      return attribute.item;
  }
}

/** As the answer names it: without PEEK, of a partial only the origin. */
export function formatFetchItem(attribute: FetchAttribute): string {
  const origin = 'partial' in attribute && attribute.partial !== undefined ? `<${attribute.partial.offset}>` : '';
  switch (attribute.item) {
    case 'section':
      return attribute.name === 'BODY' ? `BODY[${formatSection(attribute.section)}]${origin}` : attribute.name;
    case 'BINARY':
      return `BINARY[${attribute.numbers.join('.')}]${origin}`;
    case 'PREVIEW':
      return 'PREVIEW';
    default:
      return formatFetchAttribute(attribute);
  }
}
