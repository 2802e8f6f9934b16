/**
 * Keywords (JMAP, RFC 8621 §4.1.1) and flags (IMAP, RFC 9051 §2.3.2) are one set under two spellings; the log and the index use JMAP's.
 * `\Deleted` belongs to the membership in a mailbox and `\Recent` to a session, so neither is a keyword.
 */
export const systemFlags: ReadonlyMap<string, string> = new Map([
  ['$seen', '\\Seen'],
  ['$answered', '\\Answered'],
  ['$flagged', '\\Flagged'],
  ['$draft', '\\Draft'],
]);

const systemKeywords: ReadonlyMap<string, string> = new Map(Array.from(systemFlags, ([keyword, flag]) => [flag.toLowerCase(), keyword]));

/** Keywords registered with IANA are shown to IMAP clients in the registry's spelling, since some compare it by case. */
const registeredSpellings: ReadonlyMap<string, string> = new Map(
  ['$Forwarded', '$MDNSent', '$Junk', '$NotJunk', '$Phishing', '$Important', '$SubmitPending', '$Submitted', 'Junk', 'NonJunk'].map(
    (spelling) => [spelling.toLowerCase(), spelling],
  ),
);

/** The IMAP flag of a keyword. */
export function flagOf(keyword: string): string {
  return systemFlags.get(keyword) ?? registeredSpellings.get(keyword) ?? keyword;
}

/** The keyword of an IMAP flag, or undefined for one that is not a keyword (`\Deleted`, `\Recent`, unknown system flags). Case-insensitive. */
export function keywordOf(flag: string): string | undefined {
  const lower = flag.toLowerCase();
  if (lower.startsWith('\\')) return systemKeywords.get(lower);
  return lower;
}

/** RFC 8621 §4.1.1: 1 to 255 characters %x21-%x7e without ( ) { ] % * " \ ; kept in lower case. */
export function isKeyword(keyword: string): boolean {
  return keyword.length >= 1 && keyword.length <= 255 && /^[!#$&'+,\-./0-9:;<=>?@A-Z[^_`a-z|}~]+$/.test(keyword);
}
