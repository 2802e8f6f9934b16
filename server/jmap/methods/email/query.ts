/** Email/query (RFC 8621 §4.4). */
import { Type } from 'typebox';
import { queryWindow } from '../../../../protocol/jmap/query-window.ts';
import { queryArguments } from '../../../../protocol/jmap/schema/common.ts';
import { type EmailNumber, formatEmailId, parseEmailId } from '../../../../protocol/mail/ids.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { readEmailFilter } from '../../search/email-filter.ts';
import { listEmails } from '../../search/email-list.ts';
import { readEmailSort } from '../../search/email-sort.ts';
import { looksAtVerification, verifyForFilter } from '../../smime/status.ts';
import { stateString } from '../../states.ts';

export const emailQuery = defineMethod({
  name: 'Email/query',
  capability: mailCapability,
  access: 'read',
  arguments: queryArguments({ collapseThreads: Type.Optional(Type.Boolean()) }),
  async run(context, args) {
    const { account, cache, using } = context;
    const query = {
      filter: readEmailFilter(args.filter, using),
      sort: readEmailSort(args.sort),
      collapseThreads: args.collapseThreads === true,
    };
    await verifyForFilter(context, query.filter);
    return account.read((reader) => {
      const emails = listEmails(reader, cache, query);
      const { position, end, ...limit } = queryWindow(args, emails.length, (id) => emails.indexOf(parseEmailId(id) ?? 0));
      return {
        accountId: args.accountId,
        queryState: stateString(cache.states(reader), 'Email'),
        canCalculateChanges: !looksAtVerification(query.filter),
        position,
        ids: Array.from(emails.subarray(position, end), (email) => formatEmailId(email as EmailNumber)),
        ...limit,
        ...(args.calculateTotal === true ? { total: emails.length } : {}),
      };
    });
  },
});
