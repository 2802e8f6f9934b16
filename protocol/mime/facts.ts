/**
 * The facts of a message: all that lists, searches and IMAP's metadata fetches need, derived once from its bytes and carried by the log. Plain JSON, bounded
 * (limits.ts), immutable: the index is rebuilt from facts alone, so every encoder takes them.
 */

import { hasAttachment } from './body-lists.ts';
import { formatBodyStructure } from './body-structure.ts';
import { asBuffer } from './bytes.ts';
import { parseDate } from './date.ts';
import { decodeWords } from './encoded-word.ts';
import { type Envelope, formatEnvelope, type InterpretationBudget, readEnvelope, readValue } from './envelope.ts';
import { deriveHeaderFacts, type HeaderFacts } from './header-facts.ts';
import { interpretedBytesMax, referencesMax } from './limits.ts';
import { parseMessageIds } from './message-id.ts';
import { type MessageStructure, type Part, parseStructure } from './structure.ts';

export interface MessageFacts extends HeaderFacts {
  /** Bytes of the raw message. */
  octets: number;
  /** As IMAP shows it: raw values. JMAP's from, to … decode them with toEmailAddress. */
  envelope: Envelope;
  /** The Date field, ms since 1970 UTC; absent where there is none that can be read. */
  sentAt?: number;
  /** Minutes east of UTC in the Date field; absent where 0. */
  sentAtOffset?: number;
  /** Decoded, NFC, on one line; '' where there is none. */
  subject: string;
  /** Ids without brackets of Message-ID (usually one), In-Reply-To and References (the first and the newest). */
  messageIds: string[];
  inReplyTo: string[];
  references: string[];
  /** The part tree, nested messages included. The root is the message. */
  root: Part;
  hasAttachment: boolean;
}

/** Never throws. `structure` is parseStructure's of the same bytes. */
export function deriveFacts(raw: Uint8Array, structure: MessageStructure = parseStructure(raw)): MessageFacts {
  const buffer = asBuffer(raw);
  const { root, header } = structure;
  const budget: InterpretationBudget = { bytesLeft: interpretedBytesMax };
  const envelope = readEnvelope(buffer, header.fields, budget);
  const sent = envelope.date === undefined ? null : parseDate(envelope.date);
  const references = parseMessageIds(readValue(buffer, header.fields, 'references', budget) ?? '');
  return {
    octets: raw.length,
    envelope,
    ...(sent === null ? {} : { sentAt: sent.ms }),
    ...(sent === null || sent.offsetMinutes === 0 ? {} : { sentAtOffset: sent.offsetMinutes }),
    subject: decodeWords(envelope.subject ?? '')
      .replace(/[\s\0]+/g, ' ')
      .trim()
      .normalize('NFC'),
    messageIds: parseMessageIds(envelope.messageId ?? ''),
    inReplyTo: parseMessageIds(envelope.inReplyTo ?? ''),
    references: references.length > referencesMax ? [references[0]!, ...references.slice(1 - referencesMax)] : references,
    root,
    hasAttachment: hasAttachment(root),
    ...deriveHeaderFacts(buffer, header.fields, header.isCut, root.bodyStart),
  };
}

/** ENVELOPE's value (RFC 3501 §7.4.2), ASCII. */
export function encodeEnvelope(facts: Pick<MessageFacts, 'envelope'>): Uint8Array {
  return Buffer.from(formatEnvelope(facts.envelope), 'latin1');
}

/** BODYSTRUCTURE's value, extension data included, ASCII. */
export function encodeBodyStructure(facts: Pick<MessageFacts, 'root'>): Uint8Array {
  return Buffer.from(formatBodyStructure(facts.root, true), 'latin1');
}

/** BODY's value, without extension data, ASCII. */
export function encodeBody(facts: Pick<MessageFacts, 'root'>): Uint8Array {
  return Buffer.from(formatBodyStructure(facts.root, false), 'latin1');
}
