/** Mailbox/changes (RFC 8621 §2.2): also of mailboxes whose unreadThreads follow from a change elsewhere. */
import { changesArguments } from '../../../../protocol/jmap/schema/common.ts';
import { mailboxAclType } from '../../../../protocol/mail/acl.ts';
import { type EmailNumber, formatMailboxId, type MailboxNumber } from '../../../../protocol/mail/ids.ts';
import { eachOf, sizeOf } from '../../../../protocol/mail/ranges.ts';
import type { AccountReader, Effect } from '../../../../storage/account/api.ts';
import { crossMailboxEmailsMax } from '../../limits.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { type How, standardChanges, type Touched } from '../../standard/changes.ts';
import { stateString } from '../../states.ts';

const countProperties = ['totalEmails', 'unreadEmails', 'totalThreads', 'unreadThreads'];

export const mailboxChanges = defineMethod({
  name: 'Mailbox/changes',
  capability: mailCapability,
  access: 'read',
  arguments: changesArguments,
  run: ({ account, cache }, args) =>
    account.read((reader) => {
      const withRecord = new Set<number>();
      const changes = standardChanges(reader, args, {
        newState: stateString(cache.states(reader), 'Mailbox'),
        touched: (effect) => touchedBy(reader, effect, withRecord),
        tell: (number, how) => (how !== 'removed' && reader.mailbox(number as MailboxNumber) === undefined ? undefined : how),
        format: (number) => formatMailboxId(number as MailboxNumber),
      });
      return { accountId: args.accountId, ...changes, updatedProperties: withRecord.size > 0 ? null : countProperties };
    }),
});

function touchedBy(reader: AccountReader, effect: Effect, withRecord: Set<number>): Touched[] {
  const touched = new Map<number, How>();
  for (const { mailbox, record } of effect.mailboxes) {
    touched.set(mailbox, record ?? 'changed');
    if (record === 'changed') withRecord.add(mailbox);
  }
  for (const { type, id } of effect.objects) {
    if (type !== mailboxAclType) continue;
    const mailbox = Number(id);
    if (!touched.has(mailbox)) touched.set(mailbox, 'changed');
    if (touched.get(mailbox) === 'changed') withRecord.add(mailbox);
  }
  for (const mailbox of mailboxesOfThreads(reader, effect)) if (!touched.has(mailbox)) touched.set(mailbox, 'changed');
  return Array.from(touched, ([number, how]) => ({ number, how }));
}

/** Mailboxes that hold emails of the threads whose emails changed. */
function mailboxesOfThreads(reader: AccountReader, { emails, threads }: Effect): Set<number> {
  const mailboxes = new Set<number>();
  const changed = [...emails.added, ...emails.changed];
  if (sizeOf(changed) + sizeOf(threads.changed) > crossMailboxEmailsMax) return new Set(reader.mailboxes().map(({ id }) => id));
  const seen = new Set<number>(eachOf(threads.changed));
  for (const email of eachOf(changed)) {
    const thread = reader.email(email as EmailNumber)?.thread;
    if (thread !== undefined) seen.add(thread);
  }
  for (const thread of seen) {
    for (const member of reader.thread(thread as Parameters<AccountReader['thread']>[0])) {
      for (const { mailbox } of reader.email(member)?.memberships ?? []) mailboxes.add(mailbox);
    }
  }
  return mailboxes;
}
