/**
 * Maildir: a file a message in `cur` and `new`, flags as letters behind `:2,`. Subfolders as Maildir++ has them: `.Parent.Child` beside `cur`.
 * Further keywords are lower-case letters, named in the file `dovecot-keywords`, as Dovecot has them.
 */
import { isKeyword } from '../../protocol/mail/keywords.ts';

export interface MaildirFlags {
  readonly keywords: readonly string[];
  /** IMAP's `\Deleted`. */
  readonly isDeleted: boolean;
}

const keywordOfLetter: Readonly<Record<string, string>> = { D: '$draft', F: '$flagged', P: '$forwarded', R: '$answered', S: '$seen' };
const letterOfKeyword = new Map(Object.entries(keywordOfLetter).map(([letter, keyword]) => [keyword, letter]));
const customLetters = 'abcdefghijklmnopqrstuvwxyz';

/** Of a file's name; `custom` are the folder's own keywords, by letter. */
export function parseMaildirFlags(fileName: string, custom: readonly string[]): MaildirFlags {
  // Windows and some archives put another sign in place of the colon.
  const [, letters = ''] = /[:;!_-]2,([A-Za-z]*)$/.exec(fileName) ?? [];
  const keywords = new Set<string>();
  for (const letter of letters) {
    const keyword = keywordOfLetter[letter] ?? custom[customLetters.indexOf(letter)];
    if (keyword !== undefined && isKeyword(keyword)) keywords.add(keyword.toLowerCase());
  }
  return { keywords: [...keywords].sort(), isDeleted: letters.includes('T') };
}

/** Letters in ASCII order, as Maildir wants them. New keywords are added to `custom`; past 26 they cannot be written. */
export function formatMaildirFlags({ keywords, isDeleted }: MaildirFlags, custom: string[]): string {
  const letters = isDeleted ? ['T'] : [];
  for (const keyword of keywords) {
    const known = letterOfKeyword.get(keyword);
    if (known !== undefined) letters.push(known);
    else {
      if (!custom.includes(keyword) && custom.length < customLetters.length) custom.push(keyword);
      const at = custom.indexOf(keyword);
      if (at >= 0) letters.push(customLetters[at]!);
    }
  }
  return letters.sort().join('');
}

/** `dovecot-keywords`: lines of a number and a name. */
export function parseKeywordsFile(text: string): string[] {
  const names: string[] = [];
  for (const [, number, name] of text.matchAll(/^(\d{1,2}) (\S+)\r?$/gm)) names[Number(number)] = name!;
  return names;
}

export const formatKeywordsFile = (names: readonly string[]) => names.map((name, index) => `${index} ${name}\n`).join('');

/** INBOX is the folder itself: ''. Dots separate levels, so those of names are written as %2E. */
export function formatFolderName(path: readonly string[]): string {
  if (path.length === 1 && path[0]!.toUpperCase() === 'INBOX') return '';
  return path
    .map((name) => `.${name.replace(/[%./\\\0]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)}`)
    .join('');
}

export function parseFolderName(name: string): readonly string[] {
  if (name === '') return ['INBOX'];
  const levels = name
    .slice(1)
    .split('.')
    .filter((level) => level !== '');
  return levels.map((level) => level.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))));
}
