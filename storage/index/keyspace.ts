/**
 * All keys of the index, relative to one account: a letter for the table, then big-endian numbers or bytes, as latin1 strings (kv.ts).
 * The index is disposable, so this layout may change with any version; `layoutVersion` says when an index of an older one is thrown away.
 */
import { isAscii } from '../../protocol/mime/bytes.ts';

export const layoutVersion = 7;

export type TableLetter =
  | 'M' // the account's counters and position
  | 'B' // mailboxes by number
  | 'E' // pages of what can change of 64 emails
  | 'Y' // further memberships of emails that are in several mailboxes
  | 'U' // pages of 128 UIDs of a mailbox
  | 'V' // pages of what those with whom mailboxes are shared have seen of 64 emails
  | 'W' // sets of keywords by number
  | 'F' // facts of an email, its blob, preview and delivery
  | 'H' // kept header of an email: names left out, table of fields, bytes (protocol/mime/kept-header.ts)
  | 'R' // ENVELOPE and BODYSTRUCTURE of an email, ready to send
  | 'X' // extracted text of an email
  | 'T' // emails of a thread
  | 'I' // message ids for threading
  | 'J' // journal: the effect of each mutation, by modSeq
  | 'G' // tombstones of emails (gravestones)
  | 'K' // ingest keys
  | 'O' // objects by type and id
  | 'P' // objects that are listed, by list and time
  | 'D' // seq of the last change of each snapshot part
  | 'S' // search: trigrams
  | 'Q'; // search: how far the trigram index goes

export function u32(number: number): string {
  return String.fromCharCode((number >>> 24) & 255, (number >>> 16) & 255, (number >>> 8) & 255, number & 255);
}

/** Six bytes, big-endian, so that keys sort as numbers do. */
export function u48(number: number): string {
  const high = Math.floor(number / 0x1000000);
  return String.fromCharCode(
    (high >>> 16) & 255,
    (high >>> 8) & 255,
    high & 255,
    (number >>> 16) & 255,
    (number >>> 8) & 255,
    number & 255,
  );
}

/** The reverse of u32, at a place in a key. */
export function readU32(key: string, offset: number): number {
  return (
    ((key.charCodeAt(offset) << 24) |
      (key.charCodeAt(offset + 1) << 16) |
      (key.charCodeAt(offset + 2) << 8) |
      key.charCodeAt(offset + 3)) >>>
    0
  );
}

export function readU48(key: string, offset: number): number {
  return readU32(key, offset) * 0x10000 + ((key.charCodeAt(offset + 4) << 8) | key.charCodeAt(offset + 5));
}

/** Any text as key bytes: UTF-8 in latin1 characters. */
export const keyText = (text: string): string => (isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1'));
export const textOfKey = (key: string): string => Buffer.from(key, 'latin1').toString('utf8');

export const metaKey = 'M';
export const mailboxKey = (mailbox: number): string => `B${u32(mailbox)}`;
export const emailPageKey = (page: number): string => `E${u32(page)}`;
export const moreKey = (email: number): string => `Y${u32(email)}`;
export const uidPageKey = (mailbox: number, page: number): string => `U${u32(mailbox)}${u32(page)}`;
/** `viewer`: an account id, which is ASCII. */
export const seenPageKey = (page: number, viewer: string): string => `V${u32(page)}${viewer}`;
export const seenPagesKey = (page: number): string => `V${u32(page)}`;
export const viewerOfSeenPage = (key: string): string => key.slice(5);
export const keywordSetKey = (set: number): string => `W${u32(set)}`;
export const factsKey = (email: number): string => `F${u32(email)}`;
export const headerKey = (email: number): string => `H${u32(email)}`;
export const wireKey = (email: number): string => `R${u32(email)}`;
export const textKey = (email: number): string => `X${u32(email)}`;
export const threadKey = (thread: number): string => `T${u32(thread)}`;
/** `hash`: 8 bytes of a message id's hash, as latin1. */
export const messageIdKey = (hash: string, email: number): string => `I${hash}${u32(email)}`;
export const journalKey = (modSeq: number): string => `J${u48(modSeq)}`;
export const tombstoneKey = (email: number): string => `G${u32(email)}`;
export const ingestKey = (key: string): string => `K${keyText(key).slice(0, 480)}`;
/** What the keys of all objects of a type begin with. */
export const objectPrefix = (type: string): string => `O${keyText(type)}\0`;
export const objectKey = (type: string, id: string): string => objectPrefix(type) + keyText(id);
export const dirtyKey = (kind: string, range: number): string => `D${kind}\0${u32(range)}`;
