/** Email/import (RFC 8621 §4.8). */
import { Type } from 'typebox';
import { invalidProperties, MethodError, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { maxObjectsInSet } from '../../../../protocol/jmap/limits.ts';
import { maybe, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { EmailImport } from '../../../../protocol/jmap/schema/email.ts';
import { withCrlf } from '../../../../protocol/mime/line-ends.ts';
import { freshUpload, readBlob } from '../../blobs.ts';
import { readKeywords, readMailboxIds, readReceivedAt, receivedAtOf } from '../../email-changes.ts';
import { defineMethod, type MethodContext, mailCapability } from '../../method.ts';
import { SetOutcome } from '../../standard/set.ts';
import { newSettings } from '../../standard/settings.ts';
import { requireState } from '../../states.ts';
import { isMessage } from './parse.ts';
import { commitEmails, type PreparedEmail } from './set.ts';

export const emailImport = defineMethod({
  name: 'Email/import',
  capability: mailCapability,
  access: 'write',
  arguments: onAccount({ ifInState: maybe(Type.String()), emails: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown())) }),
  async run(context, args) {
    const entries = Object.entries(args.emails);
    if (entries.length > maxObjectsInSet)
      throw new MethodError('requestTooLarge', `At most ${maxObjectsInSet} emails are imported at once.`);
    context.account.read((reader) => requireState(reader, context.cache.states(reader), 'Email', args.ifInState));
    const refused = new SetOutcome();
    const prepared = new Map<string, PreparedEmail>();
    for (const [key, email] of entries)
      await refused.attempt('notCreated', key, async () => prepared.set(key, await prepare(context, email)));
    const { outcome, oldState, newState, created } = await commitEmails(context, prepared);
    for (const [key, id] of created) context.createdIds.set(key, id);
    const orNull = <T extends object>(value: T) => (Object.keys(value).length === 0 ? null : value);
    return {
      accountId: args.accountId,
      oldState,
      newState,
      created: orNull(outcome.created),
      notCreated: orNull({ ...outcome.notCreated, ...refused.notCreated }),
    };
  },
});

async function prepare(context: MethodContext, settings: Readonly<Record<string, unknown>>): Promise<PreparedEmail> {
  const { account, services } = context;
  const {
    blobId: given,
    mailboxIds,
    keywords,
    receivedAt,
  } = newSettings<EmailImport>(EmailImport, settings, {
    keywords: null,
    receivedAt: null,
  });
  const read = { keywords: readKeywords(keywords), receivedAt: readReceivedAt(receivedAt) };
  account.read((reader) => readMailboxIds(context, reader, mailboxIds));
  const blobId = context.resolveId(given);
  const blob = await readBlob(account, blobId);
  if (blob === undefined) throw invalidProperties('There is no such blob.', 'blobId');
  if (!isMessage(blob.bytes)) throw new SetFailure({ type: 'invalidEmail', description: 'The blob does not begin as a message does.' });
  if (blob.bytes.length > services.messageBytesMax)
    throw new SetFailure({ type: 'tooLarge', description: `A message has at most ${services.messageBytesMax} bytes.` });
  const raw = withCrlf(blob.bytes);
  const now = services.clock.now();
  const [upload, message] = await Promise.all([
    raw === blob.bytes ? freshUpload(account, blobId, raw, now) : account.upload(raw),
    services.readMessage(raw),
  ]);
  const received = read.receivedAt ?? receivedAtOf(raw.subarray(0, message.facts.root.bodyStart)) ?? now;
  return {
    upload,
    email: { blob: upload.ref, receivedAt: received, ...message, delivery: { source: 'jmap' } },
    mailboxIds,
    keywords: read.keywords,
  };
}
