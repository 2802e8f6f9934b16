/** Header fields from JMAP's forms (RFC 8621 §4.1.2): values as ASCII, folded, so that nothing a client says can begin another field. */
import { Value } from 'typebox/value';
import { encodeWords } from '../mime/encoded-word.ts';
import type { HeaderForm } from './header-property.ts';
import { EmailAddress, EmailAddressGroup } from './schema/email.ts';
import { parseJmapDate } from './utc-date.ts';

/** The value as header text; undefined where it does not have the form. */
export function formatHeaderValue(form: HeaderForm, value: unknown): string | undefined {
  switch (form) {
    case 'asRaw':
      return typeof value === 'string' ? rawValue(value) : undefined;
    case 'asText':
      return typeof value === 'string' ? encodeWords(oneLine(value)) : undefined;
    case 'asAddresses':
      return Array.isArray(value) && value.every(isAddress) ? value.map(formatAddress).join(', ') : undefined;
    case 'asGroupedAddresses':
      return Array.isArray(value) && value.every(isGroup) ? value.map(formatGroup).join(', ') : undefined;
    case 'asMessageIds':
    case 'asURLs':
      return Array.isArray(value) && value.every(isBracketable)
        ? value.map((id) => `<${id}>`).join(form === 'asURLs' ? ', ' : ' ')
        : undefined;
    case 'asDate':
      return typeof value === 'string' ? formatMailDate(value) : undefined;
  }
}

/** `Name: value` with its line end, folded at spaces before 78 characters where it can be. */
export function formatField(name: string, value: string): string {
  const text = value.startsWith(' ') ? value.slice(1) : value;
  let line = `${name}:`;
  let folded = '';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > 78 && line.trim() !== '' && !line.endsWith(':')) {
      folded += `${line}\r\n`;
      line = '';
    }
    line += ` ${word}`;
  }
  return `${folded}${line.trimEnd()}\r\n`;
}

const isAddress = (value: unknown) => Value.Check(EmailAddress, value);
const isGroup = (value: unknown) => Value.Check(EmailAddressGroup, value);
const isBracketable = (value: unknown) => typeof value === 'string' && /^[\x21-\x3b\x3d\x3f-\x7e]+$/.test(value);

const oneLine = (text: string) => text.replace(/[\r\n\0]+/g, ' ');

/** A client's own raw value keeps its folds only where they are folds. */
function rawValue(value: string): string | undefined {
  const unfolded = value.replace(/\r?\n(?=[ \t])/g, '');
  // A line of more than 998 characters is none (RFC 5322 §2.1.1).
  return /[\r\n\0]|[^ \t]{980}/.test(unfolded) ? undefined : /^[\t\x20-\x7e]*$/.test(unfolded) ? unfolded : encodeWords(unfolded.trim());
}

function formatAddress({ name, email }: { name?: string | null; email: string }): string {
  const address = formatAddrSpec(oneLine(email).trim());
  const isNamed = name !== undefined && name !== null && name !== '';
  return isNamed ? `${formatPhrase(name)} <${address}>` : /@.*\s/.test(address) ? `<${address}>` : address;
}

/** What a client has as yet for an address: none may turn into another by what it is written without. */
function formatAddrSpec(email: string): string {
  const at = email.lastIndexOf('@');
  const [local, domain] = at < 0 ? [email, ''] : [email.slice(0, at), email.slice(at).replace(/[<>(),:;"\\]/g, '')];
  const isPlain = /^[^\s"(),:;<>@[\]\\]*$/.test(local) || /^"(?:[^"\\]|\\.)*"$/.test(local);
  return (isPlain ? local : `"${local.replace(/["\\]/g, '\\$&')}"`) + domain;
}

function formatGroup({ name, addresses }: { name?: string | null; addresses: { name?: string | null; email: string }[] }): string {
  const members = addresses.map(formatAddress).join(', ');
  return name === undefined || name === null ? members : `${formatPhrase(name)}: ${members};`;
}

function formatPhrase(name: string): string {
  const text = oneLine(name);
  // Spaces between atoms are one space to those who read them.
  if (/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/.test(text) && !text.includes('=?')) return text;
  return /^[\x01-\x7f]*$/.test(text) && !text.includes('=?') ? `"${text.replace(/["\\]/g, '\\$&')}"` : encodeWords(text);
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** RFC 5322 §3.3, in the zone that the client wrote. */
function formatMailDate(text: string): string | undefined {
  const ms = parseJmapDate(text, false);
  if (ms === undefined) return undefined;
  const zone = /([+-])(\d\d):(\d\d)$/.exec(text);
  const offsetMinutes = zone === null ? 0 : (zone[1] === '-' ? -1 : 1) * (Number(zone[2]) * 60 + Number(zone[3]));
  const local = new Date(ms + offsetMinutes * 60_000);
  const two = (number: number) => String(number).padStart(2, '0');
  const time = `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}:${two(local.getUTCSeconds())}`;
  const offset = zone === null ? '+0000' : `${zone[1]}${zone[2]}${zone[3]}`;
  return `${days[local.getUTCDay()]}, ${two(local.getUTCDate())} ${months[local.getUTCMonth()]} ${local.getUTCFullYear()} ${time} ${offset}`;
}

/**
 * Parameters of Content-Type or Content-Disposition, each with `; ` before it. Values that are not ASCII: by RFC 2231, or as encoded words in quotes.
 */
export function formatParameters(parameters: Readonly<Record<string, string | undefined>>, how: 'rfc2231' | 'words'): string {
  let text = '';
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    const line = oneLine(value);
    if (/^[\x20-\x7e]{0,900}$/.test(line) && !line.includes('=?'))
      text += /^[A-Za-z0-9!#$&+._-]+$/.test(line) ? `; ${name}=${line}` : `; ${name}="${line.replace(/["\\]/g, '\\$&')}"`;
    else if (how === 'words') text += `; ${name}="${encodeWords(line)}"`;
    else
      text += `; ${name}*=utf-8''${encodeURIComponent(line.toWellFormed()).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)}`;
  }
  return text;
}
