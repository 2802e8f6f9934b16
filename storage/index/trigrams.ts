/**
 * Substring search: for each block of 1,024 emails, which of them hold which trigram of case-folded text, in two fields (extracted text, kept header
 * values). A query intersects the trigrams of its needle and gets a superset of the emails that hold it; hits are verified against the text.
 *
 * Blocks are built in the background from rows that are there already, whole blocks only: what came after the last one is always a candidate.
 * They are the index's own: not in the log, not in snapshots. Emails that are gone since leave bits behind that no reader asks for.
 */
import type { EmailNumber } from '../../protocol/mail/ids.ts';
import { decodeWords } from '../../protocol/mime/encoded-word.ts';
import { unfold } from '../../protocol/mime/header.ts';
import type { CandidateSet, SearchField } from '../account/api.ts';
import { headerKey, textKey, u32 } from './keyspace.ts';
import { endOf, type Kv, type KvWrite } from './kv.ts';

const blockSize = 1024;
const bytesOfBitmap = blockSize / 8;
/** A list of 16-bit numbers is shorter than the bitmap below this many emails. */
const listedMax = bytesOfBitmap / 2;

const fieldLetters = { text: 't', header: 'h' } as const;
const progressKey = 'Q';

/** Case folding for search, on both sides alike. Simple lower-casing of NFC text, so that a folded needle is a substring of the folded text. */
export function foldForSearch(text: string): string {
  return text.normalize('NFC').toLowerCase();
}

/** The searchable text of kept header bytes: decoded values, one a line. */
export function headerSearchText(header: string): string {
  return decodeWords(unfold(header.replace(/\r?\n(?![ \t])/g, '\n').replace(/\n[ \t]/g, ' ')));
}

/** 24 bits of three UTF-16 units: exact for ASCII, a hash for others (a collision only widens the superset). */
function trigramAt(text: string, at: number): number {
  const a = text.charCodeAt(at);
  const b = text.charCodeAt(at + 1);
  const c = text.charCodeAt(at + 2);
  if ((a | b | c) < 128) return (a << 14) | (b << 7) | c;
  return 0x800000 | (Math.imul(Math.imul(Math.imul(a, 31) + b, 31) + c, 0x9e3779b1) >>> 9);
}

const trigramKey = (field: SearchField, trigram: number, block: number): string => `S${fieldLetters[field]}${u32(trigram)}${u32(block)}`;

/** Number of the first block that is not built. */
export function firstOpenBlock(kv: Pick<Kv, 'get'>): number {
  return kv.get(progressKey)?.readUInt32LE(0) ?? 0;
}

/** Whether block `open` is full: the account's next email number is past its end. */
export function isBlockDue(kv: Pick<Kv, 'get'>, nextEmail: number): boolean {
  return (firstOpenBlock(kv) + 1) * blockSize <= nextEmail;
}

/** Builds the next block. A generator so that the caller can give the event loop a turn at each yield. */
export function* buildBlock(kv: Kv): Generator<void> {
  const block = firstOpenBlock(kv);
  const postings = { text: new Map<number, number[]>(), header: new Map<number, number[]>() };
  for (let slot = 0; slot < blockSize; slot += 1) {
    const email = block * blockSize + slot;
    const text = kv.get(textKey(email));
    if (text !== undefined) addTrigrams(postings.text, slot, text.toString('utf8'));
    const header = kv.get(headerKey(email));
    if (header !== undefined) addTrigrams(postings.header, slot, headerSearchText(header.toString('latin1')));
    if (slot % 16 === 15) yield;
  }
  let batch: KvWrite[] = [];
  for (const field of ['text', 'header'] as const) {
    for (const [trigram, slots] of postings[field]) {
      batch.push([trigramKey(field, trigram, block), encodePostings(slots)]);
      if (batch.length === 2000) {
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

function addTrigrams(postings: Map<number, number[]>, slot: number, text: string): void {
  const folded = foldForSearch(text);
  for (let at = 0; at + 3 <= folded.length; at += 1) {
    const trigram = trigramAt(folded, at);
    const slots = postings.get(trigram);
    if (slots === undefined) postings.set(trigram, [slot]);
    else if (slots[slots.length - 1] !== slot) slots.push(slot);
  }
}

function encodePostings(slots: readonly number[]): Uint8Array {
  if (slots.length < listedMax) return new Uint8Array(Uint16Array.from(slots).buffer);
  const bitmap = new Uint8Array(bytesOfBitmap);
  for (const slot of slots) bitmap[slot >> 3]! |= 1 << (slot & 7);
  return bitmap;
}

function toBitmap(postings: Buffer): Uint8Array {
  if (postings.length === bytesOfBitmap) return postings;
  const bitmap = new Uint8Array(bytesOfBitmap);
  for (let at = 0; at < postings.length; at += 2) {
    const slot = postings.readUInt16LE(at);
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
  let blocks: Map<number, Uint8Array> | undefined;
  for (const trigram of trigrams) {
    const prefix = `S${fieldLetters[field]}${u32(trigram)}`;
    const found = new Map<number, Uint8Array>();
    for (const { key, value } of kv.range(prefix, endOf(prefix))) {
      const block = Buffer.from(key, 'latin1').readUInt32BE(key.length - 4);
      const bits = toBitmap(value);
      const before = blocks?.get(block);
      if (blocks === undefined) found.set(block, bits);
      else if (before !== undefined) found.set(block, and(before, bits));
    }
    blocks = found;
    if (blocks.size === 0) break;
  }
  return {
    has(email: EmailNumber): boolean {
      const block = Math.floor(email / blockSize);
      if (block >= open) return true;
      const bits = blocks?.get(block);
      const slot = email % blockSize;
      return bits !== undefined && (bits[slot >> 3]! & (1 << (slot & 7))) !== 0;
    },
  };
}

function and(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, at) => byte & b[at]!);
}
