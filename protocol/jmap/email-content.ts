/** What Email/get and Email/parse say of a message's content (RFC 8621 §4.1.2 to §4.1.4), from its facts and, where they do not hold it, its bytes. */
import { bodyLists, type ListedPart, partCharset, partCid, partName, partSize } from '../mime/body-lists.ts';
import type { MessageFacts } from '../mime/facts.ts';
import { scanHeader } from '../mime/header.ts';
import { canAnswer, headerValuesFromFacts, headerValuesFromRaw } from '../mime/header-facts.ts';
import { asRaw } from '../mime/header-forms.ts';
import { readPartText } from '../mime/part-content.ts';
import { walkParts } from '../mime/sections.ts';
import type { Part } from '../mime/structure.ts';
import { partBlobId } from './blob-id.ts';
import { headerPropertyValue, namedHeaderProperties, parseHeaderProperty } from './header-property.ts';

export interface MessageContent {
  readonly facts: MessageFacts;
  /** Of the message; those of parts are made from it. */
  readonly blobId: string;
  readonly preview: string;
  /** The message's bytes, where they are needed and could be read. */
  readonly raw: Buffer | undefined;
}

/** Which body values are asked for (§4.2), and what is said of parts. */
export interface BodyOptions {
  readonly bodyProperties: readonly string[];
  readonly fetchTextBodyValues: boolean;
  readonly fetchHTMLBodyValues: boolean;
  readonly fetchAllBodyValues: boolean;
  /** 0: no limit. */
  readonly maxBodyValueBytes: number;
}

export const defaultBodyProperties: readonly string[] = [
  'partId',
  'blobId',
  'size',
  'name',
  'type',
  'charset',
  'disposition',
  'cid',
  'language',
  'location',
];

const plainPartProperties = new Set([...defaultBodyProperties, 'headers', 'subParts']);
export const isPartProperty = (name: string): boolean => plainPartProperties.has(name) || parseHeaderProperty(name) !== undefined;

const bodyLists_ = new Set(['textBody', 'htmlBody', 'attachments']);
const structureProperties = new Set([...bodyLists_, 'bodyStructure']);
const contentProperties = new Set([
  ...structureProperties,
  ...namedHeaderProperties.keys(),
  'headers',
  'hasAttachment',
  'preview',
  'bodyValues',
]);
export const isContentProperty = (name: string): boolean => contentProperties.has(name) || parseHeaderProperty(name) !== undefined;

/** Whether the value never changes and is small: worth remembering. */
export const isListProperty = (name: string): boolean =>
  namedHeaderProperties.has(name) || name === 'preview' || name === 'hasAttachment' || name.startsWith('header:');

/** Whether the properties can be told from the facts alone. */
export function needsRaw(facts: MessageFacts, properties: readonly string[], options: BodyOptions): boolean {
  return properties.some((property) => {
    if (property === 'headers') return facts.headerOmitted.length > 0;
    if (property === 'bodyValues') return options.fetchAllBodyValues || options.fetchHTMLBodyValues || options.fetchTextBodyValues;
    if (structureProperties.has(property)) return options.bodyProperties.some((name) => name === 'headers' || name.startsWith('header:'));
    const header = parseHeaderProperty(property);
    return header !== undefined && !canAnswer(facts, [header.name], false);
  });
}

/** The value of a content property. Without the bytes, what only they hold is empty: one broken blob never fails a list. */
export function contentProperty(content: MessageContent, property: string, options: BodyOptions): unknown {
  const { facts } = content;
  switch (property) {
    case 'hasAttachment':
      return facts.hasAttachment;
    case 'preview':
      return content.preview;
    case 'messageId':
      return facts.messageIds.length > 0 ? facts.messageIds : null;
    case 'inReplyTo':
      return facts.inReplyTo.length > 0 ? facts.inReplyTo : null;
    case 'headers':
      return headersOf(headerBytes(content));
    case 'bodyStructure':
      return bodyPart(content, facts.root, sectionsOf(facts.root), options.bodyProperties, true);
    case 'textBody':
    case 'htmlBody':
    case 'attachments':
      return listedParts(content, property).map(({ part }) =>
        bodyPart(content, part, sectionsOf(facts.root), options.bodyProperties, false),
      );
    case 'bodyValues':
      return bodyValues(content, options);
    default: {
      const header = parseHeaderProperty(namedHeaderProperties.get(property) ?? property);
      if (header === undefined) return undefined;
      return headerPropertyValue(header, headerValues(content, header.name));
    }
  }
}

function headerValues({ facts, raw }: MessageContent, name: string): string[] {
  const values = headerValuesFromFacts(facts, name);
  if (values !== undefined) return values;
  return headerValuesFromRaw(raw === undefined ? Buffer.from(facts.header, 'latin1') : raw.subarray(0, facts.root.bodyStart), name);
}

function headerBytes({ facts, raw }: MessageContent): Buffer {
  return raw === undefined ? Buffer.from(facts.header, 'latin1') : raw.subarray(facts.root.headerStart, facts.root.bodyStart);
}

/** §4.1.3 `headers`: all fields in their order, names as written, values raw. */
function headersOf(header: Buffer): { name: string; value: string }[] {
  return scanHeader(header)
    .fields.filter(({ name }) => name !== '')
    .map(({ start, valueStart, end }) => ({
      name: header.toString('latin1', start, valueStart - 1).trim(),
      value: asRaw(header.toString('latin1', valueStart, end).replace(/\r?\n$/, '')),
    }));
}

function sectionsOf(root: Part): Map<Part, string> {
  return new Map(Array.from(walkParts(root), ([section, part]) => [part, section]));
}

function listedParts({ facts }: MessageContent, list: 'textBody' | 'htmlBody' | 'attachments'): ListedPart[] {
  return bodyLists(facts.root)[list];
}

function bodyPart(
  content: MessageContent,
  part: Part,
  sections: ReadonlyMap<Part, string>,
  properties: readonly string[],
  isNested: boolean,
): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  const section = part.children === undefined ? (sections.get(part) ?? '') : '';
  for (const property of properties) shown[property] = partProperty(content, part, section, property);
  if (isNested && part.children !== undefined) {
    shown['subParts'] = part.children.map((child) => bodyPart(content, child, sections, properties, true));
  }
  return shown;
}

function partProperty(content: MessageContent, part: Part, section: string, property: string): unknown {
  switch (property) {
    case 'partId':
      return section === '' ? null : section;
    case 'blobId':
      return section === '' ? null : partBlobId(content.blobId, section);
    case 'size':
      return partSize(part);
    case 'name':
      return partName(part) ?? null;
    case 'type':
      return `${part.type}/${part.subtype}`;
    case 'charset':
      return partCharset(part);
    case 'disposition':
      return part.disposition?.type ?? null;
    case 'cid':
      return partCid(part);
    case 'language':
      return part.language ?? null;
    case 'location':
      return part.location ?? null;
    case 'subParts':
      // Of a multipart, bodyPart() has them.
      return [];
    case 'headers':
      return headersOf(partHeader(content, part));
    default: {
      const header = parseHeaderProperty(property);
      return header === undefined ? null : headerPropertyValue(header, headerValuesFromRaw(partHeader(content, part), header.name));
    }
  }
}

function partHeader({ raw }: MessageContent, part: Part): Buffer {
  return raw === undefined ? Buffer.alloc(0) : raw.subarray(part.headerStart, part.bodyStart);
}

/** §4.1.4 EmailBodyValue. */
export interface BodyValue {
  readonly value: string;
  readonly isEncodingProblem: boolean;
  readonly isTruncated: boolean;
}

function bodyValues(content: MessageContent, options: BodyOptions): Record<string, BodyValue> {
  const { facts, raw } = content;
  const wanted = new Map<string, Part>();
  const note = (listed: Iterable<ListedPart>) => {
    for (const { section, part } of listed) if (part.type === 'text') wanted.set(section, part);
  };
  if (options.fetchTextBodyValues) note(listedParts(content, 'textBody'));
  if (options.fetchHTMLBodyValues) note(listedParts(content, 'htmlBody'));
  if (options.fetchAllBodyValues) {
    note(Array.from(walkParts(facts.root), ([section, part]) => ({ section, part })).filter(({ part }) => part.children === undefined));
  }
  const values: Record<string, BodyValue> = {};
  for (const [section, part] of wanted) {
    values[section] =
      raw === undefined
        ? { value: '', isEncodingProblem: true, isTruncated: false }
        : bodyValue(readPartText(raw, part), part.subtype === 'html', options.maxBodyValueBytes);
  }
  return values;
}

function bodyValue(part: { text: string; hasProblem: boolean }, isHtml: boolean, bytesMax: number): BodyValue {
  const text = part.text.replaceAll('\r\n', '\n').toWellFormed();
  const isEncodingProblem = part.hasProblem;
  if (bytesMax === 0 || text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) {
    return { value: text, isEncodingProblem, isTruncated: false };
  }
  const bytes = Buffer.from(text);
  let end = bytesMax;
  // Between characters, and not within a tag.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  let value = bytes.toString('utf8', 0, end);
  if (isHtml && value.lastIndexOf('<') > value.lastIndexOf('>')) value = value.slice(0, value.lastIndexOf('<'));
  return { value, isEncodingProblem, isTruncated: true };
}
