/** IMAP's section numbers (RFC 3501 §6.4.5): parts by number, and the byte range of every section of a BODY[…] fetch. */
import { isMessage, type Part } from './structure.ts';

/** What of a part is meant: all of it is `undefined`. */
export type SectionText = 'HEADER' | 'TEXT' | 'MIME';

export interface ByteRange {
  /** First byte, and the one after the last. */
  start: number;
  end: number;
}

/** The part with this number, e.g. [1, 2]; the root for []. Undefined where there is none. */
export function findPart(root: Part, numbers: readonly number[]): Part | undefined {
  let part = root;
  // At the root of a message, 1 is its only part, the root itself.
  let isEntry = true;
  for (const number of numbers) {
    if (!isEntry && part.message !== undefined) {
      part = part.message.root;
      isEntry = true;
    }
    const next = part.children === undefined ? (isEntry && number === 1 ? part : undefined) : part.children[number - 1];
    if (next === undefined) return undefined;
    part = next;
    isEntry = false;
  }
  return part;
}

/**
 * The bytes of BODY[numbers.text] in the raw message; undefined where the section does not exist. HEADER.FIELDS is chosen from HEADER's range by
 * headerFieldsFromRaw.
 */
export function sectionRange(root: Part, numbers: readonly number[], text?: SectionText): ByteRange | undefined {
  if (numbers.length === 0) {
    if (text === 'MIME') return undefined;
    return text === undefined ? { start: root.headerStart, end: root.bodyEnd } : rangeOf(root, text);
  }
  const part = findPart(root, numbers);
  if (part === undefined) return undefined;
  if (text === undefined) return { start: part.bodyStart, end: part.bodyEnd };
  if (text === 'MIME') return rangeOf(part, 'HEADER');
  // HEADER and TEXT are those of the message inside.
  return part.message === undefined ? undefined : rangeOf(part.message.root, text);
}

function rangeOf(part: Part, text: 'HEADER' | 'TEXT'): ByteRange {
  return text === 'HEADER' ? { start: part.headerStart, end: part.bodyStart } : { start: part.bodyStart, end: part.bodyEnd };
}

/** Every part with its section number, depth first: '' for a multipart root, '1' for a single one. Does not enter nested messages unless told. */
export function* walkParts(root: Part, entersMessages = false, prefix = ''): Generator<[section: string, part: Part]> {
  const join = (number: number) => (prefix === '' ? String(number) : `${prefix}.${number}`);
  if (root.children === undefined) yield* walkPart(root, join(1), entersMessages);
  else {
    // The multipart of a nested message has no number of its own: the message's is the way to it.
    if (prefix === '') yield [prefix, root];
    for (const [i, child] of root.children.entries()) yield* walkPart(child, join(i + 1), entersMessages);
  }
}

function* walkPart(part: Part, section: string, entersMessages: boolean): Generator<[section: string, part: Part]> {
  yield [section, part];
  for (const [i, child] of (part.children ?? []).entries()) yield* walkPart(child, `${section}.${i + 1}`, entersMessages);
  if (entersMessages && part.message !== undefined && isMessage(part)) yield* walkParts(part.message.root, true, section);
}

/** '1.2' as numbers; undefined where it is no section number. */
export function parseSection(section: string): number[] | undefined {
  if (section === '') return [];
  return /^[1-9]\d{0,5}(?:\.[1-9]\d{0,5})*$/.test(section) ? section.split('.').map(Number) : undefined;
}
