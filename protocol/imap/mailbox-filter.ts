/**
 * Mailboxes by what they are, as NOTIFY and ESEARCH name them (RFC 5465 §8, RFC 7377 §5):
 *   filter-mailboxes = "selected" / "selected-delayed" / "inboxes" / "personal" / "subscribed" /
 *                      ("subtree" / "subtree-one" / "mailboxes") SP one-or-more-mailbox
 *   one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"
 */
import { filterMailboxesMax } from './limits.ts';
import { decodeMailbox, hierarchyDelimiter, parseMailboxPath } from './mailbox-name.ts';
import type { CommandWriter } from './wire/command-writer.ts';
import type { Scanner } from './wire/scanner.ts';

const plainKinds = ['selected', 'selected-delayed', 'inboxes', 'personal', 'subscribed'] as const;
const namedKinds = ['subtree', 'subtree-one', 'mailboxes'] as const;

export type MailboxFilter =
  | { readonly kind: (typeof plainKinds)[number] }
  | { readonly kind: (typeof namedKinds)[number]; readonly mailboxes: readonly string[] };

export function decodeMailboxFilter(scanner: Scanner, acceptsUtf8: boolean): MailboxFilter {
  const name = scanner.keyword('a filter of mailboxes').toLowerCase();
  const plain = plainKinds.find((kind) => kind === name);
  if (plain !== undefined) return { kind: plain };
  const kind = namedKinds.find((known) => known === name) ?? scanner.fail('a filter of mailboxes');
  scanner.space();
  const mailboxes = scanner.isNext('(') ? scanner.list(() => decodeMailbox(scanner, acceptsUtf8)) : [decodeMailbox(scanner, acceptsUtf8)];
  if (mailboxes.length === 0) scanner.fail('a mailbox');
  if (mailboxes.length > filterMailboxesMax) scanner.fail(`at most ${filterMailboxesMax} mailboxes`);
  return { kind, mailboxes };
}

export function encodeMailboxFilter(writer: CommandWriter, filter: MailboxFilter): CommandWriter {
  writer.raw(filter.kind);
  return 'mailboxes' in filter ? writer.sp().list(filter.mailboxes, (mailbox) => writer.mailbox(mailbox)) : writer;
}

export const isOfSelected = ({ kind }: MailboxFilter): boolean => kind === 'selected' || kind === 'selected-delayed';

/** Only the client's own (RFC 5465 §6.2, §6.3): what others share is in no personal namespace. */
export const isPersonal = ({ kind }: MailboxFilter): boolean => kind === 'personal' || kind === 'inboxes';

/** Whether a mailbox is meant that may be any but the selected one. No name has wildcards (RFC 5465 §6.6). */
export function matchesFilter(filter: MailboxFilter, name: string, subscribed: boolean): boolean {
  switch (filter.kind) {
    case 'selected':
    case 'selected-delayed':
      return false;
    case 'subscribed':
      return subscribed;
    case 'mailboxes':
    case 'subtree':
    case 'subtree-one':
      return filter.mailboxes.some((mailbox) => {
        const top = parseMailboxPath(mailbox).join(hierarchyDelimiter);
        if (name === top || filter.kind === 'mailboxes') return name === top;
        if (!name.startsWith(`${top}${hierarchyDelimiter}`)) return false;
        return filter.kind === 'subtree' || !name.slice(top.length + 1).includes(hierarchyDelimiter);
      });
    default:
      // Filters file mail into any mailbox: RFC 5465 §6.3 makes "inboxes" the same as "personal" then.
      return true;
  }
}
