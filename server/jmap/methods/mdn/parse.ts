/** MDN/parse (RFC 9007 §2.2): disposition notifications in blobs, and the emails that they are about. */
import { Type } from 'typebox';
import { parseMdn } from '../../../../protocol/jmap/mdn-message.ts';
import { AskedId, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { type EmailNumber, formatEmailId } from '../../../../protocol/mail/ids.ts';
import { asMessageIds } from '../../../../protocol/mime/header-forms.ts';
import { defineMethod, type MethodContext, mdnCapability } from '../../method.ts';
import { readEmailFilter } from '../../search/email-filter.ts';
import { listEmails } from '../../search/email-list.ts';
import { readEmailSort } from '../../search/email-sort.ts';
import { parseBlobs } from '../../standard/parse.ts';

export const mdnParse = defineMethod({
  name: 'MDN/parse',
  capability: mdnCapability,
  access: 'read',
  arguments: onAccount({ blobIds: Type.Array(AskedId) }),
  run(context, args) {
    return parseBlobs(context, args, (bytes) => {
      const mdn = parseMdn(bytes);
      return mdn && { forEmailId: emailOf(context, mdn.originalMessageId), ...mdn };
    });
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
