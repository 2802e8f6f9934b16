/** Email/get (RFC 8621 §4.2). Lists are answered from the index; a message is read only for body values and header fields that the index does not hold. */
import { emailBlobId } from '../../../../protocol/jmap/blob-id.ts';
import {
  type BodyOptions,
  contentProperty,
  defaultBodyProperties,
  isContentProperty,
  isListProperty,
  isPartProperty,
  type MessageContent,
  needsRaw,
} from '../../../../protocol/jmap/email-content.ts';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { getArguments } from '../../../../protocol/jmap/schema/common.ts';
import { bodyArguments } from '../../../../protocol/jmap/schema/email.ts';
import { smimeProperties } from '../../../../protocol/jmap/schema/smime.ts';
import { formatUtcDate } from '../../../../protocol/jmap/utc-date.ts';
import { type EmailNumber, formatEmailId, formatThreadId, parseEmailId } from '../../../../protocol/mail/ids.ts';
import type { AccountReader, Email } from '../../../../storage/account/api.ts';
import type { BlobRef } from '../../../../storage/log/record.ts';
import type { AccountCache } from '../../account-cache.ts';
import { deliveryOf } from '../../delivery-facts.ts';
import { defineMethod, deliveryCapability, type MethodContext, mailCapability, smimeCapability } from '../../method.ts';
import { columnsOfAll } from '../../search/columns.ts';
import { smimePropertiesOf } from '../../smime/status.ts';
import { askedIds, askedProperties } from '../../standard/get.ts';
import { stateString } from '../../states.ts';
import { isVisible, keywordsOf, mailboxIdsOf } from '../../visible.ts';

/** Properties that are the account's, not the message's. */
export const metadata: Readonly<Record<string, (email: Email) => unknown>> = {
  id: ({ id }) => formatEmailId(id),
  blobId: ({ id }) => emailBlobId(id),
  threadId: ({ thread }) => formatThreadId(thread),
  mailboxIds: mailboxIdsOf,
  keywords: keywordsOf,
  size: ({ size }) => size,
  receivedAt: ({ receivedAt }) => formatUtcDate(receivedAt),
};

/** §4.2. */
const defaults: readonly string[] = [
  ...Object.keys(metadata),
  ...['messageId', 'inReplyTo', 'references', 'sender', 'from', 'to', 'cc', 'bcc', 'replyTo', 'subject', 'sentAt'],
  ...['hasAttachment', 'preview', 'bodyValues', 'textBody', 'htmlBody', 'attachments'],
];

export const isEmailProperty = (name: string): boolean => Object.hasOwn(metadata, name) || isContentProperty(name);

const isSmimeProperty = (name: string): boolean => (smimeProperties as readonly string[]).includes(name);

/** Of requests that use its capability. */
const deliveryProperty = 'delivery';

export interface BodyArguments {
  readonly bodyProperties?: readonly string[] | null;
  readonly fetchTextBodyValues?: boolean;
  readonly fetchHTMLBodyValues?: boolean;
  readonly fetchAllBodyValues?: boolean;
  readonly maxBodyValueBytes?: number;
}

/** Throws MethodError 'invalidArguments' for a part property that there is not. */
export function bodyOptions(args: BodyArguments): BodyOptions {
  const bodyProperties = args.bodyProperties ?? defaultBodyProperties;
  const unknown = bodyProperties.find((name) => !isPartProperty(name));
  if (unknown !== undefined) throw new MethodError('invalidArguments', `Parts have no property ${JSON.stringify(unknown.slice(0, 200))}.`);
  return {
    bodyProperties,
    fetchTextBodyValues: args.fetchTextBodyValues === true,
    fetchHTMLBodyValues: args.fetchHTMLBodyValues === true,
    fetchAllBodyValues: args.fetchAllBodyValues === true,
    maxBodyValueBytes: args.maxBodyValueBytes ?? 0,
  };
}

/** An email that waits for its message's bytes. */
interface Pending {
  readonly email: Email;
  readonly shown: Record<string, unknown>;
  readonly content: Omit<MessageContent, 'raw'>;
  readonly blob: BlobRef | undefined;
  readonly properties: readonly string[];
}

export const emailGet = defineMethod({
  name: 'Email/get',
  capability: mailCapability,
  access: 'read',
  arguments: getArguments(bodyArguments),
  async run(context, args) {
    const options = bodyOptions(args);
    const hasSmime = context.using.has(smimeCapability);
    const hasDelivery = context.using.has(deliveryCapability);
    const isProperty = (name: string) =>
      isEmailProperty(name) || (hasDelivery && name === deliveryProperty) || (hasSmime && isSmimeProperty(name));
    const properties = askedProperties(args.properties, defaults, isProperty);
    const ofMetadata = properties.filter((name) => Object.hasOwn(metadata, name));
    const ofContent = properties.filter((name) => !Object.hasOwn(metadata, name) && name !== deliveryProperty && !isSmimeProperty(name));
    const ofSmime = properties.filter(isSmimeProperty);
    const notFound: string[] = [];
    const pending: Pending[] = [];
    const { list, state } = context.account.read((reader) => {
      const shownList: Record<string, unknown>[] = [];
      const all = () => Array.from(columnsOfAll(reader).email, (email) => formatEmailId(email as EmailNumber));
      for (const id of askedIds(context, args.ids, all)) {
        const number = parseEmailId(id);
        const email = number === undefined ? undefined : reader.email(number);
        if (!isVisible(email)) {
          notFound.push(id);
          continue;
        }
        const shown: Record<string, unknown> = {};
        for (const name of ofMetadata) shown[name] = metadata[name]!(email);
        if (properties.includes(deliveryProperty)) shown[deliveryProperty] = deliveryOf(reader, email.id);
        const waiting = showContent(reader, context.cache, email, shown, ofContent, options);
        if (waiting !== undefined) pending.push(waiting);
        shownList.push(shown);
      }
      return { list: shownList, state: stateString(context.cache.states(reader), 'Email') };
    });
    for (const waiting of pending) await finish(context, waiting, options);
    if (ofSmime.length > 0) for (const shown of list) await showSmime(context, shown, ofSmime);
    return { accountId: args.accountId, state, list, notFound };
  },
});

async function showSmime(context: MethodContext, shown: Record<string, unknown>, names: readonly string[]): Promise<void> {
  const smime = await smimePropertiesOf(context, parseEmailId(String(shown['id']))!);
  for (const name of names) shown[name] = smime[name as keyof typeof smime];
}

/** Fills in what the index can tell. Returns what is left for the message's bytes. */
function showContent(
  reader: AccountReader,
  cache: AccountCache,
  email: Email,
  shown: Record<string, unknown>,
  properties: readonly string[],
  options: BodyOptions,
): Pending | undefined {
  if (properties.length === 0) return undefined;
  const known = cache.emails.get(email.id) ?? cache.emails.set(email.id, new Map());
  const missing: string[] = [];
  for (const name of properties) {
    if (known.has(name)) shown[name] = known.get(name);
    else missing.push(name);
  }
  if (missing.length === 0) return undefined;
  const facts = reader.facts(email.id);
  if (facts === undefined) return undefined;
  const content = { facts, blobId: emailBlobId(email.id), preview: reader.preview(email.id) ?? '' };
  const left: string[] = [];
  for (const name of missing) {
    if (needsRaw(facts, [name], options)) {
      left.push(name);
      continue;
    }
    const value = contentProperty({ ...content, raw: undefined }, name, options);
    shown[name] = value;
    if (isListProperty(name)) known.set(name, value);
  }
  return left.length === 0 ? undefined : { email, shown, content, blob: reader.blob(email.id), properties: left };
}

async function finish(
  { account, services }: MethodContext,
  { email, shown, content, blob, properties }: Pending,
  options: BodyOptions,
): Promise<void> {
  let raw: Buffer | undefined;
  try {
    raw = blob === undefined ? undefined : await account.blobBytes(blob);
  } catch (error) {
    // The rest of the list, and what the index holds of this one, is still of use.
    services.logger.error('A message could not be read.', { account: account.id, email: email.id, error });
  }
  for (const name of properties) shown[name] = contentProperty({ ...content, raw }, name, options);
}
