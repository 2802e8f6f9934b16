/**
 * JMAP's forms of header fields (RFC 8621 §4.1.2). All take a raw value: a latin1 string of the bytes after the colon, folds kept, without the
 * final line end. A form that the value does not fit gives null.
 */
import { type EmailAddress, isGroup, mailboxesOf, parseAddresses, toEmailAddress } from './address.ts';
import { formatDate, parseDate } from './date.ts';
import { decodeWords } from './encoded-word.ts';
import { unfold } from './header.ts';
import { parseBracketed, parseMessageIds } from './message-id.ts';

/** RFC 8621 §4.1.2.4. */
export interface EmailAddressGroup {
  name: string | null;
  addresses: EmailAddress[];
}

/** §4.1.2.1: as it stands, NUL left out, bytes that are no UTF-8 replaced. */
export function asRaw(value: string): string {
  return Buffer.from(value.replaceAll('\0', ''), 'latin1').toString('utf8');
}

/** §4.1.2.2: unfolded, encoded words read, NFC, leading space gone. */
export function asText(value: string): string {
  return decodeWords(unfold(value).trim()).replaceAll('\0', '').normalize('NFC');
}

/** §4.1.2.3: mailboxes, those of groups included. */
export function asAddresses(value: string): EmailAddress[] {
  return mailboxesOf(parseAddresses(unfold(value))).map(toEmailAddress);
}

/** §4.1.2.4: consecutive mailboxes outside groups make a group without a name. */
export function asGroupedAddresses(value: string): EmailAddressGroup[] {
  const groups: EmailAddressGroup[] = [];
  let loose: EmailAddressGroup | undefined;
  for (const address of parseAddresses(unfold(value))) {
    if (isGroup(address)) {
      const name = decodeWords(address.group).trim();
      groups.push({ name, addresses: address.members.map(toEmailAddress) });
      loose = undefined;
      continue;
    }
    if (loose === undefined) {
      loose = { name: null, addresses: [] };
      groups.push(loose);
    }
    loose.addresses.push(toEmailAddress(address));
  }
  return groups;
}

/** §4.1.2.5: ids without brackets. */
export function asMessageIds(value: string): string[] | null {
  const ids = parseMessageIds(unfold(value));
  return ids.length > 0 ? ids : null;
}

/** §4.1.2.6: an RFC 3339 date in the sender's zone. */
export function asDate(value: string): string | null {
  const date = parseDate(unfold(value).trim());
  return date === null ? null : formatDate(date);
}

/** §4.1.2.7: the URLs of List-Unsubscribe and its kind (RFC 2369). */
export function asUrls(value: string): string[] | null {
  const urls = parseBracketed(unfold(value));
  return urls.length > 0 ? urls : null;
}
