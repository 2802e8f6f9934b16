/**
 * Substring search: for each block of 1,024 emails, which of them hold which trigram of case-folded text, in two fields (extracted text, kept header
 * values). A query intersects the trigrams of its needle and gets a superset of the emails that hold it; hits are verified against the text.
 *
 * Blocks are built in the background from rows that are there already, whole blocks only: what came after the last one is always a candidate.
 * They are the index's own: not in the log, not in snapshots. Emails that are gone since leave bits behind that no reader asks for.
 */
import type { EmailNumber } from '../../protocol/mail/ids.ts';
import { isTraceName } from '../../protocol/mime/header-facts.ts';
import { KeptHeader } from '../../protocol/mime/kept-header.ts';
import { foldForSearch, searchableHeader } from '../../protocol/mime/substring.ts';
import type { CandidateSet, SearchField } from '../account/api.ts';
import { headerKey, textKey, u32 } from './keyspace.ts';
import type { Kv, KvWrite } from './kv.ts';
import { Postings } from './postings.ts';

const blockSize = 1024;
const bytesOfBitmap = blockSize / 8;
/** A list of 16-bit numbers is shorter than the bitmap below this many emails. */
const listedMax = bytesOfBitmap / 2;

const fieldLetters = { text: 't', header: 'h' } as const;
const progressKey = 'Q';
/** In the place of a trigram: emails whose kept header leaves out a field that is no trace field. */
const alwaysCandidate = 0x1000000;

/** 24 bits of three UTF-16 units: exact for ASCII, a hash for others (a collision only widens the superset). */
function trigramAt(text: string, at: number): number {
  const a = text.charCodeAt(at);
  const b = text.charCodeAt(at + 1);
  const c = text.charCodeAt(at + 2);
  if ((a | b | c) < 128) return (a << 14) | (b << 7) | c;
  return 0x800000 | (Math.imul(Math.imul(Math.imul(a, 31) + b, 31) + c, 0x9e3779b1) >>> 9);
}

/** The block comes first: a new one is written in key order behind all others, which dirties and frees the fewest pages of the map. */
const trigramKey = (field: SearchField, trigram: number, block: number): string => `S${u32(block)}${fieldLetters[field]}${u32(trigram)}`;

/** Number of the first block that is not built. */
function firstOpenBlock(kv: Pick<Kv, 'get'>): number {
  return kv.get(progressKey)?.readUInt32LE(0) ?? 0;
}

/** How many blocks are full and not built. */
export function blocksDue(kv: Pick<Kv, 'get'>, nextEmail: number): number {
  return Math.max(0, Math.floor(nextEmail / blockSize) - firstOpenBlock(kv));
}

/** Builds the next block. A generator so that the caller can give the event loop a turn at each yield. */
export function* buildBlock(kv: Kv): Generator<void> {
  const block = firstOpenBlock(kv);
  const kept = new KeptHeader();
  const postings = { text: new Postings(), header: new Postings() };
  for (let slot = 0; slot < blockSize; slot += 1) {
    const email = block * blockSize + slot;
    const text = kv.get(textKey(email));
    if (text !== undefined) noteTrigrams(postings.text, text.toString('utf8'));
    const header = kv.get(headerKey(email));
    if (header !== undefined) {
      kept.load(header);
      noteTrigrams(postings.header, searchableHeader(kept.text));
      if (kept.omitted.some((name) => name === '*' || !isTraceName(name))) postings.header.note(alwaysCandidate);
    }
    postings.text.endSlot(slot);
    postings.header.endSlot(slot);
    if (slot % 16 === 15) yield;
  }
  let batch: KvWrite[] = [];
  for (const field of ['header', 'text'] as const) {
    const trigrams = postings[field].sortedTerms();
    yield;
    for (const trigram of trigrams) {
      batch.push([trigramKey(field, trigram, block), encodePostings(postings[field].slotsOf(trigram))]);
      if (batch.length === 1000) {
        kv.write(batch);
        batch = [];
        yield;
      }
    }
  }
  const progress = Buffer.alloc(4);
  progress.writeUInt32LE(block + 1, 0);
  kv.write([...batch, [progressKey, progress]]);
}

function noteTrigrams(postings: Postings, text: string): void {
  const folded = foldForSearch(text);
  for (let at = 0; at + 3 <= folded.length; at += 1) postings.note(trigramAt(folded, at));
}

function encodePostings(slots: readonly number[]): Uint8Array {
  if (slots.length < listedMax) return new Uint8Array(Uint16Array.from(slots).buffer);
  const bitmap = new Uint8Array(bytesOfBitmap);
  for (const slot of slots) bitmap[slot >> 3]! |= 1 << (slot & 7);
  return bitmap;
}

/** As a bitmap of the caller's own. */
function postingsOf(kv: Kv, key: string): Uint8Array | undefined {
  const row = { bytes: Buffer.alloc(bytesOfBitmap) };
  const length = kv.readInto(key, row);
  if (length < 0) return undefined;
  if (length === bytesOfBitmap) return row.bytes;
  const bitmap = new Uint8Array(bytesOfBitmap);
  for (let at = 0; at < length; at += 2) {
    const slot = row.bytes.readUInt16LE(at);
    bitmap[slot >> 3]! |= 1 << (slot & 7);
  }
  return bitmap;
}

/** undefined when the needle has no trigram. */
export function searchCandidates(kv: Kv, needle: string, field: SearchField): CandidateSet | undefined {
  const folded = foldForSearch(needle);
  const trigrams = new Set<number>();
  for (let at = 0; at + 3 <= folded.length; at += 1) trigrams.add(trigramAt(folded, at));
  if (trigrams.size === 0) return undefined;
  const open = firstOpenBlock(kv);
  const blocks: (Uint8Array | undefined)[] = [];
  for (let block = 0; block < open; block += 1) {
    let bits: Uint8Array | undefined;
    for (const trigram of trigrams) {
      const row = postingsOf(kv, trigramKey(field, trigram, block));
      bits = row === undefined ? undefined : bits === undefined ? row : intersection(bits, row);
      if (bits === undefined) break;
    }
    const always = field === 'header' ? postingsOf(kv, trigramKey(field, alwaysCandidate, block)) : undefined;
    if (always !== undefined) bits = union(bits, always);
    blocks.push(bits);
  }
  return {
    has(email: EmailNumber): boolean {
      const block = Math.floor(email / blockSize);
      if (block >= open) return true;
      const bits = blocks[block];
      const slot = email % blockSize;
      return bits !== undefined && (bits[slot >> 3]! & (1 << (slot & 7))) !== 0;
    },
  };
}

/** undefined when nothing is left. */
function intersection(bits: Uint8Array, other: Uint8Array): Uint8Array | undefined {
  let any = 0;
  for (let at = 0; at < bytesOfBitmap; at += 1) any |= bits[at]! &= other[at]!;
  return any === 0 ? undefined : bits;
}

function union(bits: Uint8Array | undefined, other: Uint8Array): Uint8Array {
  return bits === undefined ? other : bits.map((byte, at) => byte | other[at]!);
}
