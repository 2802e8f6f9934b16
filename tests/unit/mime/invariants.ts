/** What holds for the structure and facts of any bytes. Throws with the reason where it does not. */
import { expect } from 'vitest';
import { deriveFacts, encodeBody, encodeBodyStructure, encodeEnvelope } from '../../../protocol/mime/facts.ts';
import { headerFieldsFromRaw, scanHeader } from '../../../protocol/mime/header.ts';
import { headerFieldsFromFacts } from '../../../protocol/mime/header-facts.ts';
import { partDepthMax, partsMax } from '../../../protocol/mime/limits.ts';
import { findPart, parseSection, sectionRange, walkParts } from '../../../protocol/mime/sections.ts';
import { type Part, parseStructure } from '../../../protocol/mime/structure.ts';
import { decodedLength, decodeTransfer } from '../../../protocol/mime/transfer-encoding.ts';
import { readBody, readEnvelope } from './imap-grammar.ts';

export function checkMessage(raw: Uint8Array): void {
  const structure = parseStructure(raw);
  const { root } = structure;
  if (root.headerStart !== 0 || root.bodyEnd !== raw.length)
    throw new Error(`the root is [${root.headerStart}, ${root.bodyEnd}) of ${raw.length}`);
  const count = checkPart(Buffer.from(raw), root, 0);
  if (count > partsMax + partDepthMax) throw new Error(`${count} parts`);
  checkHeaderTiles(raw, root.bodyStart);
  checkSections(root);

  const facts = deriveFacts(raw, structure);
  const stored = JSON.parse(JSON.stringify(facts)) as typeof facts;
  expect(stored).toEqual(facts);
  readEnvelope(encodeEnvelope(stored));
  const isSame = readBody(encodeBodyStructure(stored), true).octets === readBody(encodeBody(stored), false).octets;
  if (!isSame) throw new Error('BODY and BODYSTRUCTURE differ');
  checkHeaderFacts(raw.subarray(0, root.bodyStart), facts);
}

function checkPart(raw: Buffer, part: Part, depth: number): number {
  const { headerStart, bodyStart, bodyEnd } = part;
  if (!(headerStart <= bodyStart && bodyStart <= bodyEnd)) throw new Error(`part [${headerStart}, ${bodyStart}, ${bodyEnd})`);
  if (depth > partDepthMax) throw new Error(`depth ${depth}`);
  let lines = 0;
  for (let i = bodyStart; i < bodyEnd; i++) if (raw[i] === 10) lines++;
  if (lines !== part.lines) throw new Error(`${part.lines} lines, counted ${lines}`);
  const inner = part.message === undefined ? (part.children ?? []) : [part.message.root];
  if (part.type === 'multipart' && inner.length === 0) throw new Error('a multipart without parts');
  if (part.children === undefined) {
    const body = raw.subarray(bodyStart, bodyEnd);
    const size = decodeTransfer(body, part.encoding).length;
    if (size !== (part.decodedOctets ?? bodyEnd - bodyStart) || size !== decodedLength(body, part.encoding))
      throw new Error('decoded size');
  }
  let end = bodyStart;
  let count = 1;
  for (const child of inner) {
    if (child.headerStart < end || child.bodyEnd > bodyEnd)
      throw new Error(`child [${child.headerStart}, ${child.bodyEnd}) in [${end}, ${bodyEnd})`);
    count += checkPart(raw, child, depth + 1);
    end = child.bodyEnd;
  }
  return count;
}

function checkHeaderTiles(raw: Uint8Array, bodyStart: number): void {
  const { fields, fieldsEnd, bodyStart: scanned } = scanHeader(Buffer.from(raw), 0, Number.POSITIVE_INFINITY);
  let end = 0;
  for (const field of fields) {
    if (field.start !== end || field.valueStart < field.start || field.end < field.valueStart)
      throw new Error('fields do not tile the header');
    end = field.end;
  }
  if (end !== fieldsEnd || scanned !== bodyStart) throw new Error('the header ends elsewhere');
}

function checkSections(root: Part): void {
  for (const [section, part] of walkParts(root, true)) {
    const numbers = parseSection(section);
    if (numbers === undefined || findPart(root, numbers) !== part) throw new Error(`section ${section} is not its part`);
    const range = sectionRange(root, numbers, numbers.length === 0 ? 'TEXT' : undefined);
    if (range?.start !== part.bodyStart || range.end !== part.bodyEnd) throw new Error(`range of ${section}`);
  }
}

const questions: [string[], boolean][] = [
  [
    [
      'From',
      'To',
      'Cc',
      'Bcc',
      'Subject',
      'Date',
      'Message-ID',
      'Priority',
      'X-Priority',
      'References',
      'Newsgroups',
      'In-Reply-To',
      'Content-Type',
      'Reply-To',
    ],
    false,
  ],
  [['received', 'dkim-signature'], false],
  [['X-Not-There'], false],
  [['Received', 'DKIM-Signature', 'Authentication-Results', 'X-Google-Smtp-Source'], true],
  [['Subject'], true],
];

/** The facts answer as the bytes do, or not at all. Returns how many questions they answered. */
export function checkHeaderFacts(header: Uint8Array, facts: Parameters<typeof headerFieldsFromFacts>[0]): number {
  let answered = 0;
  for (const [names, not] of questions) {
    const fromFacts = headerFieldsFromFacts(facts, names, not);
    if (fromFacts === undefined) continue;
    answered++;
    const fromRaw = headerFieldsFromRaw(header, names, not);
    if (Buffer.compare(fromFacts, fromRaw) !== 0) throw new Error(`HEADER.FIELDS${not ? '.NOT' : ''} (${names.join(' ')}) differs`);
  }
  return answered;
}
