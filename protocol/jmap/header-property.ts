/** `header:Name:asForm:all` properties (RFC 8621 §4.1.2, §4.1.3): reading their names, and their values from raw header values. */
import { asAddresses, asDate, asGroupedAddresses, asMessageIds, asRaw, asText, asUrls } from '../mime/header-forms.ts';

export type HeaderForm = 'asRaw' | 'asText' | 'asAddresses' | 'asGroupedAddresses' | 'asMessageIds' | 'asDate' | 'asURLs';

export interface HeaderProperty {
  /** As the client spells it. */
  readonly name: string;
  readonly form: HeaderForm;
  readonly isAll: boolean;
}

const readers: Readonly<Record<HeaderForm, (value: string) => unknown>> = {
  asRaw,
  asText,
  asAddresses,
  asGroupedAddresses,
  asMessageIds,
  asDate,
  asURLs: asUrls,
};

const addressForms: readonly HeaderForm[] = ['asAddresses', 'asGroupedAddresses'];
/** Fields of RFC 5322 and RFC 2369 with the forms that they may be read in, beside asRaw. Others may be read in any. */
const formsOf = new Map<string, readonly HeaderForm[]>([
  ...['from', 'sender', 'reply-to', 'to', 'cc', 'bcc'].flatMap((name): [string, readonly HeaderForm[]][] => [
    [name, addressForms],
    [`resent-${name}`, addressForms],
  ]),
  ...['message-id', 'in-reply-to', 'references', 'resent-message-id'].map((name): [string, readonly HeaderForm[]] => [
    name,
    ['asMessageIds'],
  ]),
  ...['date', 'resent-date'].map((name): [string, readonly HeaderForm[]] => [name, ['asDate']]),
  ...['subject', 'comments', 'keywords', 'list-id'].map((name): [string, readonly HeaderForm[]] => [name, ['asText']]),
  ...['list-help', 'list-unsubscribe', 'list-subscribe', 'list-post', 'list-owner', 'list-archive'].map(
    (name): [string, readonly HeaderForm[]] => [name, ['asURLs']],
  ),
  ['return-path', []],
  ['received', []],
]);

/** undefined where it is no header property, or asks for a form that the field may not be read in. */
export function parseHeaderProperty(property: string): HeaderProperty | undefined {
  const [prefix, name = '', ...rest] = property.split(':');
  if (prefix !== 'header' || !/^[\x21-\x39\x3b-\x7e]+$/.test(name)) return undefined;
  const isAll = rest.at(-1) === 'all';
  const forms = isAll ? rest.slice(0, -1) : rest;
  const [form = 'asRaw'] = forms;
  if (forms.length > 1 || !Object.hasOwn(readers, form)) return undefined;
  const allowed = formsOf.get(name.toLowerCase());
  if (form !== 'asRaw' && allowed?.includes(form as HeaderForm) === false) return undefined;
  return { name, form: form as HeaderForm, isAll };
}

/** The property's value; `values` are the raw ones of all instances. RFC 8621 §4.1.3: without `all` the last one, or null. */
export function headerPropertyValue({ form, isAll }: HeaderProperty, values: readonly string[]): unknown {
  const read = readers[form];
  if (isAll) return values.map(read);
  const last = values.at(-1);
  return last === undefined ? null : read(last);
}

/** Properties that stand for a header field (§4.1.3). */
export const namedHeaderProperties: ReadonlyMap<string, string> = new Map([
  ['messageId', 'header:Message-ID:asMessageIds'],
  ['inReplyTo', 'header:In-Reply-To:asMessageIds'],
  ['references', 'header:References:asMessageIds'],
  ['sender', 'header:Sender:asAddresses'],
  ['from', 'header:From:asAddresses'],
  ['to', 'header:To:asAddresses'],
  ['cc', 'header:Cc:asAddresses'],
  ['bcc', 'header:Bcc:asAddresses'],
  ['replyTo', 'header:Reply-To:asAddresses'],
  ['subject', 'header:Subject:asText'],
  ['sentAt', 'header:Date:asDate'],
]);
