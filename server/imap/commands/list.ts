/** LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 3348), LSUB (RFC 3501 §6.3.9) and XLIST. */
import { decodeList, decodeOldList, type ListArguments } from '../../../protocol/imap/commands/list.ts';
import { hierarchyDelimiter, matchesListPattern } from '../../../protocol/imap/mailbox-name.ts';
import { ByteWriter } from '../../../protocol/imap/wire/byte-writer.ts';
import { readAnnotations } from '../annotations.ts';
import { defineCommand, loggedIn } from '../command.ts';
import { type ListedMailbox, listedMailboxes, specialUseOf } from '../mailbox-tree.ts';
import type { Session } from '../session.ts';
import { writeMetadata } from './metadata.ts';
import { writeStatus } from './status.ts';

export const list = defineCommand({
  names: ['LIST'],
  states: loggedIn,
  capability: ['CHILDREN', 'LIST-EXTENDED', 'LIST-STATUS', 'LIST-METADATA', 'SPECIAL-USE'],
  sequences: 'free',
  decode: decodeList,
  run({ session }, args) {
    // RFC 9051 §6.3.9: an empty name asks for the delimiter.
    if (!args.isExtended && args.patterns[0] === '') {
      session.output.untagged(`LIST (\\Noselect) "${hierarchyDelimiter}" ""`);
      return undefined;
    }
    session.account.read((reader) => {
      for (const { mailbox, name, attributes, childInfo } of chosen(listedMailboxes(reader), args)) {
        writeLine(session, 'LIST', attributes, name, childInfo);
        if (args.status.length > 0 && !attributes.includes('\\NonExistent')) {
          if (args.status.includes('HIGHESTMODSEQ')) session.isCondstore = true;
          writeStatus(session, reader, mailbox, name, args.status);
        }
        // RFC 9590 §3: with NIL for what is not there.
        if (args.metadata.length > 0) writeMetadata(session, name, readAnnotations(reader, mailbox.id, args.metadata));
      }
    });
    return undefined;
  },
});

interface Chosen extends ListedMailbox {
  readonly attributes: readonly string[];
  readonly childInfo: string;
}

function chosen(all: readonly ListedMailbox[], args: ListArguments): Chosen[] {
  const patterns = args.patterns.map((pattern) => args.reference + pattern);
  const isSelected = ({ mailbox }: ListedMailbox) =>
    (!args.select.includes('SUBSCRIBED') || mailbox.subscribed) &&
    (!args.select.includes('SPECIAL-USE') || specialUseOf(mailbox.role) !== undefined);
  const isRecursive = args.select.includes('RECURSIVEMATCH');
  const result: Chosen[] = [];
  for (const entry of all) {
    if (!patterns.some((pattern) => matchesListPattern(entry.name, pattern))) continue;
    const matches = isSelected(entry);
    // RFC 5258 §3.5: a parent is shown for children that match and are not shown by themselves.
    const below = isRecursive
      ? all.filter((other) => other.name.startsWith(`${entry.name}${hierarchyDelimiter}`) && isSelected(other))
      : [];
    const hidden = below.filter(({ name }) => !patterns.some((pattern) => matchesListPattern(name, pattern)));
    if (!matches && hidden.length === 0) continue;
    const info = args.select.filter((option) => option === 'SUBSCRIBED' || option === 'SPECIAL-USE');
    result.push({
      ...entry,
      attributes: attributesOf(entry, args.select.includes('SUBSCRIBED') || args.return.includes('SUBSCRIBED')),
      childInfo: below.length > 0 ? ` ("CHILDINFO" (${info.map((option) => `"${option}"`).join(' ')}))` : '',
    });
  }
  return result;
}

/** Children and special uses are told unasked: macOS looks for them in a plain LIST. */
export function attributesOf({ mailbox, hasChildren }: ListedMailbox, tellsSubscribed: boolean): string[] {
  const attributes = [hasChildren ? '\\HasChildren' : '\\HasNoChildren'];
  if (tellsSubscribed && mailbox.subscribed) attributes.push('\\Subscribed');
  const use = specialUseOf(mailbox.role);
  if (use !== undefined) attributes.push(use);
  return attributes;
}

export function writeLine(session: Session, response: string, attributes: readonly string[], name: string, extended = ''): void {
  const { output } = session;
  output.ascii(`* ${response} (${attributes.join(' ')}) "${hierarchyDelimiter}" `);
  session.writeMailboxName(name);
  output.utf8(extended).crlf();
  output.schedule();
}

/** RFC 9051 §6.3.9.7: a name that is kept in another form than the one it was sent in is told, with both. */
export function tellOldName(session: Session, name: string, asSent: string | undefined): void {
  if (asSent === undefined || !session.isRev2) return;
  const quoted = new ByteWriter().utf8String(asSent).toBuffer().toString();
  writeLine(session, 'LIST', [], name, ` ("OLDNAME" (${quoted}))`);
}

export const lsub = defineCommand({
  names: ['LSUB'],
  states: loggedIn,
  capability: [],
  sequences: 'free',
  decode: decodeOldList,
  run({ session }, { reference, patterns }) {
    const pattern = reference + patterns[0]!;
    const all = session.account.read(listedMailboxes);
    const shown = new Map<string, readonly string[]>();
    for (const { mailbox, name } of all) {
      if (!mailbox.subscribed) continue;
      if (matchesListPattern(name, pattern)) {
        shown.set(name, []);
        continue;
      }
      // RFC 3501 §6.3.9: with %, a name above a subscribed one that it hides is shown as \Noselect.
      const above = pattern.endsWith('%') ? matchingParent(name, pattern) : undefined;
      if (above !== undefined && !shown.has(above)) shown.set(above, ['\\Noselect']);
    }
    for (const [name, attributes] of shown) writeLine(session, 'LSUB', attributes, name);
    return undefined;
  },
});

function matchingParent(name: string, pattern: string): string | undefined {
  for (let end = name.lastIndexOf(hierarchyDelimiter); end > 0; end = name.lastIndexOf(hierarchyDelimiter, end - 1)) {
    const above = name.slice(0, end);
    if (matchesListPattern(above, pattern)) return above;
  }
  return undefined;
}

/** Gmail's and Apple's forerunner of SPECIAL-USE, still asked for by old clients. The INBOX has a use there. */
export const xlist = defineCommand({
  names: ['XLIST'],
  states: loggedIn,
  capability: ['XLIST'],
  sequences: 'free',
  decode: decodeOldList,
  run({ session }, args) {
    for (const { mailbox, name, attributes } of chosen(session.account.read(listedMailboxes), args)) {
      const uses = mailbox.role === 'inbox' ? ['\\Inbox'] : attributes.map((use) => xlistUses[use] ?? use);
      writeLine(session, 'XLIST', mailbox.role === 'inbox' ? [...attributes, ...uses] : uses, name);
    }
    return undefined;
  },
});

const xlistUses: Readonly<Record<string, string>> = { '\\Junk': '\\Spam', '\\All': '\\AllMail', '\\Flagged': '\\Starred' };
