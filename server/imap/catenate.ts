/** CATENATE (RFC 4469): a message put together from text and from parts of messages that are here, so that nobody has to send them again. */
import type { AppendedMessage, CatenatePart } from '../../protocol/imap/commands/append.ts';
import { type MessageUrl, parseMessageUrl } from '../../protocol/imap/message-url.ts';
import { MailError } from '../../protocol/mail/errors.ts';
import type { Uid } from '../../protocol/mail/ids.ts';
import { sectionFromRaw } from './fetch/section-content.ts';
import { locate } from './locate.ts';
import type { Reply } from './refusal.ts';
import type { Session } from './session.ts';

/** RFC 4469 §4: the answer names the URL that cannot be had. */
export class BadUrl extends Error {
  readonly reply: Reply;

  constructor(url: string) {
    super('a URL of CATENATE names nothing');
    this.reply = { status: 'NO', code: `BADURL ${url.replace(/[^\x21-\x5c\x5e-\x7e]/g, '?')}`, text: 'This URL names nothing here.' };
  }
}

/** The message's octets. Throws BadUrl, and MailError 'tooLarge' before more is gathered than may be appended. */
export async function octetsOf(session: Session, appended: AppendedMessage): Promise<Buffer> {
  if ('message' in appended) return appended.message;
  const { messageBytesMax } = session.services;
  const pieces: Uint8Array[] = [];
  let octets = 0;
  for (const part of appended.parts) {
    const piece = await octetsOfPart(session, part);
    octets += piece.length;
    if (octets > messageBytesMax) throw new MailError('tooLarge', `A message may have ${messageBytesMax} octets.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function octetsOfPart(session: Session, part: CatenatePart): Promise<Uint8Array> {
  if ('text' in part) return part.text;
  const url = parseMessageUrl(part.url);
  const found = url === undefined ? undefined : await findMessage(session, url);
  if (url === undefined || found === undefined) throw new BadUrl(part.url);
  const { section, partial } = url;
  const attribute = { item: 'section', name: 'BODY', section, isPeek: true, ...(partial === undefined ? {} : { partial }) } as const;
  const content = sectionFromRaw(await found.account.blobBytes(found.blob), found.facts, attribute);
  if (content === null || content === 'unknownEncoding') throw new BadUrl(part.url);
  return content;
}

async function findMessage(session: Session, { mailbox: name, uidValidity, uid }: MessageUrl) {
  const located = await locate(session, name);
  if (located === undefined || (uidValidity !== undefined && uidValidity !== located.mailbox.uidValidity)) return undefined;
  const { account, mailbox } = located;
  return account.read((reader) => {
    const email = reader.membership(mailbox.id, uid as Uid)?.email;
    const blob = email === undefined ? undefined : reader.blob(email);
    const facts = email === undefined ? undefined : reader.facts(email);
    return blob === undefined || facts === undefined ? undefined : { account, blob, facts };
  });
}
