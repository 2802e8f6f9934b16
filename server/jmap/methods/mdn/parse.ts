/** MDN/parse (RFC 9007 §2.2): disposition notifications in blobs, and the emails that they are about. */
import { Type } from 'typebox';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { maxObjectsInGet } from '../../../../protocol/jmap/limits.ts';
import { parseMdn } from '../../../../protocol/jmap/mdn-message.ts';
import { AskedId, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import type { ParsedMdn } from '../../../../protocol/jmap/schema/mdn.ts';
import { type EmailNumber, formatEmailId } from '../../../../protocol/mail/ids.ts';
import { asMessageIds } from '../../../../protocol/mime/header-forms.ts';
import { readBlob } from '../../blobs.ts';
import { defineMethod, type MethodContext, mdnCapability } from '../../method.ts';
import { readEmailFilter } from '../../search/email-filter.ts';
import { listEmails } from '../../search/email-list.ts';
import { readEmailSort } from '../../search/email-sort.ts';

export const mdnParse = defineMethod({
  name: 'MDN/parse',
  capability: mdnCapability,
  access: 'read',
  arguments: onAccount({ blobIds: Type.Array(AskedId) }),
  async run(context, args) {
    if (args.blobIds.length > maxObjectsInGet)
      throw new MethodError('requestTooLarge', `At most ${maxObjectsInGet} blobs are parsed at once.`);
    const parsed: Record<string, ParsedMdn> = {};
    const notParsable: string[] = [];
    const notFound: string[] = [];
    for (const given of new Set(args.blobIds)) {
      const found = await readBlob(context.account, context.resolveId(given));
      const mdn = found === undefined ? undefined : parseMdn(found.bytes);
      if (found === undefined) notFound.push(given);
      else if (mdn === undefined) notParsable.push(given);
      else parsed[given] = { forEmailId: emailOf(context, mdn.originalMessageId), ...mdn };
    }
    const orNull = (list: string[]) => (list.length === 0 ? null : list);
    return {
      accountId: args.accountId,
      parsed: Object.keys(parsed).length === 0 ? null : parsed,
      notParsable: orNull(notParsable),
      notFound: orNull(notFound),
    };
  },
});

/** The one email with this Message-ID; null where there is none, or more than one. */
function emailOf({ account, cache }: MethodContext, originalMessageId: string | null): string | null {
  const [messageId] = asMessageIds(originalMessageId ?? '') ?? [];
  if (messageId === undefined) return null;
  const query = {
    filter: readEmailFilter({ header: ['Message-ID', messageId] }, new Set()),
    sort: readEmailSort(null),
    collapseThreads: false,
  };
  return account.read((reader) => {
    const emails = Array.from(listEmails(reader, cache, query)).filter(
      (email) => reader.facts(email as EmailNumber)?.messageIds.includes(messageId) === true,
    );
    return emails.length === 1 ? formatEmailId(emails[0] as EmailNumber) : null;
  });
}
