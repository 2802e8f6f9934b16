/** Mailbox/query (RFC 8621 §2.3). */
import { Type } from 'typebox';
import { queryWindow } from '../../../../protocol/jmap/query-window.ts';
import { queryArguments } from '../../../../protocol/jmap/schema/common.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { listMailboxes } from '../../search/mailbox-list.ts';
import { stateString } from '../../states.ts';

export const treeArguments = { sortAsTree: Type.Optional(Type.Boolean()), filterAsTree: Type.Optional(Type.Boolean()) };

export const mailboxQuery = defineMethod({
  name: 'Mailbox/query',
  capability: mailCapability,
  access: 'read',
  arguments: queryArguments(treeArguments),
  run: ({ account, cache }, args) =>
    account.read((reader) => {
      const ids = listMailboxes(reader, args);
      const { position, end, ...limit } = queryWindow(args, ids.length, (id) => ids.indexOf(id));
      return {
        accountId: args.accountId,
        queryState: stateString(cache.states(reader), 'Mailbox'),
        canCalculateChanges: true,
        position,
        ids: ids.slice(position, end),
        ...limit,
        ...(args.calculateTotal === true ? { total: ids.length } : {}),
      };
    }),
});
