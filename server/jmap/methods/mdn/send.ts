/** MDN/send (RFC 9007 §2.1): a disposition notification for an email that asks for one goes into the outbox; that it was sent is kept at the email. */
import { Type } from 'typebox';
import { invalidProperties, MethodError, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { maxObjectsInSet } from '../../../../protocol/jmap/limits.ts';
import { buildMdn } from '../../../../protocol/jmap/mdn-message.ts';
import { maybe, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { type IdentityRecord, identityType } from '../../../../protocol/jmap/schema/identity.ts';
import { MdnSettings } from '../../../../protocol/jmap/schema/mdn.ts';
import { formatEmailId, parseEmailId } from '../../../../protocol/mail/ids.ts';
import { headerValuesFromRaw } from '../../../../protocol/mime/header-facts.ts';
import { asAddresses, asText } from '../../../../protocol/mime/header-forms.ts';
import { canonicalAddress } from '../../../../storage/directory/address.ts';
import { maySendAs } from '../../../../storage/directory/sender.ts';
import { enqueue } from '../../../../storage/outbox/outbox.ts';
import { bringIdentitiesUp } from '../../identities.ts';
import { defineMethod, type MethodContext, mdnCapability } from '../../method.ts';
import { notFoundError, SetOutcome } from '../../standard/set.ts';
import { newSettings } from '../../standard/settings.ts';
import { requireRoom } from '../../submissions.ts';
import { isVisible } from '../../visible.ts';

const sentKeyword = '$mdnsent';
const Patch = Type.Record(Type.String(), Type.Unknown());

export const mdnSend = defineMethod({
  name: 'MDN/send',
  capability: mdnCapability,
  access: 'write',
  arguments: onAccount({
    identityId: Type.String(),
    send: Type.Record(Type.String(), Patch),
    onSuccessUpdateEmail: maybe(Type.Record(Type.String(), Patch)),
  }),
  async run(context, args) {
    const entries = Object.entries(args.send);
    if (entries.length > maxObjectsInSet)
      throw new MethodError('requestTooLarge', `At most ${maxObjectsInSet} notifications are sent at once.`);
    await bringIdentitiesUp(context);
    const identity = context.account.read((reader) => reader.object<IdentityRecord>(identityType, context.resolveId(args.identityId)));
    if (identity === undefined) throw new MethodError('invalidArguments', 'There is no such identity.');
    const outcome = new SetOutcome();
    const update: Record<string, Record<string, unknown>> = {};
    for (const [key, given] of entries) {
      await outcome.attempt('notCreated', key, async () => {
        const mdn = newSettings<MdnSettings>(MdnSettings, given, defaults);
        const email = context.resolveId(mdn.forEmailId);
        const patch = args.onSuccessUpdateEmail?.[`#${key}`] ?? args.onSuccessUpdateEmail?.[mdn.forEmailId];
        if (!marksAsSent(patch)) throw invalidProperties(`onSuccessUpdateEmail sets ${sentKeyword}.`, 'onSuccessUpdateEmail');
        if (Object.hasOwn(update, email)) throw alreadySent();
        const set = await send(context, identity, mdn);
        outcome.created[key] = Object.fromEntries(Object.entries({ ...defaults, ...set }).filter(([name]) => !Object.hasOwn(given, name)));
        update[email] = patch;
      });
    }
    if (Object.keys(update).length > 0) context.implicitCalls.push({ name: 'Email/set', args: { accountId: args.accountId, update } });
    const orNull = <T extends object>(value: T) => (Object.keys(value).length === 0 ? null : value);
    return { accountId: args.accountId, sent: orNull(outcome.created), notSent: orNull(outcome.notCreated) };
  },
});

const defaults: Partial<MdnSettings> = {
  subject: null,
  textBody: null,
  includeOriginalMessage: false,
  reportingUA: null,
  finalRecipient: null,
  extensionFields: null,
};

const alreadySent = () => new SetFailure({ type: 'mdnAlreadySent', description: `${sentKeyword} is set already.` });

function marksAsSent(patch: Readonly<Record<string, unknown>> | undefined): patch is Record<string, unknown> {
  if (patch === undefined) return false;
  const keywords = patch['keywords'] as Readonly<Record<string, unknown>> | undefined;
  return patch[`keywords/${sentKeyword}`] === true || keywords?.[sentKeyword] === true;
}

/** Sends one; gives what the client did not say. */
async function send(context: MethodContext, identity: IdentityRecord, mdn: MdnSettings): Promise<object> {
  const { account, services } = context;
  const number = parseEmailId(context.resolveId(mdn.forEmailId));
  const original = account.read((reader) => {
    const email = number === undefined ? undefined : reader.email(number);
    const [facts, blob] = number === undefined ? [] : [reader.facts(number), reader.blob(number)];
    if (!isVisible(email) || facts === undefined || blob === undefined) throw new SetFailure(notFoundError);
    return { email, facts, blob };
  });
  if (original.email.keywords.includes(sentKeyword)) throw alreadySent();
  const raw = await account.blobBytes(original.blob);
  const header = raw.subarray(0, original.facts.root.bodyStart);
  const to = headerValuesFromRaw(header, 'disposition-notification-to').flatMap(asAddresses);
  const recipients = [...new Set(to.map(({ email }) => email))].filter((email) => canonicalAddress(email) !== undefined);
  if (recipients.length === 0) throw new SetFailure({ type: 'notFound', description: 'The email asks for no notification.' });
  const [originalRecipient] = headerValuesFromRaw(header, 'original-recipient').map(asText);
  const finalRecipient = finalRecipientOf(context, identity, mdn);
  const set = {
    subject: mdn.subject ?? `Disposition: ${original.facts.subject}`,
    textBody:
      mdn.textBody ??
      `The message "${original.facts.subject}" was ${mdn.disposition.type}. This does not say that it was read or understood.`,
    finalRecipient,
    originalRecipient: originalRecipient ?? null,
    originalMessageId: original.facts.messageIds[0] === undefined ? null : `<${original.facts.messageIds[0]}>`,
  };
  const messageId = `${services.random.hex(16)}@${services.hostname}`;
  const message = buildMdn({
    mdn,
    ...set,
    originalMessageId: original.facts.messageIds[0] ?? null,
    from: { name: identity.name, email: addressOf(finalRecipient) },
    to: recipients,
    messageId,
    boundary: `=_${services.random.hex(16)}`,
    now: services.clock.now(),
    originalMessage: mdn.includeOriginalMessage ? raw : undefined,
  });
  if (message.length > services.messageBytesMax)
    throw new SetFailure({ type: 'tooLarge', description: `A message has at most ${services.messageBytesMax} bytes.` });
  const upload = await account.upload(message);
  const id = `n${services.random.hex(12)}`;
  await account.transact(
    (tx) => {
      if (tx.email(original.email.id)?.keywords.includes(sentKeyword) === true) throw alreadySent();
      requireRoom(tx);
      // RFC 8098 §3: from nobody, so that nothing answers it.
      const mailFrom = { email: '', parameters: null };
      const rcptTo = recipients.map((email) => ({ email, parameters: null }));
      enqueue(tx, { id, origin: 'mdn', blob: upload.ref, messageId, envelope: { mailFrom, rcptTo } });
    },
    { uploads: [upload] },
  );
  return { ...set, forEmailId: formatEmailId(original.email.id) };
}

const addressOf = (recipient: string) => recipient.slice(recipient.indexOf(';') + 1).trim();

function finalRecipientOf({ account, services }: MethodContext, identity: IdentityRecord, { finalRecipient }: MdnSettings): string {
  const addresses = services.directory.addressesOf(account.id);
  const own = identity.email.startsWith('*@') ? addresses.find((address) => !address.startsWith('*@')) : identity.email;
  const address = finalRecipient === null ? (own ?? '') : addressOf(finalRecipient);
  if (!maySendAs(addresses, address))
    throw new SetFailure({ type: 'forbiddenFrom', description: 'The final recipient is not an address of this account.' });
  return `rfc822; ${address}`;
}
