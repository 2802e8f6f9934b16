/** The bytes of a BODY[…] or BINARY[…] item: from the facts where they hold them, else from the raw message. */
import type { FetchAttribute } from '../../../protocol/imap/fetch-attribute.ts';
import type { Section } from '../../../protocol/imap/section.ts';
import type { MessageFacts } from '../../../protocol/mime/facts.ts';
import { headerFieldsFromRaw } from '../../../protocol/mime/header.ts';
import { headerFieldsFromFacts } from '../../../protocol/mime/header-facts.ts';
import { decodePart } from '../../../protocol/mime/part-content.ts';
import { findPart, sectionRange } from '../../../protocol/mime/sections.ts';
import type { Part } from '../../../protocol/mime/structure.ts';

export type SectionAttribute = Extract<FetchAttribute, { item: 'section' | 'BINARY' }>;

/** null: the message has no such section. 'unknownEncoding': RFC 3516 §4.3 UNKNOWN-CTE. */
export type SectionContent = Uint8Array | null | 'unknownEncoding';

/** undefined: the facts do not hold it. */
export function sectionFromFacts(facts: MessageFacts, attribute: SectionAttribute): Uint8Array | undefined {
  if (attribute.item === 'BINARY') return undefined;
  const { numbers, text, fields } = attribute.section;
  if (numbers.length > 0 || fields === undefined) return undefined;
  const content = headerFieldsFromFacts(facts, fields, text === 'HEADER.FIELDS.NOT');
  return content === undefined ? undefined : partialOf(content, attribute);
}

export function sectionFromRaw(raw: Buffer, facts: MessageFacts, attribute: SectionAttribute): SectionContent {
  const content =
    attribute.item === 'BINARY' ? decodedPart(raw, facts.root, attribute.numbers) : sectionBytes(raw, facts.root, attribute.section);
  return content === null || content === 'unknownEncoding' ? content : partialOf(content, attribute);
}

function sectionBytes(raw: Buffer, root: Part, { numbers, text, fields }: Section): Uint8Array | null {
  if (numbers.length === 0 && text === undefined) return raw;
  if (text !== 'HEADER.FIELDS' && text !== 'HEADER.FIELDS.NOT') {
    const range = sectionRange(root, numbers, text);
    return range === undefined ? null : raw.subarray(range.start, range.end);
  }
  const range = sectionRange(root, numbers, 'HEADER');
  if (range === undefined) return null;
  return headerFieldsFromRaw(raw.subarray(range.start, range.end), fields ?? [], text === 'HEADER.FIELDS.NOT');
}

const knownEncodings = new Set([undefined, '7bit', '8bit', 'binary', 'base64', 'quoted-printable', 'x-uuencode', 'uuencode']);

function decodedPart(raw: Buffer, root: Part, numbers: readonly number[]): SectionContent {
  if (numbers.length === 0) return raw;
  const part = findPart(root, numbers);
  if (part === undefined) return null;
  return knownEncodings.has(part.encoding) ? decodePart(raw, part) : 'unknownEncoding';
}

/** BINARY.SIZE's value: octets after decoding. */
export function decodedSize(facts: MessageFacts, numbers: readonly number[]): number {
  if (numbers.length === 0) return facts.octets;
  const part = findPart(facts.root, numbers);
  return part === undefined ? 0 : (part.decodedOctets ?? part.bodyEnd - part.bodyStart);
}

/** RFC 9051 §6.4.5: what lies past the end is an empty string. */
function partialOf(content: Uint8Array, { partial }: SectionAttribute): Uint8Array {
  return partial === undefined ? content : content.subarray(partial.offset, partial.offset + partial.count);
}
