/** Flags of STORE and APPEND as the account keeps them: keywords of the email, \Deleted of the membership. */
import { MailError } from '../../protocol/mail/errors.ts';
import { isKeyword, keywordOf } from '../../protocol/mail/keywords.ts';

export interface StoredFlags {
  readonly keywords: readonly string[];
  readonly isDeleted: boolean;
}

/** Throws MailError 'invalidArguments' for a flag that cannot be kept. \Recent is passed over: RFC 3501 §6.3.11 lets clients send it in APPEND. */
export function keywordsOfFlags(flags: readonly string[]): StoredFlags {
  const keywords = new Set<string>();
  let isDeleted = false;
  for (const flag of flags) {
    const lower = flag.toLowerCase();
    if (lower === '\\deleted') isDeleted = true;
    else if (lower !== '\\recent') {
      const keyword = keywordOf(flag);
      if (keyword === undefined || !isKeyword(keyword))
        throw new MailError('invalidArguments', `The flag ${flag.slice(0, 64)} cannot be set.`);
      keywords.add(keyword);
    }
  }
  return { keywords: [...keywords], isDeleted };
}
