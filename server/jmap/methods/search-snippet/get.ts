/** SearchSnippet/get (RFC 8621 §5.1). */
import { Type } from 'typebox';
import { MethodError } from '../../../../protocol/jmap/errors.ts';
import { heldConditionsOf } from '../../../../protocol/jmap/filter.ts';
import { maxObjectsInGet } from '../../../../protocol/jmap/limits.ts';
import { AskedId, maybe, onAccount } from '../../../../protocol/jmap/schema/common.ts';
import { markText, parseSearchText } from '../../../../protocol/jmap/search-text.ts';
import { parseEmailId } from '../../../../protocol/mail/ids.ts';
import { snippetTextCharsMax } from '../../limits.ts';
import { defineMethod, mailCapability } from '../../method.ts';
import { readEmailFilter } from '../../search/email-filter.ts';
import { isVisible } from '../../visible.ts';

export const searchSnippetGet = defineMethod({
  name: 'SearchSnippet/get',
  capability: mailCapability,
  access: 'read',
  arguments: onAccount({ filter: maybe(Type.Record(Type.String(), Type.Unknown())), emailIds: Type.Array(AskedId) }),
  run(context, args) {
    if (args.emailIds.length > maxObjectsInGet)
      throw new MethodError('requestTooLarge', `At most ${maxObjectsInGet} snippets are given at once.`);
    // RFC 8621 §5: marked is what matches, so nothing of what must not be there.
    const conditions = [...heldConditionsOf(readEmailFilter(args.filter, context.using))];
    const wordsOf = (...texts: (string | undefined)[]) => texts.flatMap((text) => (text === undefined ? [] : parseSearchText(text)));
    const inSubject = conditions.flatMap(({ subject, text }) => wordsOf(subject, text));
    const inBody = conditions.flatMap(({ body, text }) => wordsOf(body, text));
    return context.account.read((reader) => {
      const notFound: string[] = [];
      const list: object[] = [];
      for (const given of new Set(args.emailIds)) {
        const id = context.resolveId(given);
        const number = parseEmailId(id);
        if (number === undefined || !isVisible(reader.email(number))) {
          notFound.push(given);
          continue;
        }
        const subject = inSubject.length === 0 ? null : markText(reader.facts(number)?.subject ?? '', inSubject);
        const text = inBody.length === 0 ? '' : reader.text(number).slice(0, snippetTextCharsMax).replace(/\s+/g, ' ');
        list.push({ emailId: id, subject, preview: inBody.length === 0 ? null : markText(text, inBody) });
      }
      return { accountId: args.accountId, list, notFound: notFound.length === 0 ? null : notFound };
    });
  },
});
