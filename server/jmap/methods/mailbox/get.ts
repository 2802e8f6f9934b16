/** Mailbox/get (RFC 8621 §2.1). */
import { getArguments } from '../../../../protocol/jmap/schema/common.ts';
import { type Mailbox as MailboxObject, Mailbox as MailboxSchema } from '../../../../protocol/jmap/schema/mailbox.ts';
import { formatMailboxId, parseMailboxId } from '../../../../protocol/mail/ids.ts';
import type { AccountReader, Mailbox } from '../../../../storage/account/api.ts';
import { SharedReader } from '../../../../storage/sharing/shared-reader.ts';
import { jmapRightsOf } from '../../mailbox-rights.ts';
import { rightsOn, shareWithOf } from '../../mailbox-sharing.ts';
import { defineMethod, type MethodContext, mailCapability, mailSharingCapability } from '../../method.ts';
import { standardGet } from '../../standard/get.ts';
import { stateString } from '../../states.ts';
import { threadCounts } from '../../thread-counts.ts';

type MailboxContext = Pick<MethodContext, 'cache' | 'using' | 'services'>;

interface MailboxRow {
  readonly mailbox: Mailbox;
  readonly threads: () => { readonly total: number; readonly unread: number };
  readonly reader: AccountReader;
  readonly context: MailboxContext;
  /** Whether the request knows of sharing. */
  readonly hasSharing: boolean;
}

/** RFC 8621 §2: the inbox is neither renamed nor deleted, and what has a role for the owner is not deleted by others. */
function myRights({ mailbox: { id, role }, reader, hasSharing }: MailboxRow): object {
  const { mayShare, ...rights } = jmapRightsOf(rightsOn(reader, id));
  const isFixed = role === 'inbox';
  return {
    ...rights,
    mayRename: rights.mayRename && !isFixed,
    mayDelete: rights.mayDelete && !isFixed && (role === null || !(reader instanceof SharedReader)),
    ...(hasSharing ? { mayShare } : {}),
  };
}

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
  myRights,
};

export const shareWithProperty = 'shareWith';

export const mailboxProperty = (row: MailboxRow, name: string): unknown =>
  name === shareWithProperty ? shareWithOf(row.context, row.reader, row.mailbox.id) : mailboxProperties[name as keyof MailboxObject](row);

/** Whether a mailbox has the property, to a request with these capabilities. */
export const isMailboxProperty = (name: string, using: ReadonlySet<string>): boolean =>
  Object.hasOwn(mailboxProperties, name) || (name === shareWithProperty && using.has(mailSharingCapability));

export function mailboxRow(reader: AccountReader, context: MailboxContext, mailbox: Mailbox): MailboxRow {
  const threads = () => threadCounts(reader, context.cache).get(mailbox.id) ?? { total: 0, unread: 0 };
  return { mailbox, threads, reader, context, hasSharing: context.using.has(mailSharingCapability) };
}

export const mailboxGet = defineMethod({
  name: 'Mailbox/get',
  capability: mailCapability,
  access: 'read',
  arguments: getArguments({}),
  run: (context, args) =>
    context.account.read((reader) =>
      standardGet<MailboxRow>(context, args, {
        defaults: [...Object.keys(MailboxSchema.properties), ...(context.using.has(mailSharingCapability) ? [shareWithProperty] : [])],
        isProperty: (name) => isMailboxProperty(name, context.using),
        state: stateString(context.cache.states(reader), 'Mailbox'),
        all: () => reader.mailboxes().map(({ id }) => formatMailboxId(id)),
        rowOf(id) {
          const number = parseMailboxId(id);
          const mailbox = number === undefined ? undefined : reader.mailbox(number);
          return mailbox === undefined ? undefined : mailboxRow(reader, context, mailbox);
        },
        valueOf: mailboxProperty,
      }),
    ),
});
