/**
 * EmailSubmission/set (RFC 8621 §7.5): a new one goes into the outbox, whose dispatcher sends it; `canceled` takes it back while nobody has begun to.
 * What is to happen to the emails afterwards is one implicit Email/set.
 */
import { Type } from 'typebox';
import { invalidProperties, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { isRecord } from '../../../../protocol/jmap/request.ts';
import { maybe, setArguments } from '../../../../protocol/jmap/schema/common.ts';
import { SubmissionChange, type SubmissionEnvelope, SubmissionSettings } from '../../../../protocol/jmap/schema/email-submission.ts';
import { type IdentityRecord, identityType } from '../../../../protocol/jmap/schema/identity.ts';
import { type AddressFields, checkedEnvelope, heldUntil, recipientsOf, sendersOf } from '../../../../protocol/jmap/submission-envelope.ts';
import { type EmailNumber, formatEmailId, parseEmailId } from '../../../../protocol/mail/ids.ts';
import { headerValuesFromFacts, headerValuesFromRaw } from '../../../../protocol/mime/header-facts.ts';
import { recipientsMax } from '../../../../protocol/smtp/limits.ts';
import { isMailbox } from '../../../../protocol/smtp/path.ts';
import type { AccountReader } from '../../../../storage/account/api.ts';
import { canonicalAddress } from '../../../../storage/directory/address.ts';
import { maySendAs } from '../../../../storage/directory/sender.ts';
import { admitUserMail } from '../../../../storage/outbox/history.ts';
import { cancel, enqueue, forget } from '../../../../storage/outbox/outbox.ts';
import { type SubmissionRecord, submissionType } from '../../../../storage/outbox/record.ts';
import { bringIdentitiesUp } from '../../identities.ts';
import { maxDelayedSend } from '../../limits.ts';
import { defineMethod, type MethodContext, submissionCapability } from '../../method.ts';
import { shownObject, showObject } from '../../standard/objects.ts';
import { notFoundError, type SetOutcome, standardSet } from '../../standard/set.ts';
import { changedSettings, checkSettings, newSettings, serverSet } from '../../standard/settings.ts';
import { emailSubmissions, requireRoom } from '../../submissions.ts';
import { isVisible } from '../../visible.ts';

const PatchObject = Type.Record(Type.String(), Type.Unknown());

export const emailSubmissionSet = defineMethod({
  name: 'EmailSubmission/set',
  capability: submissionCapability,
  access: 'write',
  arguments: setArguments({
    onSuccessUpdateEmail: maybe(Type.Record(Type.String(), PatchObject)),
    onSuccessDestroyEmail: maybe(Type.Array(Type.String())),
  }),
  async run(context, args) {
    await bringIdentitiesUp(context);
    const emails = new Map<string, string>();
    const { outcome, response } = await standardSet(context, args, {
      type: submissionType,
      async create(steps, given, key) {
        const settings = newSettings<SubmissionSettings>(SubmissionSettings, given, { envelope: null });
        const prepared = await prepare(context, settings);
        const id = `s${context.services.random.hex(12)}`;
        await context.services.announce(context.account.id);
        const record = await steps.transact((tx) => {
          // The email may have gone since it was looked at.
          const blob = tx.blob(prepared.email);
          const email = tx.email(prepared.email);
          if (blob === undefined || !isVisible(email)) throw noEmail();
          requireRoom(tx);
          admitUserMail(tx, prepared.envelope.rcptTo.length, context.services.sendingLimits);
          const { thread } = email;
          return { value: enqueue(tx, { id, origin: 'jmap', blob, thread, ...prepared }), isChanged: true };
        });
        emails.set(`#${key}`, formatEmailId(prepared.email));
        const { envelope, ...named } = given;
        const isGiven = envelope !== undefined && envelope !== null;
        return { id, shown: serverSet(showObject(emailSubmissions, id, record), isGiven ? given : named) };
      },
      async update(steps, id, patch) {
        await steps.transact((tx) => {
          const record = existing(tx, id);
          emails.set(id, formatEmailId(record.email!));
          const changed = changedSettings(patch, showObject(emailSubmissions, id, record));
          checkSettings(SubmissionChange, changed);
          const isChanged = 'undoStatus' in changed;
          if (isChanged && !cancel(tx, id)) throw new SetFailure({ type: 'cannotUnsend', description: 'The message is on its way.' });
          return { value: undefined, isChanged };
        });
        return null;
      },
      async destroy(steps, id) {
        await steps.transact((tx) => {
          emails.set(id, formatEmailId(existing(tx, id).email!));
          forget(tx, id);
          return { value: undefined, isChanged: true };
        });
      },
    });
    const after = afterSuccess(context, outcome, emails, args);
    if (after !== undefined) context.implicitCalls.push({ name: 'Email/set', args: { accountId: args.accountId, ...after } });
    return response;
  },
});

/** What is to be done to the emails of submissions that succeeded; undefined for nothing. */
function afterSuccess(
  context: MethodContext,
  outcome: SetOutcome,
  emails: ReadonlyMap<string, string>,
  args: { onSuccessUpdateEmail?: Record<string, Record<string, unknown>> | null; onSuccessDestroyEmail?: string[] | null },
): object | undefined {
  const succeeded = new Set([
    ...Object.keys(outcome.created).map((key) => `#${key}`),
    ...Object.keys(outcome.updated),
    ...outcome.destroyed,
  ]);
  /** A submission may be named by its creation in this call, or in an earlier one of the request. */
  const emailOf = (given: string): string | undefined => {
    const name = succeeded.has(given) ? given : context.resolveId(given);
    return succeeded.has(name) ? emails.get(name) : undefined;
  };
  const update: Record<string, Record<string, unknown>> = {};
  for (const [given, patch] of Object.entries(args.onSuccessUpdateEmail ?? {})) {
    const email = emailOf(given);
    if (email !== undefined && isRecord(patch)) update[email] = { ...update[email], ...patch };
  }
  const destroy = new Set<string>();
  for (const given of args.onSuccessDestroyEmail ?? []) {
    const email = emailOf(given);
    if (email !== undefined) destroy.add(email);
  }
  const hasUpdates = Object.keys(update).length > 0;
  if (!hasUpdates && destroy.size === 0) return undefined;
  return { ...(hasUpdates ? { update } : {}), ...(destroy.size > 0 ? { destroy: [...destroy] } : {}) };
}

function existing(reader: AccountReader, id: string): SubmissionRecord {
  const record = shownObject(reader, emailSubmissions, id);
  if (record === undefined) throw new SetFailure(notFoundError);
  return record;
}

const noEmail = () => invalidProperties('There is no such email.', 'emailId');

/** What a submission needs beside its place in the log; everything that may be refused is refused here. */
async function prepare(context: MethodContext, settings: SubmissionSettings) {
  const { account, services, resolveId } = context;
  const own = services.directory.addressesOf(account.id);
  if (own.length === 0) throw new SetFailure({ type: 'forbiddenToSend', description: 'The account has no address to send from.' });
  const identityId = resolveId(settings.identityId);
  const identity = account.read((reader) => reader.object<IdentityRecord>(identityType, identityId));
  if (identity === undefined) throw invalidProperties('There is no such identity.', 'identityId');
  const email = parseEmailId(resolveId(settings.emailId));
  const size =
    email === undefined ? undefined : account.read((reader) => (isVisible(reader.email(email)) ? reader.email(email)!.size : undefined));
  if (email === undefined || size === undefined) throw noEmail();
  if (size > services.messageBytesMax) {
    const description = `A message has at most ${services.messageBytesMax} bytes.`;
    throw new SetFailure({ type: 'tooLarge', maxSize: services.messageBytesMax, description });
  }
  const fields = await addressFields(context, email);
  const { from, mailFrom } = sendersOf(fields);
  const addresses = [
    ...own,
    ...(await addressesOfOthers(context, [...from, settings.envelope?.mailFrom.email ?? mailFrom, identity.email])),
  ];
  if (!from.every((address) => maySendAs(addresses, address)))
    throw new SetFailure({ type: 'forbiddenFrom', description: 'The message is from an address that is not one of this account.' });
  const envelope =
    settings.envelope === null
      ? {
          mailFrom: { email: allowedMailFrom(mailFrom, identity, addresses), parameters: null },
          rcptTo: recipientsOf(fields).map((recipient) => ({ email: recipient, parameters: null })),
        }
      : checkedEnvelope(settings.envelope);
  requireSendable(envelope, addresses);
  const sendAt = heldUntil(envelope, services.clock.now(), maxDelayedSend);
  return {
    identityId,
    email,
    messageId: account.read((reader) => reader.facts(email)?.messageIds[0] ?? ''),
    envelope: withParameters(envelope),
    ...(sendAt === undefined ? {} : { sendAt }),
  };
}

/** Those of the addresses that are another's whom the account may send as. */
async function addressesOfOthers({ account, services }: MethodContext, asked: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const address of new Set(asked)) {
    const canonical = canonicalAddress(address);
    if (canonical !== undefined && (await services.directory.maySendAs(account.id, canonical))) found.push(canonical);
  }
  return found;
}

const withParameters = ({ mailFrom, rcptTo }: SubmissionEnvelope) => {
  const whole = ({ email, parameters = null }: SubmissionEnvelope['mailFrom']) => ({ email, parameters });
  return { mailFrom: whole(mailFrom), rcptTo: rcptTo.map(whole) };
};

/** RFC 8621 §7: an address that the identity does not allow gives way to the identity's. */
function allowedMailFrom(mailFrom: string, identity: IdentityRecord, addresses: readonly string[]): string {
  if (
    maySendAs(addresses, mailFrom) &&
    (identity.email.startsWith('*@') || maySendAs([canonicalAddress(identity.email) ?? ''], mailFrom))
  ) {
    return mailFrom;
  }
  if (!identity.email.startsWith('*@')) return identity.email;
  return addresses.find((address) => !address.startsWith('*@')) ?? mailFrom;
}

function requireSendable({ mailFrom, rcptTo }: SubmissionEnvelope, addresses: readonly string[]): void {
  // Whatever would end the path of MAIL FROM would begin its parameters.
  if (mailFrom.email !== '' && !isMailbox(mailFrom.email)) throw invalidProperties('mailFrom is no mail address.', 'envelope');
  if (!maySendAs(addresses, mailFrom.email))
    throw new SetFailure({ type: 'forbiddenMailFrom', description: 'The envelope is from an address that is not one of this account.' });
  if (rcptTo.length === 0) throw new SetFailure({ type: 'noRecipients', description: 'There is nobody to send to.' });
  if (rcptTo.length > recipientsMax) {
    const description = `A message has at most ${recipientsMax} recipients.`;
    throw new SetFailure({ type: 'tooManyRecipients', maxRecipients: recipientsMax, description });
  }
  const invalid = rcptTo.map(({ email }) => email).filter((email) => !isMailbox(email) || canonicalAddress(email) === undefined);
  if (invalid.length > 0) {
    throw new SetFailure({ type: 'invalidRecipients', invalidRecipients: invalid, description: 'Some recipients are no mail addresses.' });
  }
}

/** From the index, or where that does not hold them from the message. */
async function addressFields({ account }: MethodContext, email: EmailNumber): Promise<AddressFields> {
  const { facts, blob } = account.read((reader) => ({ facts: reader.facts(email), blob: reader.blob(email) }));
  if (facts === undefined || blob === undefined) throw noEmail();
  let header: Buffer | undefined;
  const values = async (name: string): Promise<string[]> => {
    const kept = headerValuesFromFacts(facts, name);
    if (kept !== undefined) return kept;
    header ??= (await account.blobBytes(blob)).subarray(0, facts.root.bodyStart);
    return headerValuesFromRaw(header, name);
  };
  return {
    from: await values('from'),
    sender: await values('sender'),
    to: await values('to'),
    cc: await values('cc'),
    bcc: await values('bcc'),
  };
}
