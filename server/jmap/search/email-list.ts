/** The whole result of a query on emails, before paging: filtered, sorted, threads collapsed if asked; remembered until an email changes. */
import type { Filter } from '../../../protocol/jmap/filter.ts';
import type { EmailFilter } from '../../../protocol/jmap/schema/email.ts';
import { type EmailNumber, type ModSeq, parseMailboxId } from '../../../protocol/mail/ids.ts';
import { eachOf, type Range, sizeOf } from '../../../protocol/mail/ranges.ts';
import type { AccountReader } from '../../../storage/account/api.ts';
import type { AccountCache, RememberedList } from '../account-cache.ts';
import { emailsLookedAgainMax } from '../limits.ts';
import { looksAtVerification } from '../smime/status.ts';
import { BitSet } from './bit-set.ts';
import { type Columns, columnsOfAll, columnsOfMailbox } from './columns.ts';
import { filterContext, filterTest, mailboxOf } from './email-filter.ts';
import { type Comparator, sortRows } from './email-sort.ts';

export interface EmailQuery {
  readonly filter: Filter<EmailFilter> | undefined;
  readonly sort: readonly Comparator[];
  readonly collapseThreads: boolean;
}

/** Email numbers in the order of the result. Shared: do not modify. */
export function listEmails(reader: AccountReader, cache: AccountCache, { filter, sort, collapseThreads }: EmailQuery): Uint32Array {
  const key = JSON.stringify([filter, sort, looksAtVerification(filter) ? cache.smimeVersion : 0]);
  const emailState = cache.states(reader).Email;
  let list = cache.lists.get(key);
  if (list === undefined || (list.emailState !== emailState && !isStillTrue(reader, list, filter, sort)))
    list = cache.lists.set(key, { emailState, ...runQuery(reader, cache, filter, sort) });
  list.emailState = emailState;
  return collapseThreads ? (list.collapsed ??= collapse(list)) : list.emails;
}

function runQuery(
  reader: AccountReader,
  cache: AccountCache,
  filter: Filter<EmailFilter> | undefined,
  sort: readonly Comparator[],
): Pick<RememberedList, 'emails' | 'threads'> {
  const columns = columnsFor(reader, filter);
  const context = filterContext(reader, cache, columns, mailboxOf(filter));
  const test = filter === undefined || wholeMailbox(filter) !== undefined ? () => true : filterTest(context, filter);
  const rows = new Uint32Array(columns.count);
  let count = 0;
  for (let at = 0; at < columns.count; at += 1) if (test(at)) rows[count++] = at;
  const sorted = sortRows(context, rows.subarray(0, count), sort);
  const emails = new Uint32Array(count);
  const threads = new Uint32Array(count);
  for (let at = 0; at < count; at += 1) {
    emails[at] = columns.email[sorted[at]!]!;
    threads[at] = columns.thread[sorted[at]!]!;
  }
  return { emails, threads };
}

/** The mailbox of which the filter takes all emails. */
function wholeMailbox(filter: Filter<EmailFilter> | undefined): string | undefined {
  const condition = filter?.operator === undefined ? filter?.condition : undefined;
  return condition !== undefined && Object.keys(condition).join() === 'inMailbox' ? condition.inMailbox : undefined;
}

/**
 * Whether the list of a whole mailbox holds at the reader's state: what changed since are keywords of a few emails, at which neither filter nor sort looks.
 * Reading mail changes them all the time, and the list of a large mailbox takes milliseconds.
 */
function isStillTrue(
  reader: AccountReader,
  list: RememberedList,
  filter: Filter<EmailFilter> | undefined,
  sort: readonly Comparator[],
): boolean {
  const mailbox = parseMailboxId(wholeMailbox(filter) ?? '');
  if (mailbox === undefined || sort.some(({ property }) => property.endsWith('Keyword'))) return false;
  const changed: Range[] = [];
  const effects = reader.effectsSince(list.emailState as ModSeq);
  if (effects === undefined) return false;
  for (const { emails, mailboxes } of effects) {
    if (emails.added.length > 0 || emails.removed.length > 0) return false;
    const own = mailboxes.find((effect) => effect.mailbox === mailbox);
    if (own !== undefined && (own.record !== undefined || own.added.length > 0 || own.removed.length > 0)) return false;
    changed.push(...emails.changed);
  }
  if (sizeOf(changed) > emailsLookedAgainMax) return false;
  list.members ??= BitSet.of(list.emails);
  for (const email of eachOf(changed) as Iterable<EmailNumber>) {
    // That its \Deleted has come or gone is told in the same way as a change of keywords.
    const isIn = reader.email(email)?.memberships.some((place) => place.mailbox === mailbox && !place.deleted) === true;
    if (isIn !== list.members.has(email)) return false;
  }
  return true;
}

function columnsFor(reader: AccountReader, filter: Filter<EmailFilter> | undefined): Columns {
  const id = mailboxOf(filter);
  if (id === undefined) return columnsOfAll(reader);
  const mailbox = parseMailboxId(id);
  if (mailbox === undefined || reader.mailbox(mailbox) === undefined) return nothing;
  return columnsOfMailbox(reader, mailbox);
}

const nothing: Columns = {
  count: 0,
  email: new Uint32Array(0),
  thread: new Uint32Array(0),
  keywordSet: new Uint32Array(0),
  size: new Uint32Array(0),
  receivedAt: new Float64Array(0),
  sentAt: new Float64Array(0),
};

/** RFC 8621 §4.4.3: of each thread the email that comes first. */
function collapse({ emails, threads }: RememberedList): Uint32Array {
  const seen = new BitSet();
  const kept = new Uint32Array(emails.length);
  let count = 0;
  for (let at = 0; at < emails.length; at += 1) if (seen.add(threads[at]!)) kept[count++] = emails[at]!;
  return kept.slice(0, count);
}
