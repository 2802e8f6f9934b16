/** Email/copy (RFC 8621 §4.7): emails of another account that the login reaches, made anew here; the originals may go afterwards, by an implicit Email/set. */
import { Type } from 'typebox';
import { MethodError, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { maxObjectsInSet } from '../../../../protocol/jmap/limits.ts';
import { Id, maybe, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { EmailCopy } from '../../../../protocol/jmap/schema/email.ts';
import { parseEmailId } from '../../../../protocol/mail/ids.ts';
import { readKeywords, readMailboxIds, readReceivedAt } from '../../email-changes.ts';
import { defineMethod, type MethodContext, mailCapability } from '../../method.ts';
import { otherAccount } from '../../standard/copy.ts';
import { notFoundError, SetOutcome } from '../../standard/set.ts';
import { newSettings } from '../../standard/settings.ts';
import { requireState } from '../../states.ts';
import { isVisible } from '../../visible.ts';
import { commitEmails, type PreparedEmail } from './set.ts';

export const emailCopy = defineMethod({
  name: 'Email/copy',
  capability: mailCapability,
  access: 'write',
  arguments: onAccount({
    fromAccountId: Type.String(),
    ifFromInState: maybe(Type.String()),
    ifInState: maybe(Type.String()),
    create: Type.Record(Id, Type.Record(Type.String(), Type.Unknown())),
    onSuccessDestroyOriginal: Type.Optional(Type.Boolean()),
    destroyFromIfInState: maybe(Type.String()),
  }),
  async run(context, args) {
    const { accountId, fromAccountId } = args;
    const entries = Object.entries(args.create);
    if (entries.length > maxObjectsInSet) throw new MethodError('requestTooLarge', `At most ${maxObjectsInSet} emails are copied at once.`);
    const from = await otherAccount(context, fromAccountId);
    from.account.read((reader) => requireState(reader, from.cache.states(reader), 'Email', args.ifFromInState));
    context.account.read((reader) => requireState(reader, context.cache.states(reader), 'Email', args.ifInState));
    const refused = new SetOutcome();
    const prepared = new Map<string, PreparedEmail>();
    const originals = new Map<string, string>();
    for (const [key, settings] of entries) {
      await refused.attempt('notCreated', key, async () => {
        const copy = newSettings<EmailCopy>(EmailCopy, settings, { keywords: null, receivedAt: null });
        prepared.set(key, await prepare(context, from, copy));
        originals.set(key, context.resolveId(copy.id));
      });
    }
    const { outcome, oldState, newState, created } = await commitEmails(context, prepared);
    for (const [key, id] of created) context.createdIds.set(key, id);
    if (args.onSuccessDestroyOriginal === true && created.size > 0) {
      const destroy = [...new Set(Array.from(created.keys(), (key) => originals.get(key)!))];
      const ifInState = args.destroyFromIfInState ?? null;
      context.implicitCalls.push({ name: 'Email/set', args: { accountId: fromAccountId, destroy, ifInState } });
    }
    const orNull = <T extends object>(value: T) => (Object.keys(value).length === 0 ? null : value);
    return {
      fromAccountId,
      accountId,
      oldState,
      newState,
      created: orNull(outcome.created),
      notCreated: orNull({ ...outcome.notCreated, ...refused.notCreated }),
    };
  },
});

async function prepare(context: MethodContext, from: MethodContext, copy: EmailCopy): Promise<PreparedEmail> {
  const number = parseEmailId(context.resolveId(copy.id));
  const original = from.account.read((reader) => {
    const email = number === undefined ? undefined : reader.email(number);
    const facts = number === undefined ? undefined : reader.facts(number);
    const blob = number === undefined ? undefined : reader.blob(number);
    if (number === undefined || !isVisible(email) || facts === undefined || blob === undefined) throw new SetFailure(notFoundError);
    const { receivedAt, keywords } = email;
    const delivery = reader.delivery(number);
    return { blob, facts, receivedAt, keywords, delivery, text: reader.text(number), preview: reader.preview(number) ?? '' };
  });
  const keywords = copy.keywords === null ? original.keywords : readKeywords(copy.keywords);
  const receivedAt = readReceivedAt(copy.receivedAt) ?? original.receivedAt;
  context.account.read((reader) => readMailboxIds(context, reader, copy.mailboxIds));
  const upload = await context.account.upload(await from.account.blobBytes(original.blob));
  const { facts, text, preview, delivery } = original;
  const email = { blob: upload.ref, receivedAt, facts, text, preview, ...(delivery === undefined ? {} : { delivery }) };
  return { upload, email, mailboxIds: copy.mailboxIds, keywords };
}
