/** Mailbox queries (RFC 8621 §2.3): a filter and a sort over all mailboxes, as a list or as a tree. */
import { collations, defaultCollation } from '../../../protocol/jmap/collation.ts';
import { MethodError } from '../../../protocol/jmap/errors.ts';
import { type Filter, passes, readFilter } from '../../../protocol/jmap/filter.ts';
import { MailboxFilter, mailboxSorts } from '../../../protocol/jmap/schema/mailbox.ts';
import { foldText } from '../../../protocol/jmap/search-text.ts';
import { formatMailboxId, type MailboxNumber } from '../../../protocol/mail/ids.ts';
import type { AccountReader, Mailbox } from '../../../storage/account/api.ts';
import { readCondition } from '../standard/query.ts';
import type { Comparator } from './email-sort.ts';

export interface MailboxQueryArguments {
  readonly filter?: unknown;
  readonly sort?: readonly Comparator[] | null;
  readonly sortAsTree?: boolean;
  readonly filterAsTree?: boolean;
}

/** Ids of the result, before paging. Throws MethodError. */
export function listMailboxes(
  reader: AccountReader,
  { filter, sort, sortAsTree = false, filterAsTree = false }: MailboxQueryArguments,
): string[] {
  const read = readFilter(filter, (condition) => readCondition(condition, MailboxFilter, 'Mailboxes'));
  const compare = comparison(sort ?? []);
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

function comparison(sort: readonly Comparator[]): (a: Mailbox, b: Mailbox) => number {
  const compares = sort.map(({ property, isAscending = true, collation = defaultCollation }) => {
    if (!(mailboxSorts as readonly string[]).includes(property))
      throw new MethodError('unsupportedSort', `Mailboxes are not sorted by ${JSON.stringify(property.slice(0, 100))}.`);
    const fold = collations[collation];
    if (fold === undefined) throw new MethodError('unsupportedSort', 'That collation is not known.');
    const key = (mailbox: Mailbox) =>
      property === 'name' ? fold(mailbox.name) : property === 'parentId' ? (mailbox.parent ?? 0) : mailbox.order;
    return (a: Mailbox, b: Mailbox) => {
      const [left, right] = [key(a), key(b)];
      return (left === right ? 0 : left < right ? -1 : 1) * (isAscending ? 1 : -1);
    };
  });
  return (a, b) => {
    for (const compare of compares) {
      const order = compare(a, b);
      if (order !== 0) return order;
    }
    return a.id - b.id;
  };
}

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
