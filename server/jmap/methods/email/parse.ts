/** Email/parse (RFC 8621 §4.9): messages in blobs, shown without being in the account. */
import { Type } from 'typebox';
import { contentProperty, isContentProperty } from '../../../../protocol/jmap/email-content.ts';
import { AskedId, maybe, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { bodyArguments } from '../../../../protocol/jmap/schema/email.ts';
import { defineMethod, type MethodContext, mailCapability } from '../../method.ts';
import { askedProperties } from '../../standard/get.ts';
import { parseBlobs } from '../../standard/parse.ts';
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
  run(context, args) {
    const asked = askedProperties(args.properties, defaults, isEmailProperty);
    const properties = args.properties ? args.properties : asked;
    return parseBlobs(context, args, (bytes, blobId) => (isMessage(bytes) ? parse(context, blobId, bytes, properties, args) : undefined));
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
