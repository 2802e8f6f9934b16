/** Mailbox queries (RFC 8621 §2.3): a filter and a sort over all mailboxes, as a list or as a tree. */
import { type Filter, passes, readFilter } from '../../../protocol/jmap/filter.ts';
import { MailboxFilter, type mailboxSorts } from '../../../protocol/jmap/schema/mailbox.ts';
import { foldText } from '../../../protocol/jmap/search-text.ts';
import { formatMailboxId, type MailboxNumber } from '../../../protocol/mail/ids.ts';
import type { AccountReader, Mailbox } from '../../../storage/account/api.ts';
import { readCondition } from '../standard/query.ts';
import { readSort, type SelectionArguments } from '../standard/selection.ts';

export interface MailboxQueryArguments extends SelectionArguments {
  readonly sortAsTree?: boolean;
  readonly filterAsTree?: boolean;
}

const noun = 'Mailboxes';

/** Ids of the result, before paging. Throws MethodError. */
export function listMailboxes(
  reader: AccountReader,
  { filter, sort, sortAsTree = false, filterAsTree = false }: MailboxQueryArguments,
): string[] {
  const read = readFilter(filter, (condition) => readCondition(condition, MailboxFilter, noun));
  const compare = readSort<Mailbox>(sort, { noun, sorts, usual: (a, b) => a.id - b.id });
  const mailboxes = [...reader.mailboxes()].sort(compare);
  const matching = new Set(mailboxes.filter((mailbox) => read === undefined || passesMailbox(read, mailbox)).map(({ id }) => id));
  const shown = (mailbox: Mailbox) => matching.has(mailbox.id) && (!filterAsTree || areAncestorsIn(reader, mailbox, matching));
  return (sortAsTree ? inTreeOrder(mailboxes) : mailboxes).filter(shown).map(({ id }) => formatMailboxId(id));
}

function passesMailbox(filter: Filter<MailboxFilter>, mailbox: Mailbox): boolean {
  return passes(filter, ({ parentId, name, role, hasAnyRole, isSubscribed }) => {
    if (parentId !== undefined && (mailbox.parent === null ? null : formatMailboxId(mailbox.parent)) !== parentId) return false;
    if (name !== undefined && !foldText(mailbox.name).includes(foldText(name))) return false;
    if (role !== undefined && mailbox.role !== role) return false;
    if (hasAnyRole !== undefined && (mailbox.role !== null) !== hasAnyRole) return false;
    return isSubscribed === undefined || mailbox.subscribed === isSubscribed;
  });
}

const sorts: Readonly<Record<(typeof mailboxSorts)[number], (mailbox: Mailbox) => string | number>> = {
  sortOrder: ({ order }) => order,
  name: ({ name }) => name,
  parentId: ({ parent }) => parent ?? 0,
};

/** Each mailbox followed by those below it; siblings keep their order. */
function inTreeOrder(mailboxes: readonly Mailbox[]): Mailbox[] {
  const children = new Map<MailboxNumber | null, Mailbox[]>();
  for (const mailbox of mailboxes) children.set(mailbox.parent, [...(children.get(mailbox.parent) ?? []), mailbox]);
  const visit = (parent: MailboxNumber | null): Mailbox[] =>
    (children.get(parent) ?? []).flatMap((mailbox) => [mailbox, ...visit(mailbox.id)]);
  return visit(null);
}

function areAncestorsIn(reader: AccountReader, { parent }: Mailbox, matching: ReadonlySet<number>): boolean {
  for (let above = parent; above !== null; above = reader.mailbox(above)?.parent ?? null) if (!matching.has(above)) return false;
  return true;
}
