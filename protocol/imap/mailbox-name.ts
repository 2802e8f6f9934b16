/**
 * Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 where the client enabled it. Inside they are Unicode in NFC, levels
 * apart by "/".
 */
import { ProtocolError } from '../mail/errors.ts';
import type { Scanner } from './wire/scanner.ts';

export const hierarchyDelimiter = '/';

/** RFC 2342: what others share is below this name, the owner's address and the name that it has for him. */
export const otherUsersPrefix = 'Other Users';

/** mailbox = "INBOX" / astring, as Unicode. */
export function decodeMailbox(scanner: Scanner, acceptsUtf8 = false): string {
  return decodeMailboxName(scanner.astringText(), acceptsUtf8);
}

/** A name that is to be kept or opened. */
export interface GivenName {
  readonly mailbox: string;
  /** As a client of UTF-8 sent it, where that is not how it is kept: it is to be told (RFC 9051 §6.3.9.7, OLDNAME). */
  readonly asSent?: string;
}

export function decodeGivenName(scanner: Scanner, acceptsUtf8: boolean): GivenName {
  const sent = scanner.astringText();
  const mailbox = decodeMailboxName(sent, acceptsUtf8);
  return acceptsUtf8 && sent !== mailbox ? { mailbox, asSent: sent } : { mailbox };
}

/**
 * Unicode of a name as it stands on the wire. Names with 8-bit characters are taken for UTF-8 also where UTF8=ACCEPT was not enabled: several
 * clients send them so.
 */
export function decodeMailboxName(wire: string, acceptsUtf8 = false): string {
  if (acceptsUtf8 || !wire.includes('&')) return wire.normalize('NFC');
  return wire.replace(/&([^-]*)(-?)/g, decodeShifted).normalize('NFC');
}

function decodeShifted(_: string, base64: string, end: string): string {
  if (end === '') throw new ProtocolError('expected "-" at the end of modified UTF-7');
  if (base64 === '') return '&';
  if (!/^[A-Za-z0-9+,]+$/.test(base64)) throw new ProtocolError('expected modified UTF-7');
  const bytes = Buffer.from(base64.replaceAll(',', '/'), 'base64');
  if (bytes.length < 2 || bytes.length % 2 !== 0) throw new ProtocolError('expected whole characters in modified UTF-7');
  const text = bytes.swap16().toString('utf16le');
  if (!text.isWellFormed()) throw new ProtocolError('expected whole characters in modified UTF-7');
  return text;
}

/** RFC 3501 §5.1.3. */
export function encodeMailboxName(name: string): string {
  return name.replace(/&|[^\x20-\x7e]+/g, (run) => {
    if (run === '&') return '&-';
    const base64 = Buffer.from(run, 'utf16le').swap16().toString('base64');
    return `&${base64.replace(/=+$/, '').replaceAll('/', ',')}-`;
  });
}

/** The levels of a name. A trailing delimiter (RFC 3501 §6.3.3: "names below it may follow") is dropped. */
export function parseMailboxPath(name: string): string[] {
  const levels = (name.endsWith(hierarchyDelimiter) ? name.slice(0, -1) : name).split(hierarchyDelimiter);
  if (levels[0]!.toUpperCase() === 'INBOX') levels[0] = 'INBOX';
  return levels;
}

/** A name in the namespace of others: whose it is, and the levels below that. undefined for any other name. */
export function parseSharedName(name: string): { readonly owner: string; readonly path: readonly string[] } | undefined {
  const [top, owner, ...path] = parseMailboxPath(name);
  if (top !== otherUsersPrefix || owner === undefined) return undefined;
  if (path[0]?.toUpperCase() === 'INBOX') path[0] = 'INBOX';
  return { owner: unescapeLevel(owner), path };
}

export function formatSharedName(owner: string, path: readonly string[]): string {
  return formatMailboxPath([otherUsersPrefix, escapeLevel(owner), ...path]);
}

/** Of an address: the delimiter and what LIST takes for wildcards stand in local parts too. */
const escapeLevel = (level: string): string =>
  level.replace(/[=/%*]/g, (character) => `=${character.charCodeAt(0).toString(16).toUpperCase()}`);
const unescapeLevel = (level: string): string =>
  level.replace(/=(3D|2F|25|2A)/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));

export function formatMailboxPath(levels: readonly string[]): string {
  return levels.join(hierarchyDelimiter);
}

/**
 * RFC 9051 §6.3.9: whether a name is in a LIST pattern's set. `*` stands for any characters, `%` for any but the delimiter; INBOX matches in any
 * case. Takes time of (name × pattern) at most, whatever the pattern.
 */
export function matchesListPattern(name: string, pattern: string): boolean {
  if (matches(name, pattern)) return true;
  if (!/^inbox(?:\/|$)/i.test(name)) return false;
  return matches(`INBOX${name.slice(5)}`, pattern.replace(/^inbox/i, 'INBOX'));
}

function matches(name: string, pattern: string): boolean {
  // reached[i]: the pattern so far matches the first i characters.
  let reached = new Uint8Array(name.length + 1);
  reached[0] = 1;
  for (const character of pattern.split('')) {
    const next = new Uint8Array(name.length + 1);
    if (character === '*' || character === '%') {
      let isOpen = 0;
      for (let at = 0; at <= name.length; at += 1) {
        if (at > 0 && character === '%' && name[at - 1] === hierarchyDelimiter) isOpen = 0;
        if (reached[at] === 1) isOpen = 1;
        next[at] = isOpen;
      }
    } else {
      for (let at = 0; at < name.length; at += 1) if (reached[at] === 1 && name[at] === character) next[at + 1] = 1;
    }
    reached = next;
  }
  return reached[name.length] === 1;
}
