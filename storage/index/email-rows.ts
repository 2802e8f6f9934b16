/** The rows of an email that never change: facts, kept header bytes, wire forms, extracted text, message ids for threading. */
import { baseSubject } from '../../protocol/mime/base-subject.ts';
import { encodeBodyStructure, encodeEnvelope, type MessageFacts } from '../../protocol/mime/facts.ts';
import { encodeKeptHeader, KeptHeader } from '../../protocol/mime/kept-header.ts';
import { fingerprint } from './fingerprint.ts';
import { factsKey, headerKey, messageIdKey, textKey, u32, wireKey } from './keyspace.ts';
import { type FactsRow, tables } from './tables.ts';
import type { View } from './view.ts';

/** Message ids of one message that threads are found by: its own, and of its references the first and the newest. */
const threadIdsMax = 24;

/** Writes what is kept of an email beside its page: facts, header, IMAP's ready bytes, text, and rows by which its thread is found. */
export function putDerivedRows(
  view: View,
  email: number,
  thread: number,
  row: FactsRow & { readonly facts: MessageFacts },
  text: string,
): void {
  const { header, ...facts } = row.facts;
  view.put(tables.facts, factsKey(email), { facts, blob: row.blob, preview: row.preview, delivery: row.delivery });
  view.put(tables.headers, headerKey(email), encodeKeptHeader(header, facts.headerOmitted));
  view.put(tables.wire, wireKey(email), { envelope: asBuffer(encodeEnvelope(facts)), bodyStructure: asBuffer(encodeBodyStructure(facts)) });
  if (text !== '') view.put(tables.texts, textKey(email), Buffer.from(text, 'utf8'));
  const { hashes, subjectHash } = threadKeysOf(row.facts);
  for (const hash of hashes) view.put(tables.messageIds, messageIdKey(hash, email), { thread, subjectHash });
}

/** `facts.header` as it was put. */
export function headerOf(view: View, email: number): string {
  const row = view.get(tables.headers, headerKey(email));
  return row === undefined ? '' : new KeptHeader().load(row).text;
}

/** The reverse. `facts` are those that it was put with. */
export function removeDerivedRows(view: View, email: number, facts: ThreadFacts): void {
  view.remove(tables.facts, factsKey(email));
  view.remove(tables.headers, headerKey(email));
  view.remove(tables.wire, wireKey(email));
  view.remove(tables.texts, textKey(email));
  for (const hash of threadKeysOf(facts).hashes) view.remove(tables.messageIds, messageIdKey(hash, email));
}

export type ThreadFacts = Pick<MessageFacts, 'messageIds' | 'inReplyTo' | 'references' | 'subject'>;

/** What a message's thread is found by. */
export interface ThreadKeys {
  readonly hashes: readonly string[];
  readonly subjectHash: number;
}

/** Both are asked for in a delivery: to look for the message's thread, and to write the rows by which others find it. They go with the facts. */
const keysMade = new WeakMap<ThreadFacts, ThreadKeys>();

export function threadKeysOf(facts: ThreadFacts): ThreadKeys {
  let keys = keysMade.get(facts);
  if (keys === undefined) keysMade.set(facts, (keys = { hashes: threadHashes(facts), subjectHash: hashOfSubject(facts.subject) }));
  return keys;
}

/** Seed of the second half of a message id's hash. */
const secondSeed = 0x9747b28c;

/**
 * 8-byte hashes of the message ids that tie a message to a thread (RFC 8621 §3). Whoever makes two collide, and gives his message the thread's subject,
 * joins a thread that his References would have let him join.
 */
function threadHashes({ messageIds, inReplyTo, references }: ThreadFacts): readonly string[] {
  let ids = new Set([...messageIds.slice(0, 2), ...inReplyTo.slice(0, 4), ...references]);
  if (ids.size > threadIdsMax)
    ids = new Set([...messageIds.slice(0, 2), ...inReplyTo.slice(0, 4), ...references.slice(0, 1), ...references.slice(6 - threadIdsMax)]);
  return [...ids].map((id) => u32(fingerprint(id)) + u32(fingerprint(id, secondSeed)));
}

/** RFC 8621 §3: messages of one thread also share the subject, reply and forward marks apart. */
function hashOfSubject(subject: string): number {
  return fingerprint(baseSubject(subject).toLowerCase());
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
