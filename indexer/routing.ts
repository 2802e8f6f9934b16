/**
 * Whom a message is for. The envelope decides where one is known: the receipt's recipients, the address in the object's name, the `for` of a
 * proven SES block. Without an envelope the message's own header is asked, most trustworthy field first, and the first field that names
 * somebody here speaks: topmost `Received … for`, `X-Original-To`, `Delivered-To`, then To and Cc.
 */
import type { AccountId } from '../protocol/mail/ids.ts';
import { isGroup, parseAddresses } from '../protocol/mime/address.ts';
import { asBuffer } from '../protocol/mime/bytes.ts';
import { fieldValue, scanHeader } from '../protocol/mime/header.ts';
import type { Resolution } from '../storage/directory/resolve.ts';
import { headerBytesMax, recipientsMax } from './limits.ts';
import type { SesBlock } from './ses/header-block.ts';

/** What intake needs of the directory. */
export interface RecipientDirectory {
  /** Rejects with StorageError 'unavailable' when it cannot be known now. */
  resolveRecipient(address: string): Promise<Resolution>;
}

export type RouteSource = 'receipt' | 'key' | 'received' | 'xOriginalTo' | 'deliveredTo' | 'toAndCc';

/** Addresses as they were written. An envelope's are all recipients; of a header's list only those that exist here. */
export interface RouteCandidates {
  readonly source: RouteSource;
  readonly isEnvelope: boolean;
  readonly addresses: readonly string[];
}

export interface Route {
  readonly source: RouteSource | undefined;
  /** Accounts that get the message, each once, with the first address that led there. */
  readonly targets: ReadonlyMap<AccountId, string>;
  /** Addresses it is for that lead nowhere. */
  readonly unknown: readonly string[];
}

export interface RouteEvidence {
  readonly receiptRecipients?: readonly string[];
  /** `<address>` of `inbound/<address>/<name>`. */
  readonly keyAddress?: string;
  readonly block?: SesBlock;
}

/** Where recipients may be found, in order of precedence; sources that name nobody are left out. */
export function routeCandidates(message: Uint8Array, evidence: RouteEvidence): readonly RouteCandidates[] {
  const { receiptRecipients, keyAddress, block } = evidence;
  if (receiptRecipients !== undefined && receiptRecipients.length > 0) return [envelope('receipt', receiptRecipients)];
  if (keyAddress !== undefined) return [envelope('key', [keyAddress])];
  if (block?.isProven && block.recipient !== undefined) return [envelope('received', [block.recipient])];
  const buffer = asBuffer(message).subarray(0, headerBytesMax);
  const { fields } = scanHeader(buffer);
  const first = (name: string) => {
    const field = fields.find((candidate) => candidate.name === name);
    return field && fieldValue(buffer, field);
  };
  const addressees = fields
    .filter((field) => field.name === 'to' || field.name === 'cc')
    .flatMap((field) => addressesIn(fieldValue(buffer, field)));
  const candidates: readonly (readonly [RouteSource, readonly string[]])[] = [
    ['received', forClause(first('received'))],
    ['xOriginalTo', addressesIn(first('x-original-to'))],
    ['deliveredTo', addressesIn(first('delivered-to'))],
    ['toAndCc', addressees],
  ];
  return candidates
    .filter(([, addresses]) => addresses.length > 0)
    .map(([source, addresses]) => ({ source, isEnvelope: false, addresses: unique(addresses) }));
}

/** Looks the candidates up. Rejects with StorageError 'unavailable' when the directory cannot say. */
export async function route(directory: RecipientDirectory, candidates: readonly RouteCandidates[]): Promise<Route> {
  let nobody: Route | undefined;
  for (const { source, isEnvelope, addresses } of candidates) {
    // A header's list is the sender's to fill; an envelope is bounded by its event, and whoever stands in it is meant.
    const resolved = await resolveAll(directory, isEnvelope ? addresses : addresses.slice(0, recipientsMax));
    if (resolved.targets.size > 0) return { source, targets: resolved.targets, unknown: isEnvelope ? resolved.unknown : [] };
    nobody ??= { source, ...resolved };
  }
  return nobody ?? { source: undefined, targets: new Map(), unknown: [] };
}

/** One look-up at a time would let the directory look for news once for each unknown address; together they share one look. */
async function resolveAll(directory: RecipientDirectory, addresses: readonly string[]): Promise<Pick<Route, 'targets' | 'unknown'>> {
  const targets = new Map<AccountId, string>();
  const unknown: string[] = [];
  for (let at = 0; at < addresses.length; at += recipientsMax) {
    const wanted = addresses.slice(at, at + recipientsMax);
    const resolutions = await Promise.all(wanted.map((address) => directory.resolveRecipient(address)));
    for (const [index, resolution] of resolutions.entries()) {
      const address = wanted[index]!;
      if (resolution.kind === 'unknown') unknown.push(address);
      else for (const account of resolution.accounts) if (!targets.has(account)) targets.set(account, address);
    }
  }
  return { targets, unknown };
}

/** RFC 5321 §4.4: `for` and a path stand before the date. Comments may hold anything the client said, so they go first. */
function forClause(received: string | undefined): readonly string[] {
  if (received === undefined) return [];
  const [stamp = ''] = withoutComments(received).split(';', 1);
  const [, path] = /\sfor\s+(<[^<>\s]+>|[^<>\s;]+)/i.exec(stamp) ?? [];
  return path?.includes('@') ? [utf8(path.replace(/^<|>$/g, ''))] : [];
}

/** Linear: nested comments (RFC 5322 §3.2.2) are counted, not matched. */
function withoutComments(value: string): string {
  let text = '';
  let depth = 0;
  for (let i = 0; i < value.length; i++) {
    const character = value[i]!;
    if (character === '\\') i++;
    else if (character === '(') depth++;
    else if (character === ')' && depth > 0) depth--;
    else if (depth === 0) text += character;
  }
  return text;
}

function addressesIn(value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  return parseAddresses(value, recipientsMax)
    .flatMap((address) => (isGroup(address) ? address.members : [address]))
    .filter((address) => address.host !== '')
    .map((address) => utf8(`${address.mailbox}@${address.host}`));
}

/** Header values are strings of bytes; addresses of RFC 6532 are UTF-8 in them. */
const utf8 = (bytes: string) => (/[\x80-\xff]/.test(bytes) ? Buffer.from(bytes, 'latin1').toString('utf8') : bytes);
const unique = (addresses: readonly string[]) => [...new Set(addresses)];
const envelope = (source: RouteSource, addresses: readonly string[]): RouteCandidates => ({
  source,
  isEnvelope: true,
  addresses: unique(addresses),
});
