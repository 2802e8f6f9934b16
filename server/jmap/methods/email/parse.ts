/** Email/parse (RFC 8621 §4.9): messages in blobs, shown without being in the account. */
import { Type } from 'typebox';
import { contentProperty, isContentProperty } from '../../../../protocol/jmap/email-content.ts';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { maxObjectsInGet } from '../../../../protocol/jmap/limits.ts';
import { AskedId, maybe, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { bodyArguments } from '../../../../protocol/jmap/schema/email.ts';
import { readBlob } from '../../blobs.ts';
import { defineMethod, type MethodContext, mailCapability } from '../../method.ts';
import { askedProperties } from '../../standard/get.ts';
import { type BodyArguments, bodyOptions, isEmailProperty } from './get.ts';

/** §4.9. */
const defaults: readonly string[] = [
  ...['messageId', 'inReplyTo', 'references', 'sender', 'from', 'to', 'cc', 'bcc', 'replyTo', 'subject', 'sentAt'],
  ...['hasAttachment', 'preview', 'bodyValues', 'textBody', 'htmlBody', 'attachments'],
];

export const emailParse = defineMethod({
  name: 'Email/parse',
  capability: mailCapability,
  access: 'read',
  arguments: onAccount({ blobIds: Type.Array(AskedId), properties: maybe(Type.Array(Type.String())), ...bodyArguments }),
  async run(context, args) {
    if (args.blobIds.length > maxObjectsInGet)
      throw new MethodError('requestTooLarge', `At most ${maxObjectsInGet} blobs are parsed at once.`);
    const asked = askedProperties(args.properties, defaults, isEmailProperty);
    const properties = args.properties ? args.properties : asked;
    const parsed: Record<string, object> = {};
    const notParsable: string[] = [];
    const notFound: string[] = [];
    for (const given of new Set(args.blobIds)) {
      const blobId = context.resolveId(given);
      const found = await readBlob(context.account, blobId);
      if (found === undefined) notFound.push(given);
      else if (!isMessage(found.bytes)) notParsable.push(given);
      else parsed[given] = await parse(context, blobId, found.bytes, properties, args);
    }
    const orNull = (list: string[]) => (list.length === 0 ? null : list);
    return {
      accountId: args.accountId,
      parsed: Object.keys(parsed).length === 0 ? null : parsed,
      notParsable: orNull(notParsable),
      notFound: orNull(notFound),
    };
  },
});

/** Best effort: whatever begins with a header field is a message. */
export function isMessage(bytes: Buffer): boolean {
  return /^(?:>?From [^\n]*\n)?[\x21-\x39\x3b-\x7e]+[ \t]*:/.test(bytes.toString('latin1', 0, 2000));
}

async function parse(
  { services }: MethodContext,
  blobId: string,
  raw: Buffer,
  properties: readonly string[],
  args: BodyArguments,
): Promise<object> {
  const { facts, preview } = await services.readMessage(raw);
  const options = bodyOptions(args);
  const account: Readonly<Record<string, unknown>> = {
    id: null,
    mailboxIds: null,
    keywords: null,
    receivedAt: null,
    threadId: null,
    blobId,
    size: raw.length,
  };
  return Object.fromEntries(
    properties.map((name) => [
      name,
      isContentProperty(name) ? contentProperty({ facts, blobId, preview, raw }, name, options) : account[name],
    ]),
  );
}
