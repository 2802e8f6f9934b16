/** Email filters (RFC 8621 §4.4.1): reading them, and the test that a row of columns passes. */
import { MethodError } from '../../../protocol/jmap/errors.ts';
import { conditionsOf, type Filter, passes, readFilter } from '../../../protocol/jmap/filter.ts';
import { DeliveryFilter } from '../../../protocol/jmap/schema/delivery.ts';
import { EmailFilter } from '../../../protocol/jmap/schema/email.ts';
import { SmimeFilter } from '../../../protocol/jmap/schema/smime.ts';
import { parseJmapDate } from '../../../protocol/jmap/utc-date.ts';
import { type EmailNumber, type MailboxNumber, parseMailboxId } from '../../../protocol/mail/ids.ts';
import { isTraceName } from '../../../protocol/mime/header-facts.ts';
import type { AccountReader } from '../../../storage/account/api.ts';
import { type AccountCache, roomFor } from '../account-cache.ts';
import { deliveryTest } from '../delivery-facts.ts';
import { deliveryCapability, smimeCapability } from '../method.ts';
import { smimeTest } from '../smime/status.ts';
import { readCondition } from '../standard/query.ts';
import { BitSet } from './bit-set.ts';
import { type Columns, columnsOfAll, emailsIn, keywordTest, threadKeyword } from './columns.ts';
import { type TextPlace, textMatcher } from './text-match.ts';

/** Conditions that are there for requests that use their capability. */
const furtherConditions: Readonly<Record<string, object>> = {
  [deliveryCapability]: DeliveryFilter.properties,
  [smimeCapability]: SmimeFilter.properties,
};

/** `using`: the capabilities of the request. */
export function readEmailFilter(value: unknown, using: ReadonlySet<string>): Filter<EmailFilter> | undefined {
  const isHidden = (name: string) =>
    Object.entries(furtherConditions).some(([capability, names]) => !using.has(capability) && Object.hasOwn(names, name));
  return readFilter(value, (condition) => {
    const read = readCondition(condition, EmailFilter, 'Emails', isHidden);
    for (const date of [read.before, read.after]) {
      if (date !== undefined && parseJmapDate(date, true) === undefined)
        throw new MethodError('invalidArguments', `${JSON.stringify(date)} is not a UTCDate.`);
    }
    const [name, text] = read.header ?? [];
    if (name !== undefined && text !== undefined && isTraceName(name.toLowerCase())) {
      throw new MethodError('unsupportedFilter', `The values of ${name} are not kept for searching.`);
    }
    return read;
  });
}

/** The mailbox that every match is in, where the filter says so: only that one is looked through. */
export function mailboxOf(filter: Filter<EmailFilter> | undefined): string | undefined {
  if (filter === undefined || filter.operator === 'OR' || filter.operator === 'NOT') return undefined;
  if (filter.operator === undefined) return filter.condition.inMailbox;
  for (const inner of filter.conditions) {
    const mailbox = mailboxOf(inner);
    if (mailbox !== undefined) return mailbox;
  }
  return undefined;
}

/** Whether a match depends on other emails of the thread. */
export function looksAtThreads(filter: Filter<EmailFilter> | undefined): boolean {
  for (const condition of conditionsOf(filter)) {
    if ('allInThreadHaveKeyword' in condition || 'someInThreadHaveKeyword' in condition || 'noneInThreadHaveKeyword' in condition)
      return true;
  }
  return false;
}

type RowTest = (at: number) => boolean;

/** What tests of a filter share while it runs. */
export interface FilterContext {
  readonly reader: AccountReader;
  readonly cache: AccountCache;
  readonly columns: Columns;
  /** The mailbox that the columns are of, if they are of one. */
  readonly scope: string | undefined;
  /** Of the whole account, gathered once when a condition needs it. */
  readonly all: () => Columns;
}

export function filterContext(reader: AccountReader, cache: AccountCache, columns: Columns, scope?: string): FilterContext {
  let all: Columns | undefined;
  return { reader, cache, columns, scope, all: () => (all ??= columnsOfAll(reader)) };
}

/** The test of a whole filter on a row. */
export function filterTest(context: FilterContext, filter: Filter<EmailFilter>): RowTest {
  const tests = new Map<EmailFilter, RowTest>();
  for (const condition of conditionsOf(filter)) tests.set(condition, conditionTest(context, condition));
  let row = 0;
  const test = (condition: EmailFilter) => tests.get(condition)!(row);
  return (at) => {
    row = at;
    return passes(filter, test);
  };
}

/** Cheap tests first: text is looked at last. */
function conditionTest({ reader, cache, columns, scope, all }: FilterContext, condition: EmailFilter): RowTest {
  const tests: RowTest[] = [];
  const { email, thread, keywordSet, size, receivedAt } = columns;
  const { inMailbox, inMailboxOtherThan, before, after, minSize, maxSize, hasAttachment } = condition;
  if (minSize !== undefined) tests.push((at) => size[at]! >= minSize);
  if (maxSize !== undefined) tests.push((at) => size[at]! < maxSize);
  if (before !== undefined) {
    const limit = parseJmapDate(before, true)!;
    tests.push((at) => receivedAt[at]! < limit);
  }
  if (after !== undefined) {
    const limit = parseJmapDate(after, true)!;
    tests.push((at) => receivedAt[at]! >= limit);
  }
  if (condition.hasKeyword !== undefined) {
    const has = keywordTest(reader, condition.hasKeyword);
    tests.push((at) => has(keywordSet[at]!));
  }
  if (condition.notKeyword !== undefined) {
    const has = keywordTest(reader, condition.notKeyword);
    tests.push((at) => !has(keywordSet[at]!));
  }
  for (const [keyword, holds] of [
    [condition.allInThreadHaveKeyword, (of: ReturnType<typeof threadKeyword>, id: number) => of.all(id)],
    [condition.someInThreadHaveKeyword, (of: ReturnType<typeof threadKeyword>, id: number) => of.some(id)],
    [condition.noneInThreadHaveKeyword, (of: ReturnType<typeof threadKeyword>, id: number) => !of.some(id)],
  ] as const) {
    if (keyword === undefined) continue;
    const threads = threadKeyword(all(), keywordTest(reader, keyword));
    tests.push((at) => holds(threads, thread[at]!));
  }
  if (inMailbox !== undefined && inMailbox !== scope) {
    const members = membersOf(reader, inMailbox);
    tests.push((at) => members.has(email[at]!));
  }
  if (inMailboxOtherThan !== undefined) {
    const excluded = new Set(inMailboxOtherThan.map(parseMailboxId));
    const others = reader.mailboxes().filter(({ id }) => !excluded.has(id));
    const members = others.map(({ id }) => emailsIn(reader, id));
    tests.push((at) => members.some((set) => set.has(email[at]!)));
  }
  if (hasAttachment !== undefined) tests.push((at) => isWithAttachment(reader, cache, email[at]!) === hasAttachment);
  const delivered = deliveryTest(reader, cache, condition);
  if (delivered !== undefined) tests.push((at) => delivered(email[at]!));
  const signed = smimeTest(reader, cache, condition);
  if (signed !== undefined) tests.push((at) => signed(email[at]!));
  tests.push(
    ...textTests(reader, cache, condition).map(
      (test): RowTest =>
        (at) =>
          test(email[at]!),
    ),
  );
  const [only] = tests;
  if (only === undefined) return () => true;
  return tests.length === 1 ? only : (at) => tests.every((test) => test(at));
}

function membersOf(reader: AccountReader, id: string): BitSet {
  const mailbox = parseMailboxId(id);
  return mailbox === undefined || reader.mailbox(mailbox) === undefined ? new BitSet() : emailsIn(reader, mailbox as MailboxNumber);
}

function isWithAttachment(reader: AccountReader, cache: AccountCache, email: number): boolean {
  cache.attachments = roomFor(cache.attachments, email) as typeof cache.attachments;
  let known = cache.attachments[email];
  if (known === 0) {
    known = reader.email(email as EmailNumber)?.hasAttachment === true ? 2 : 1;
    cache.attachments[email] = known;
  }
  return known === 2;
}

function textTests(reader: AccountReader, cache: AccountCache, condition: EmailFilter): ((email: number) => boolean)[] {
  const places: [TextPlace, string | undefined][] = [
    [{ header: ['from'] }, condition.from],
    [{ header: ['to'] }, condition.to],
    [{ header: ['cc'] }, condition.cc],
    [{ header: ['bcc'] }, condition.bcc],
    [{ header: ['subject'] }, condition.subject],
    ['body', condition.body],
    ['text', condition.text],
  ];
  const tests = places.flatMap(([place, text]) => (text === undefined ? [] : [textMatcher(reader, cache, place, text)]));
  const [name, text] = condition.header ?? [];
  if (name !== undefined)
    tests.push(text === undefined ? headerExists(reader, name) : textMatcher(reader, cache, { header: [name] }, text));
  return tests;
}

function headerExists(reader: AccountReader, name: string): (email: number) => boolean {
  const wanted = name.toLowerCase();
  const line = new RegExp(`^${wanted.replace(/[^a-z0-9]/g, '\\$&')}[ \\t]*:`, 'im');
  return (email) => {
    const bytes = reader.headerBytes(email as EmailNumber);
    if (bytes !== undefined && line.test(Buffer.from(bytes).toString('latin1'))) return true;
    return reader.facts(email as EmailNumber)?.headerOmitted.includes(wanted) === true;
  };
}
