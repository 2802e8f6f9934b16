/**
 * Email/set (RFC 8621 §4.6). Messages are built and uploaded first; then one mutation creates, updates and destroys, so that a call is one commit with
 * one modSeq. What an object's part of it refuses is found out before anything of that object is recorded.
 */
import { isDeepStrictEqual } from 'node:util';
import { emailBlobId } from '../../../../protocol/jmap/blob-id.ts';
import { contentProperty, isListProperty } from '../../../../protocol/jmap/email-content.ts';
import { invalidProperties, SetFailure } from '../../../../protocol/jmap/errors.ts';
import { blobIdsOf, buildMessage, readEmailSettings } from '../../../../protocol/jmap/message-builder.ts';
import { applyPatch } from '../../../../protocol/jmap/patch.ts';
import { setArguments } from '../../../../protocol/jmap/schema/common.ts';
import { type EmailNumber, formatEmailId, formatThreadId, parseEmailId } from '../../../../protocol/mail/ids.ts';
import { normalizeRanges, type Range } from '../../../../protocol/mail/ranges.ts';
import type { AccountReader, AccountTransactor, Email, NewEmail, PreparedBlob } from '../../../../storage/account/api.ts';
import { SharedTransactor } from '../../../../storage/sharing/shared-transactor.ts';
import { type FoundBlob, readBlob } from '../../blobs.ts';
import { readKeywords, readMailboxIds, readReceivedAt } from '../../email-changes.ts';
import { defineMethod, type MethodContext, mailCapability } from '../../method.ts';
import { notFoundError, requireSetSize, type SetArguments, SetOutcome, willBeDestroyed } from '../../standard/set.ts';
import { requireState, stateAfter, stateString } from '../../states.ts';
import { isVisible, keywordsOf, mailboxIdsOf } from '../../visible.ts';
import { bodyOptions, metadata } from './get.ts';

/** A message that is built and stored, and waits for its commit. */
export interface PreparedEmail {
  readonly upload: PreparedBlob;
  readonly email: Omit<NewEmail, 'mailboxes' | 'keywords'>;
  readonly mailboxIds: unknown;
  readonly keywords: readonly string[];
}

export const emailSet = defineMethod({
  name: 'Email/set',
  capability: mailCapability,
  access: 'write',
  arguments: setArguments({}),
  async run(context, args) {
    requireSetSize(args);
    const { account, cache } = context;
    account.read((reader) => requireState(reader, cache.states(reader), 'Email', args.ifInState));
    const refused = new SetOutcome();
    const prepared = new Map<string, PreparedEmail>();
    const creates = Object.entries(args.create ?? {});
    for (const [key, settings] of creates) {
      await refused.attempt('notCreated', key, async () => prepared.set(key, await prepare(context, settings, creates.length)));
    }
    const { outcome, oldState, newState, created } = await commitEmails(context, prepared, (tx, applied) => {
      updateAndDestroy(context, tx, applied, args);
    });
    for (const [key, id] of created) context.createdIds.set(key, id);
    Object.assign(outcome.notCreated, refused.notCreated);
    return outcome.response(args.accountId, oldState, newState);
  },
});

/** What a mutation has done so far. */
interface Applied {
  readonly outcome: SetOutcome;
  /** Ids of what it created, by creation id. */
  readonly created: Map<string, string>;
  /** Emails that it may have changed. */
  readonly touched: Set<EmailNumber>;
  hasDestroyed: boolean;
}

/** Commits prepared emails, and whatever `more` does beside, as one mutation; gives the states right before and after it. */
export async function commitEmails(
  context: MethodContext,
  prepared: ReadonlyMap<string, PreparedEmail>,
  more?: (tx: AccountTransactor, applied: Applied) => void,
): Promise<{ outcome: SetOutcome; oldState: string; newState: string; created: ReadonlyMap<string, string> }> {
  const uploads = Array.from(prepared.values(), ({ upload }) => upload);
  const { account } = context;
  const { isChanged, modSeq, ...committed } = await account.transact(
    (tx) => {
      const oldState = stateString(context.cache.statesInside(tx), 'Email');
      // A mutation's change gets the account's next modSeq.
      const modSeq = tx.modSeq + 1;
      const applied: Applied = { outcome: new SetOutcome(), created: new Map(), touched: new Set(), hasDestroyed: false };
      for (const [key, one] of prepared) applied.outcome.attemptNow('notCreated', key, () => create(context, tx, applied, key, one));
      more?.(tx, applied);
      const isChanged =
        applied.created.size > 0 ||
        applied.hasDestroyed ||
        Array.from(applied.touched).some((id) => (tx.email(id)?.modSeq ?? modSeq) >= modSeq);
      return { outcome: applied.outcome, created: applied.created, oldState, isChanged, modSeq };
    },
    { uploads },
  );
  const before = committed.oldState;
  return { ...committed, newState: isChanged ? stateAfter(account, 'Email', { before, modSeq }) : before };
}

function create(context: MethodContext, tx: AccountTransactor, { outcome, created }: Applied, key: string, one: PreparedEmail): void {
  const mailboxes = readMailboxIds(context, tx, one.mailboxIds);
  const { id, thread } = tx.addEmail({ ...one.email, mailboxes, keywords: one.keywords });
  created.set(key, formatEmailId(id));
  const shown = { id: formatEmailId(id), blobId: emailBlobId(id), threadId: formatThreadId(thread), size: one.email.facts.octets };
  // A sharee is told where keywords that he may not set were left out (RFC 4314 §4, APPEND).
  const kept = tx instanceof SharedTransactor ? tx.email(id) : undefined;
  const isAsAsked = kept === undefined || one.keywords.every((keyword) => kept.keywords.includes(keyword));
  outcome.created[key] = isAsAsked ? shown : { ...shown, keywords: keywordsOf(kept) };
}

async function prepare(context: MethodContext, settings: Readonly<Record<string, unknown>>, inMutation: number): Promise<PreparedEmail> {
  const { account, services } = context;
  const email = readEmailSettings(settings);
  const keywords = readKeywords(email.keywords);
  const receivedAt = readReceivedAt(email.receivedAt) ?? services.clock.now();
  account.read((reader) => readMailboxIds(context, reader, email.mailboxIds));
  const raw = buildMessage(email, {
    ...(await blobsFor(context, blobIdsOf(email))),
    boundary: () => `=_${services.random.hex(16)}`,
    messageId: () => `${services.random.hex(16)}@${services.hostname}`,
    now: services.clock.now(),
  });
  if (raw.length > services.messageBytesMax)
    throw new SetFailure({ type: 'tooLarge', description: `A message has at most ${services.messageBytesMax} bytes.` });
  const [upload, read] = await Promise.all([account.prepareBlob(raw, inMutation), services.readMessage(raw)]);
  return { upload, email: { blob: upload.ref, receivedAt, ...read, delivery: { source: 'jmap' } }, mailboxIds: email.mailboxIds, keywords };
}

async function blobsFor(
  { account, resolveId }: MethodContext,
  ids: readonly string[],
): Promise<{ blob: (id: string) => FoundBlob | undefined }> {
  const found = new Map<string, FoundBlob>();
  const notFound: string[] = [];
  for (const id of new Set(ids)) {
    const blob = await readBlob(account, resolveId(id));
    if (blob === undefined) notFound.push(id);
    else found.set(id, blob);
  }
  if (notFound.length > 0) throw new SetFailure({ type: 'blobNotFound', notFound, description: 'Some blobs are not there.' });
  return { blob: (id) => found.get(id) };
}

/** Emails whose keywords change alike are one change of the log. */
interface KeywordGroup {
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly emails: Range[];
}

function updateAndDestroy(context: MethodContext, tx: AccountTransactor, applied: Applied, args: SetArguments): void {
  const { outcome, created, touched } = applied;
  const resolve = (id: string) => (id.startsWith('#') ? (created.get(id.slice(1)) ?? context.resolveId(id)) : id);
  const destroy = new Set((args.destroy ?? []).map(resolve));
  const groups = new Map<string, KeywordGroup>();
  for (const [given, patch] of Object.entries(args.update ?? {})) {
    const id = resolve(given);
    outcome.attemptNow('notUpdated', id, () => {
      if (destroy.has(id)) throw new SetFailure(willBeDestroyed);
      const email = existing(tx, id);
      update(context, tx, email, patch, groups);
      touched.add(email.id);
      outcome.updated[id] = null;
    });
  }
  for (const { add, remove, emails } of groups.values()) tx.changeKeywords(normalizeRanges(emails), { add, remove });
  const gone: Range[] = [];
  for (const id of destroy) {
    outcome.attemptNow('notDestroyed', id, () => {
      const email = existing(tx, id);
      if (tx instanceof SharedTransactor) tx.requireRemoval(email.id);
      gone.push([email.id, email.id]);
      outcome.destroyed.push(id);
    });
  }
  if (gone.length > 0) {
    tx.destroyEmails(normalizeRanges(gone));
    applied.hasDestroyed = true;
  }
}

/** Everything that may be refused comes before the first change. */
function update(
  context: MethodContext,
  tx: AccountTransactor,
  email: Email,
  patch: Readonly<Record<string, unknown>>,
  groups: Map<string, KeywordGroup>,
): void {
  const changed = applyPatch(patch, (property) =>
    property === 'keywords' ? keywordsOf(email) : property === 'mailboxIds' ? mailboxIdsOf(email) : undefined,
  );
  const fixed = [...changed]
    .filter(([name, value]) => name !== 'keywords' && name !== 'mailboxIds' && !isAsItIs(tx, email, name, value))
    .map(([name]) => name);
  if (fixed.length > 0) throw invalidProperties(`${fixed[0]} cannot be changed.`, ...fixed);
  const mailboxes = changed.has('mailboxIds') ? readMailboxIds(context, tx, changed.get('mailboxIds')) : undefined;
  const keywords = changed.has('keywords') ? readKeywords(changed.get('keywords')) : undefined;
  const add = keywords?.filter((keyword) => !email.keywords.includes(keyword)) ?? [];
  const remove = keywords === undefined ? [] : email.keywords.filter((keyword) => !keywords.includes(keyword));
  const isMarked = add.length > 0 || remove.length > 0;
  if (isMarked && tx instanceof SharedTransactor) tx.requireKeywords(email.id, { add, remove });
  if (mailboxes !== undefined) tx.setMailboxes(email.id, mailboxes);
  if (!isMarked) return;
  const key = JSON.stringify([add, remove]);
  const group = groups.get(key) ?? { add, remove, emails: [] };
  group.emails.push([email.id, email.id]);
  groups.set(key, group);
}

/** RFC 8620 §5.3: what never changes may be sent back as it is. Only what the index holds is looked at. */
function isAsItIs(reader: AccountReader, email: Email, property: string, value: unknown): boolean {
  if (Object.hasOwn(metadata, property)) return isDeepStrictEqual(metadata[property]!(email), value);
  const facts = isListProperty(property) ? reader.facts(email.id) : undefined;
  if (facts === undefined) return false;
  const content = { facts, blobId: emailBlobId(email.id), preview: reader.preview(email.id) ?? '', raw: undefined };
  return isDeepStrictEqual(contentProperty(content, property, bodyOptions({})), value);
}

function existing(reader: AccountReader, id: string): Email {
  const number = parseEmailId(id);
  const email = number === undefined ? undefined : reader.email(number);
  if (!isVisible(email)) throw new SetFailure(notFoundError);
  return email;
}
