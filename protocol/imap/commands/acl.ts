/**
 * Access control lists (RFC 4314 §3, §7):
 *   setacl = "SETACL" SP mailbox SP identifier SP mod-rights; mod-rights = astring, its first character "+" or "-" for a change
 *   deleteacl = "DELETEACL" SP mailbox SP identifier; getacl = "GETACL" SP mailbox; listrights = "LISTRIGHTS" SP mailbox SP identifier
 *   myrights = "MYRIGHTS" SP mailbox; identifier = astring
 */
import { RightSet } from '../../mail/acl.ts';
import { rightsCharsMax } from '../limits.ts';
import { decodeMailbox } from '../mailbox-name.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export interface AclSubject {
  readonly mailbox: string;
  readonly identifier: string;
}

export interface SetAclArguments extends AclSubject {
  readonly how: 'replace' | 'add' | 'remove';
  readonly rights: RightSet;
}

export function decodeSetAcl(scanner: Scanner, context: DecodeContext): SetAclArguments {
  const subject = decodeSubject(scanner, context);
  scanner.space();
  const text = scanner.astringText();
  if (text.length > rightsCharsMax) scanner.fail(`rights of at most ${rightsCharsMax} characters`);
  const how = text.startsWith('+') ? 'add' : text.startsWith('-') ? 'remove' : 'replace';
  // RFC 4314 §3.1: a right that is none of ours must not be passed over.
  const rights = RightSet.parse(how === 'replace' ? text : text.slice(1)) ?? scanner.fail('rights of lrswipkxteacd');
  scanner.expectEnd();
  return { ...subject, how, rights };
}

export function encodeSetAcl({ mailbox, identifier, how, rights }: SetAclArguments): Buffer {
  const sign = { replace: '', add: '+', remove: '-' }[how];
  const writer = new CommandWriter().raw('SETACL ').mailbox(mailbox).sp().astring(identifier).sp();
  return writer.astring(sign + rights.letters).toBuffer();
}

/** DELETEACL and LISTRIGHTS. */
export function decodeAclSubject(scanner: Scanner, context: DecodeContext): AclSubject {
  const subject = decodeSubject(scanner, context);
  scanner.expectEnd();
  return subject;
}

function decodeSubject(scanner: Scanner, { acceptsUtf8 }: DecodeContext): AclSubject {
  scanner.space();
  const mailbox = decodeMailbox(scanner, acceptsUtf8);
  scanner.space();
  return { mailbox, identifier: scanner.astringText() };
}

export function encodeAclSubject(command: 'DELETEACL' | 'LISTRIGHTS', { mailbox, identifier }: AclSubject): Buffer {
  return new CommandWriter().raw(`${command} `).mailbox(mailbox).sp().astring(identifier).toBuffer();
}
