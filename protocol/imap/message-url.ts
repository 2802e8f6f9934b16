/**
 * IMAP URLs of messages and their parts, as CATENATE takes them (RFC 4469 §3, RFC 5092 §6): an absolute path on this server.
 *   "/" enc-mailbox [";UIDVALIDITY=" nz-number] "/;UID=" nz-number ["/;SECTION=" enc-section] ["/;PARTIAL=" number ["." nz-number]]
 */
import { ProtocolError } from '../mail/errors.ts';
import { decodeSection, type Section } from './section.ts';
import { Scanner } from './wire/scanner.ts';

export interface MessageUrl {
  readonly mailbox: string;
  readonly uidValidity?: number;
  readonly uid: number;
  readonly section: Section;
  readonly partial?: { readonly offset: number; readonly count: number };
}

/** undefined: it is no such URL. */
export function parseMessageUrl(url: string): MessageUrl | undefined {
  const match =
    /^\/([^;?#]+?)(?:;UIDVALIDITY=(\d{1,10}))?\/;UID=(\d{1,10})(?:\/;SECTION=([^;?#]+?))?(?:\/;PARTIAL=(\d{1,15})(?:\.(\d{1,15}))?)?$/i.exec(
      url,
    );
  if (match === null) return undefined;
  const [, mailbox, uidValidity, uid, section, offset, count] = match;
  try {
    return {
      mailbox: decodeURIComponent(mailbox!).normalize('NFC'),
      ...(uidValidity === undefined ? {} : { uidValidity: Number(uidValidity) }),
      uid: Number(uid),
      section: section === undefined ? { numbers: [] } : parseSection(decodeURIComponent(section)),
      ...(offset === undefined ? {} : { partial: { offset: Number(offset), count: Number(count ?? Number.MAX_SAFE_INTEGER) } }),
    };
  } catch (error) {
    if (error instanceof URIError || error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function parseSection(text: string): Section {
  const scanner = new Scanner(Buffer.from(`${text}]`, 'latin1'));
  const section = decodeSection(scanner);
  scanner.expectEnd();
  return section;
}
