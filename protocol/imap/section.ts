/**
 * section = "[" [section-spec] "]" (RFC 9051 §6.4.5, §9): which bytes of a message a BODY[…] item means.
 *   section-spec = section-msgtext / (section-part ["." section-text])
 *   section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
 *   section-text = section-msgtext / "MIME"
 */
import { headerFieldsMax } from './limits.ts';
import type { Scanner } from './wire/scanner.ts';

export interface Section {
  /** Part numbers; [] for the message itself. */
  readonly numbers: readonly number[];
  readonly text?: 'HEADER' | 'TEXT' | 'MIME' | 'HEADER.FIELDS' | 'HEADER.FIELDS.NOT';
  /** Of HEADER.FIELDS, as the client spelt them: clients look for their own words in the answer. */
  readonly fields?: readonly string[];
}

/** Parts nest at most 50 deep here; a longer list of numbers is no section of ours. */
const numbersMax = 100;

/** After "[": reads up to and with "]". */
export function decodeSection(scanner: Scanner): Section {
  const numbers: number[] = [];
  while (isDigit(scanner.peek())) {
    if (numbers.length >= numbersMax) scanner.fail(`at most ${numbersMax} part numbers`);
    numbers.push(scanner.nzNumber());
    if (!scanner.take('.')) {
      scanner.expect(']');
      return { numbers };
    }
  }
  if (numbers.length === 0 && scanner.take(']')) return { numbers };
  const section = decodeText(scanner, numbers);
  scanner.expect(']');
  return section;
}

function decodeText(scanner: Scanner, numbers: readonly number[]): Section {
  const start = scanner.position;
  const text = scanner.itemName();
  switch (text) {
    case 'HEADER':
    case 'TEXT':
      return { numbers, text };
    case 'MIME':
      if (numbers.length > 0) return { numbers, text };
      break;
    case 'HEADER.FIELDS':
    case 'HEADER.FIELDS.NOT': {
      scanner.space();
      const fields = scanner.list(() => scanner.astring().toString('latin1'));
      if (fields.length === 0) scanner.fail('the name of a header field');
      if (fields.length > headerFieldsMax) scanner.fail(`at most ${headerFieldsMax} header fields`);
      return { numbers, text, fields };
    }
  }
  scanner.position = start;
  return scanner.fail('HEADER, HEADER.FIELDS, TEXT or MIME');
}

/** What stands between the brackets. */
export function formatSection({ numbers, text, fields }: Section): string {
  const parts: string[] = numbers.map(String);
  if (text !== undefined) parts.push(text);
  const list = fields === undefined ? '' : ` (${fields.map(formatField).join(' ')})`;
  return parts.join('.') + list;
}

function formatField(name: string): string {
  return /^[\x21\x23\x24\x26\x27\x2b-\x5b\x5e-\x7a\x7c-\x7e]+$/.test(name) && !name.includes('}')
    ? name
    : `"${name.replace(/["\\]/g, '\\$&')}"`;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
