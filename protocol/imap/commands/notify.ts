/**
 * notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-group *(SP event-group) / "NONE") (RFC 5465 §8);
 *   event-group = "(" filter-mailboxes SP events ")"
 *   events = "(" event *(SP event) ")" / "NONE"; event = "MessageNew" [SP "(" fetch-att *(SP fetch-att) ")"] / "MessageExpunge" / …
 */
import { decodeFetchAttribute, type FetchAttribute, formatFetchAttribute } from '../fetch-attribute.ts';
import { mailboxFiltersMax } from '../limits.ts';
import { decodeMailboxFilter, encodeMailboxFilter, isOfSelected, type MailboxFilter } from '../mailbox-filter.ts';
import { CommandWriter } from '../wire/command-writer.ts';
import type { Scanner } from '../wire/scanner.ts';
import type { DecodeContext } from './context.ts';

export const notifyEvents = [
  'MessageNew',
  'MessageExpunge',
  'FlagChange',
  'MailboxName',
  'SubscriptionChange',
  'MailboxMetadataChange',
  'ServerMetadataChange',
] as const;
export type NotifyEvent = (typeof notifyEvents)[number];

const messageEvents: readonly NotifyEvent[] = ['MessageNew', 'MessageExpunge', 'FlagChange'];

export interface NotifyGroup {
  readonly filter: MailboxFilter;
  readonly events: readonly NotifyEvent[];
  /** Told of each new message in the selected mailbox. */
  readonly attributes: readonly FetchAttribute[];
}

export type NotifyArguments =
  | { readonly groups: undefined }
  | {
      readonly groups: readonly NotifyGroup[];
      readonly wantsStatus: boolean;
      /** Names of events that nobody here knows: the answer is NO (§3.1). */
      readonly unknown: readonly string[];
    };

export function decodeNotify(scanner: Scanner, context: Pick<DecodeContext, 'acceptsUtf8'>): NotifyArguments {
  scanner.space();
  const how = scanner.keyword('SET or NONE');
  if (how === 'NONE') {
    scanner.expectEnd();
    return { groups: undefined };
  }
  if (how !== 'SET') scanner.fail('SET or NONE');
  scanner.space();
  const wantsStatus = !scanner.isNext('(');
  if (wantsStatus) {
    if (scanner.keyword('STATUS') !== 'STATUS') scanner.fail('STATUS');
    scanner.space();
  }
  const unknown: string[] = [];
  const groups: NotifyGroup[] = [];
  do groups.push(decodeGroup(scanner, context, unknown));
  while (scanner.take(' '));
  scanner.expectEnd();
  if (groups.length > mailboxFiltersMax) scanner.fail(`at most ${mailboxFiltersMax} groups`);
  // RFC 5465 §6.1.
  if (groups.filter(({ filter }) => isOfSelected(filter)).length > 1) scanner.fail('one of SELECTED and SELECTED-DELAYED, once');
  return { groups, wantsStatus, unknown };
}

function decodeGroup(scanner: Scanner, context: Pick<DecodeContext, 'acceptsUtf8'>, unknown: string[]): NotifyGroup {
  scanner.expect('(');
  const filter = decodeMailboxFilter(scanner, context.acceptsUtf8);
  scanner.space();
  const events: NotifyEvent[] = [];
  const attributes: FetchAttribute[] = [];
  const known = unknown.length;
  const event = () => {
    const name = scanner.keyword('an event');
    const found = notifyEvents.find((one) => one.toUpperCase() === name);
    if (found === undefined) unknown.push(name);
    else events.push(found);
    if (found === 'MessageNew' && scanner.text[scanner.position + 1] === 0x28 && scanner.take(' '))
      attributes.push(...scanner.list(() => decodeFetchAttribute(scanner)));
  };
  if (scanner.isNext('(')) scanner.list(event);
  else {
    // RFC 5465 §3.1's examples have events without their parentheses.
    do event();
    while (scanner.take(' '));
    if (unknown.length === known + 1 && unknown.at(-1) === 'NONE' && events.length === 0) unknown.pop();
  }
  scanner.expect(')');
  if (unknown.length === known) checkEvents(scanner, filter, events, attributes);
  return { filter, events, attributes };
}

/** RFC 5465 §5, §6.1. */
function checkEvents(scanner: Scanner, filter: MailboxFilter, events: readonly NotifyEvent[], attributes: readonly FetchAttribute[]): void {
  const has = (event: NotifyEvent) => events.includes(event);
  if (has('MessageNew') !== has('MessageExpunge')) scanner.fail('MessageNew and MessageExpunge together');
  if (has('FlagChange') && !has('MessageNew')) scanner.fail('MessageNew and MessageExpunge beside FlagChange');
  if (!isOfSelected(filter)) {
    if (attributes.length > 0) scanner.fail('data items for the selected mailbox only');
  } else if (!events.every((event) => messageEvents.includes(event))) scanner.fail('events of messages for the selected mailbox');
}

export function encodeNotify(notify: NotifyArguments): Buffer {
  const writer = new CommandWriter().raw('NOTIFY ');
  if (notify.groups === undefined) return writer.raw('NONE').toBuffer();
  writer.raw(`SET ${notify.wantsStatus ? 'STATUS ' : ''}`);
  writer.joined(notify.groups, ({ filter, events, attributes }) => {
    encodeMailboxFilter(writer.raw('('), filter).sp();
    const items = attributes.length === 0 ? '' : ` (${attributes.map(formatFetchAttribute).join(' ')})`;
    const names = events.map((event) => (event === 'MessageNew' ? `${event}${items}` : event));
    writer.raw(names.length === 0 ? 'NONE)' : `(${names.join(' ')}))`);
  });
  return writer.toBuffer();
}
