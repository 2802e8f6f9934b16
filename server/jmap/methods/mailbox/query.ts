/** Mailbox/query (RFC 8621 §2.3). */
import { Type } from 'typebox';
import { queryArguments } from '../../../../protocol/jmap/schema/common.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { listMailboxes } from '../../search/mailbox-list.ts';
import { queryAnswer } from '../../standard/query.ts';
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
      return queryAnswer(args, ids, stateString(cache.states(reader), 'Mailbox'));
    }),
});
