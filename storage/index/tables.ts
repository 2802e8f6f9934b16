/**
 * The index's tables: how each value is kept. `isCached` tables stay in memory, decoded, while the account is open; they hold what every
 * command needs (counters, mailboxes, flags, UIDs). Values are never changed in place: `clone` gives the copy that a layer may write.
 */
import type { ModSeq } from '../../protocol/mail/ids.ts';
import type { MessageFacts } from '../../protocol/mime/facts.ts';
import type { Effect, Mailbox } from '../account/api.ts';
import type { BlobRef, DeliveryFacts } from '../log/record.ts';
import { EmailPage } from './email-page.ts';
import type { TableLetter } from './keyspace.ts';
import { SeenPage } from './seen-page.ts';
import { UidPage } from './uid-page.ts';

export interface Table<V> {
  readonly letter: TableLetter;
  readonly isCached: boolean;
  encode(value: V): Uint8Array;
  decode(bytes: Buffer): V;
  clone(value: V): V;
}

/** The account's counters and the position of its index. */
export interface Meta {
  layout: number;
  seq: number;
  hash: string;
  /** Time of the last commit; never goes back. */
  at: number;
  modSeq: number;
  nextMailbox: number;
  nextEmail: number;
  nextThread: number;
  /** Last UIDVALIDITY given: it only rises, also after a mailbox is gone. */
  uidValidity: number;
  /** Effects up to this modSeq are no longer kept. */
  journalFloor: number;
  isClosed: boolean;
  /** Somebody with whom a mailbox is shared has a \Seen of their own. */
  hasViewers?: boolean;
}

export const emptyMeta: Readonly<Meta> = {
  layout: 1,
  seq: 0,
  hash: '',
  at: 0,
  modSeq: 0,
  nextMailbox: 1,
  nextEmail: 1,
  nextThread: 1,
  uidValidity: 0,
  journalFloor: 0,
  isClosed: false,
};

export type MutableMailbox = { -readonly [K in keyof Mailbox]: Mailbox[K] };

/** Facts as kept: the header bytes are a row of their own. */
export interface FactsRow {
  readonly facts: Omit<MessageFacts, 'header'>;
  readonly blob: BlobRef;
  readonly preview: string;
  readonly delivery?: DeliveryFacts;
}

/** The wire row's first octets say how long its envelope is. */
export const wireEnvelopeStart = 4;

export interface WireRow {
  readonly envelope: Buffer;
  readonly bodyStructure: Buffer;
}

export interface JournalRow extends Effect {
  /** Ingest keys of this mutation, to be forgotten with it. */
  readonly ingest?: readonly string[];
}

export interface TombstoneRow {
  readonly blob: BlobRef;
  readonly modSeq: ModSeq;
}

export interface IngestRow {
  readonly email: number | null;
  readonly modSeq: number;
}

export interface ObjectRow {
  readonly value: unknown;
  readonly createdModSeq: ModSeq;
  readonly modSeq: ModSeq;
}

export interface MessageIdRow {
  readonly thread: number;
  readonly subjectHash: number;
}

function json<V>(letter: TableLetter, isCached = false): Table<V> {
  return {
    letter,
    isCached,
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(bytes.toString('utf8')) as V,
    clone: (value) => structuredClone(value),
  };
}

const bytesOfPage = { encode: (page: { bytes: Uint8Array }) => page.bytes };

export const tables = {
  meta: { ...json<Meta>('M', true), clone: (meta: Meta) => ({ ...meta }) },
  mailboxes: { ...json<MutableMailbox>('B', true), clone: (mailbox: MutableMailbox) => ({ ...mailbox }) },
  emailPages: {
    letter: 'E',
    isCached: true,
    ...bytesOfPage,
    decode: (bytes) => EmailPage.from(bytes),
    clone: (page) => page.clone(),
  } as Table<EmailPage>,
  uidPages: {
    letter: 'U',
    isCached: true,
    ...bytesOfPage,
    decode: (bytes) => UidPage.from(bytes),
    clone: (page) => page.clone(),
  } as Table<UidPage>,
  seenPages: {
    letter: 'V',
    isCached: true,
    ...bytesOfPage,
    decode: (bytes) => SeenPage.from(bytes),
    clone: (page) => page.clone(),
  } as Table<SeenPage>,
  more: json<{ mailbox: number; uid: number }[]>('Y'),
  keywordSets: json<string[]>('W'),
  facts: json<FactsRow>('F'),
  headers: raw('H'),
  wire: {
    letter: 'R',
    isCached: false,
    encode: ({ envelope, bodyStructure }) => {
      const bytes = Buffer.allocUnsafe(wireEnvelopeStart + envelope.length + bodyStructure.length);
      bytes.writeUInt32LE(envelope.length, 0);
      bytes.set(envelope, wireEnvelopeStart);
      bytes.set(bodyStructure, wireEnvelopeStart + envelope.length);
      return bytes;
    },
    decode: (bytes) => {
      const split = wireEnvelopeStart + bytes.readUInt32LE(0);
      return { envelope: bytes.subarray(wireEnvelopeStart, split), bodyStructure: bytes.subarray(split) };
    },
    clone: (row) => row,
  } as Table<WireRow>,
  texts: raw('X'),
  threads: { ...json<number[]>('T'), clone: (members: number[]) => [...members] },
  messageIds: {
    letter: 'I',
    isCached: false,
    encode: ({ thread, subjectHash }) => {
      const bytes = Buffer.allocUnsafe(8);
      bytes.writeUInt32LE(thread, 0);
      bytes.writeUInt32LE(subjectHash, 4);
      return bytes;
    },
    decode: (bytes) => ({ thread: bytes.readUInt32LE(0), subjectHash: bytes.readUInt32LE(4) }),
    clone: (row) => row,
  } as Table<MessageIdRow>,
  journal: json<JournalRow>('J'),
  tombstones: json<TombstoneRow>('G'),
  ingest: json<IngestRow>('K'),
  objects: json<ObjectRow>('O'),
  listed: json<1>('P'),
  dirty: json<number>('D'),
} as const;

function raw(letter: TableLetter): Table<Buffer> {
  return { letter, isCached: false, encode: (bytes) => bytes, decode: (bytes) => bytes, clone: (bytes) => Buffer.from(bytes) };
}
