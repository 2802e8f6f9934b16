/**
 * Which fields a change has, and of which form: the reader's half of `Change` in record.ts. The table is typed by the union, so that the compiler
 * points here when a change or field is added.
 */
import type { BlobRef, Change, DeliveryFacts, MailboxRecord, MembershipRecord } from './record.ts';

type Form = (value: unknown) => boolean;
interface Field {
  readonly form: Form;
  readonly isOptional?: true;
}
type Fields<T> = { readonly [K in keyof Required<T>]: Field };
type FieldsOf<Kind extends Change['do']> = Fields<Omit<Extract<Change, { do: Kind }>, 'do'>>;

const natural: Form = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const positive: Form = (value) => Number.isSafeInteger(value) && (value as number) > 0;
const integer: Form = (value) => Number.isSafeInteger(value);
const text: Form = (value) => typeof value === 'string';
const accountId: Form = (value) => typeof value === 'string' && /^[a-z0-9]{1,32}$/.test(value);
const flag: Form = (value) => typeof value === 'boolean';
const anything: Form = () => true;
const record: Form = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const orNull =
  (form: Form): Form =>
  (value) =>
    value === null || form(value);
const listOf =
  (form: Form): Form =>
  (value) =>
    Array.isArray(value) && value.every(form);
const literal =
  (...values: readonly unknown[]): Form =>
  (value) =>
    values.includes(value);
const recordOf =
  <T>(fields: Fields<T>): Form =>
  (value) =>
    fieldFault(value, fields, []) === undefined;
const range: Form = (value) =>
  Array.isArray(value) && value.length === 2 && positive(value[0]) && positive(value[1]) && value[0] <= value[1];

const is = (form: Form): Field => ({ form });
const maybe = (form: Form): Field => ({ form, isOptional: true });

const texts = listOf(text);
const ranges = listOf(range);
const blob = recordOf<BlobRef>({ object: is(text), offset: is(natural), length: is(natural), sha256: is(text) });
const membership = recordOf<MembershipRecord>({ mailbox: is(positive), uid: is(positive), deleted: maybe(literal(true)) });
const roles = ['inbox', 'archive', 'drafts', 'flagged', 'important', 'junk', 'sent', 'trash', 'all'];
const mailbox = recordOf<MailboxRecord>({
  id: is(positive),
  name: is(text),
  parent: is(orNull(positive)),
  role: is(orNull(literal(...roles))),
  order: is(integer),
  subscribed: is(flag),
  uidValidity: is(positive),
});
const delivery = recordOf<DeliveryFacts>({
  source: is(literal('ses', 'lmtp', 'inbound', 'import', 'append', 'jmap', 'submission')),
  sesMessageId: maybe(text),
  envelopeFrom: maybe(text),
  envelopeTo: maybe(text),
  lineEnds: maybe(literal('LF')),
  spam: maybe(text),
  virus: maybe(text),
  spf: maybe(text),
  dkim: maybe(text),
  dmarc: maybe(text),
});

const changes: { readonly [Kind in Change['do']]: FieldsOf<Kind> } = {
  'mailbox.put': { mailbox: is(mailbox) },
  'mailbox.remove': { id: is(positive) },
  'email.add': {
    id: is(positive),
    thread: is(positive),
    blob: is(blob),
    receivedAt: is(integer),
    keywords: is(texts),
    in: is(listOf(membership)),
    facts: is(record),
    text: is(text),
    preview: is(text),
    delivery: maybe(delivery),
  },
  'email.copy': { from: is(positive), id: is(positive), thread: is(positive), keywords: is(texts), in: is(listOf(membership)) },
  'email.remove': { emails: is(ranges) },
  keywords: { emails: is(ranges), set: maybe(texts), add: maybe(texts), remove: maybe(texts) },
  'membership.add': { mailbox: is(positive), emails: is(ranges), uid: is(positive) },
  'membership.remove': { mailbox: is(positive), uids: is(ranges) },
  'membership.deleted': { mailbox: is(positive), uids: is(ranges), deleted: is(flag) },
  seen: { viewer: is(accountId), emails: is(ranges), seen: is(flag) },
  ingest: { key: is(text), email: is(orNull(positive)) },
  'object.put': { type: is(text), id: is(text), value: is(anything) },
  'object.remove': { type: is(text), id: is(text) },
  closed: {},
};

/** What is wrong with a change, as the end of a sentence; undefined when it is one that this version knows. */
export function changeFault(change: unknown): string | undefined {
  if (!record(change)) return 'has a change that is not a record';
  const { do: kind } = change as { do?: unknown };
  if (typeof kind !== 'string' || !Object.hasOwn(changes, kind))
    return `has the change ${JSON.stringify(kind)}, which this version does not know`;
  const fault = fieldFault(change, changes[kind as Change['do']], ['do']);
  return fault === undefined ? undefined : `has a change ${kind} whose ${fault}`;
}

function fieldFault<T>(value: unknown, fields: Fields<T>, others: readonly string[]): string | undefined {
  if (!record(value)) return 'form is not known';
  const given = value as Record<string, unknown>;
  for (const name of Object.keys(given))
    if (!Object.hasOwn(fields, name) && !others.includes(name)) return `field ${JSON.stringify(name)} is not known`;
  for (const [name, { form, isOptional }] of Object.entries<Field>(fields)) {
    if (given[name] === undefined ? isOptional !== true : !form(given[name])) return `field ${name} is not what it must be`;
  }
  return undefined;
}
