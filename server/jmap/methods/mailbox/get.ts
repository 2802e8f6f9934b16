/** Mailbox/get (RFC 8621 §2.1). */
import { getArguments } from '../../../../protocol/jmap/schema/common.ts';
import { type Mailbox as MailboxObject, Mailbox as MailboxSchema } from '../../../../protocol/jmap/schema/mailbox.ts';
import { formatMailboxId, parseMailboxId } from '../../../../protocol/mail/ids.ts';
import type { AccountReader, Mailbox } from '../../../../storage/account/api.ts';
import type { AccountCache } from '../../account-cache.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { standardGet } from '../../standard/get.ts';
import { stateString } from '../../states.ts';
import { threadCounts } from '../../thread-counts.ts';

interface MailboxRow {
  readonly mailbox: Mailbox;
  readonly threads: () => { readonly total: number; readonly unread: number };
}

/** An account's own mailboxes: everything is allowed but renaming or deleting the inbox. */
const rightsOf = ({ role }: Mailbox): MailboxObject['myRights'] => ({
  mayReadItems: true,
  mayAddItems: true,
  mayRemoveItems: true,
  maySetSeen: true,
  maySetKeywords: true,
  mayCreateChild: true,
  mayRename: role !== 'inbox',
  mayDelete: role !== 'inbox',
  maySubmit: true,
});

export const mailboxProperties: { readonly [Name in keyof MailboxObject]: (row: MailboxRow) => unknown } = {
  id: ({ mailbox }) => formatMailboxId(mailbox.id),
  name: ({ mailbox }) => mailbox.name,
  parentId: ({ mailbox }) => (mailbox.parent === null ? null : formatMailboxId(mailbox.parent)),
  role: ({ mailbox }) => mailbox.role,
  sortOrder: ({ mailbox }) => mailbox.order,
  isSubscribed: ({ mailbox }) => mailbox.subscribed,
  totalEmails: ({ mailbox }) => mailbox.visible,
  unreadEmails: ({ mailbox }) => mailbox.unread,
  totalThreads: ({ threads }) => threads().total,
  unreadThreads: ({ threads }) => threads().unread,
  myRights: ({ mailbox }) => rightsOf(mailbox),
};

export function mailboxRow(reader: AccountReader, cache: AccountCache, id: string): MailboxRow | undefined {
  const number = parseMailboxId(id);
  const mailbox = number === undefined ? undefined : reader.mailbox(number);
  return mailbox === undefined
    ? undefined
    : { mailbox, threads: () => threadCounts(reader, cache).get(mailbox.id) ?? { total: 0, unread: 0 } };
}

export const mailboxGet = defineMethod({
  name: 'Mailbox/get',
  capability: mailCapability,
  access: 'read',
  arguments: getArguments({}),
  run: (context, args) =>
    context.account.read((reader) =>
      standardGet<MailboxRow>(context, args, {
        defaults: Object.keys(MailboxSchema.properties),
        isProperty: (name) => Object.hasOwn(mailboxProperties, name),
        state: stateString(context.cache.states(reader), 'Mailbox'),
        all: () => reader.mailboxes().map(({ id }) => formatMailboxId(id)),
        rowOf: (id) => mailboxRow(reader, context.cache, id),
        valueOf: (row, property) => mailboxProperties[property as keyof MailboxObject](row),
      }),
    ),
});
