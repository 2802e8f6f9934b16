/**
 * All that is derived from a message's bytes before its commit: facts, text, preview. The same function runs in the workers and, for small
 * messages, on the event loop.
 */

import { asBuffer } from '../protocol/mime/bytes.ts';
import { deriveFacts, type MessageFacts } from '../protocol/mime/facts.ts';
import { scanHeader } from '../protocol/mime/header.ts';
import { parseStructure } from '../protocol/mime/structure.ts';
import { extractText } from '../protocol/mime/text-extract.ts';
import { headerBytesMax } from './limits.ts';

export interface ParsedMessage {
  readonly facts: MessageFacts;
  readonly text: string;
  readonly preview: string;
}

/** Never throws; see protocol/mime/limits.ts for its bounds. */
export async function parseMessage(bytes: Uint8Array): Promise<ParsedMessage> {
  const structure = parseStructure(bytes);
  const facts = deriveFacts(bytes, structure);
  const { text, preview } = extractText(bytes, structure.root);
  return { facts, text, preview };
}

/**
 * What can be said of a message that the parser did not survive: its header's facts, and its body as one opaque leaf. So it is listed with
 * sender and subject, and fetched byte for byte.
 */
export function parseMinimally(bytes: Uint8Array): ParsedMessage {
  const buffer = asBuffer(bytes);
  const { bodyStart } = scanHeader(buffer.subarray(0, headerBytesMax));
  const header = deriveFacts(buffer.subarray(0, bodyStart));
  let lines = 0;
  for (let at = buffer.indexOf(10, bodyStart); at >= 0; at = buffer.indexOf(10, at + 1)) lines++;
  const { message: _message, children: _children, decodedOctets: _decodedOctets, ...leaf } = header.root;
  const root = {
    ...leaf,
    type: 'application',
    subtype: 'octet-stream',
    parameters: undefined,
    bodyEnd: bytes.length,
    lines,
    isOpaque: true as const,
  };
  return { facts: { ...header, octets: bytes.length, root, hasAttachment: false }, text: '', preview: '' };
}
