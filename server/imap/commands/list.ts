/** LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 3348, RFC 8440), LSUB (RFC 3501 §6.3.9) and XLIST. */
import { decodeList, decodeOldList, type ListArguments } from '../../../protocol/imap/commands/list.ts';
import { hierarchyDelimiter, matchesListPattern } from '../../../protocol/imap/mailbox-name.ts';
import { ByteWriter } from '../../../protocol/imap/wire/byte-writer.ts';
import type { RightSet } from '../../../protocol/mail/acl.ts';
import { readAnnotations } from '../annotations.ts';
import { defineCommand, loggedIn } from '../command.ts';
import { keptSubscriptions } from '../kept-subscriptions.ts';
import { allNames, rightsOn } from '../locate.ts';
import { type ListedName, specialUseOf } from '../mailbox-tree.ts';
import type { Session } from '../session.ts';
import { writeMetadata } from './metadata.ts';
import { writeStatus } from './status.ts';

export const list = defineCommand({
  names: ['LIST'],
  states: loggedIn,
  capability: ['CHILDREN', 'LIST-EXTENDED', 'LIST-STATUS', 'LIST-METADATA', 'LIST-MYRIGHTS', 'SPECIAL-USE'],
  sequences: 'free',
  decode: decodeList,
  run({ session }, args) {
    // RFC 9051 §6.3.9: an empty name asks for the delimiter.
    if (!args.isExtended && args.patterns[0] === '') {
      session.output.untagged(`LIST (\\Noselect) "${hierarchyDelimiter}" ""`);
      return undefined;
    }
    return withNames(session, args.select.includes('SUBSCRIBED'), (all) => {
      for (const entry of chosen(all, args)) {
        writeLine(session, 'LIST', entry.attributes, entry.name, entry.childInfo);
        writeDetails(session, entry, args);
      }
    });
  },
});

/** What is asked for beside the names. RFC 5819 §2, RFC 9590 §3, RFC 8440 §3: of mailboxes that may be selected. */
function writeDetails(session: Session, { mailbox, name, account = session.account }: ListedName, args: ListArguments): void {
  if (mailbox === undefined) return;
  const rights = rightsOn(account, mailbox.id);
  if (args.status.length > 0 && rights.has('r')) {
    if (args.status.includes('HIGHESTMODSEQ')) session.isCondstore = true;
    writeStatus(session, account, mailbox, name, args.status);
  }
  // RFC 9590 §3: with NIL for what is not there.
  if (args.metadata.length > 0 && rights.has('r'))
    writeMetadata(
      session,
      name,
      account.read((reader) => readAnnotations(reader, mailbox.id, args.metadata)),
    );
  if (args.return.includes('MYRIGHTS')) writeMyRights(session, name, rights);
}

/** With all names: in this turn where none are shared. `withKept`: also with those that are subscribed and have no mailbox. */
function withNames(session: Session, withKept: boolean, write: (all: readonly ListedName[]) => void): undefined | Promise<undefined> {
  const all = allNames(session);
  const kept = withKept ? session.account.read(keptSubscriptions) : [];
  if (all instanceof Promise) return all.then((names) => write([...names, ...kept])).then(() => undefined);
  write(kept.length === 0 ? all : [...all, ...kept]);
  return undefined;
}

const isSubscribed = ({ mailbox, isSubscribed: isKept }: ListedName): boolean => mailbox?.subscribed ?? isKept === true;

/** myrights-data = "MYRIGHTS" SP mailbox SP rights (RFC 4314 §3.8). */
export function writeMyRights(session: Session, name: string, rights: RightSet): void {
  session.output.ascii('* MYRIGHTS ');
  session.writeMailboxName(name);
  session.output.ascii(` ${rights.format()}`).crlf();
}

interface Chosen extends ListedName {
  readonly attributes: readonly string[];
  readonly childInfo: string;
}

function chosen(all: readonly ListedName[], args: ListArguments): Chosen[] {
  const patterns = args.patterns.map((pattern) => args.reference + pattern);
  const isSelected = (entry: ListedName) =>
    (!args.select.includes('SUBSCRIBED') || isSubscribed(entry)) &&
    (!args.select.includes('SPECIAL-USE') || specialUseOf(entry.mailbox?.role ?? null) !== undefined);
  const isRecursive = args.select.includes('RECURSIVEMATCH');
  const result: Chosen[] = [];
  for (const entry of all) {
    // RFC 4314 §4, RFC 3501 §6.3.8: levels that lead to what is shared are told where `%` asks for levels, or by name.
    const own = entry.isLevel ? patterns.filter((pattern) => !pattern.includes('*')) : patterns;
    if (!own.some((pattern) => matchesListPattern(entry.name, pattern))) continue;
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
export function attributesOf(entry: ListedName, tellsSubscribed: boolean): string[] {
  const { mailbox, hasChildren } = entry;
  const attributes = [hasChildren ? '\\HasChildren' : '\\HasNoChildren'];
  if (tellsSubscribed && isSubscribed(entry)) attributes.push('\\Subscribed');
  // RFC 5258 §3.1: \NonExistent says it too; old clients know the other only.
  if (mailbox === undefined) return ['\\NonExistent', '\\Noselect', ...attributes];
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
    return withNames(session, true, (all) => {
      const shown = new Map<string, readonly string[]>();
      for (const entry of all) {
        if (!isSubscribed(entry)) continue;
        const { name } = entry;
        if (matchesListPattern(name, pattern)) {
          shown.set(name, []);
          continue;
        }
        // RFC 3501 §6.3.9: with %, a name above a subscribed one that it hides is shown as \Noselect.
        const above = pattern.endsWith('%') ? matchingParent(name, pattern) : undefined;
        if (above !== undefined && !shown.has(above)) shown.set(above, ['\\Noselect']);
      }
      for (const [name, attributes] of shown) writeLine(session, 'LSUB', attributes, name);
    });
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
    return withNames(session, false, (all) => {
      for (const { mailbox, name, attributes } of chosen(all, args)) {
        const uses = mailbox?.role === 'inbox' ? ['\\Inbox'] : attributes.map((use) => xlistUses[use] ?? use);
        writeLine(session, 'XLIST', mailbox?.role === 'inbox' ? [...attributes, ...uses] : uses, name);
      }
    });
  },
});

const xlistUses: Readonly<Record<string, string>> = { '\\Junk': '\\Spam', '\\All': '\\AllMail', '\\Flagged': '\\Starred' };
