/** What Email/set and Email/import ask of a new or changed email's mailboxes and keywords; both throw SetFailure. */
import { invalidProperties, SetFailure } from '../../protocol/jmap/errors.ts';
import { trueKeys } from '../../protocol/jmap/patch.ts';
import { parseJmapDate } from '../../protocol/jmap/utc-date.ts';
import { type MailboxNumber, parseMailboxId } from '../../protocol/mail/ids.ts';
import { isKeyword } from '../../protocol/mail/keywords.ts';
import { parseDate } from '../../protocol/mime/date.ts';
import { headerValuesFromRaw } from '../../protocol/mime/header-facts.ts';
import type { AccountReader } from '../../storage/account/api.ts';
import type { MethodContext } from './method.ts';

/** Keywords of one email; that of storage/index/limits.ts. */
const keywordsMax = 256;

export function readMailboxIds(context: MethodContext, reader: AccountReader, value: unknown): MailboxNumber[] {
  const numbers = trueKeys(value, 'mailboxIds').map((id) => {
    const number = parseMailboxId(context.resolveId(id));
    if (number === undefined || reader.mailbox(number) === undefined)
      throw invalidProperties(`There is no mailbox ${JSON.stringify(id.slice(0, 50))}.`, 'mailboxIds');
    return number;
  });
  if (numbers.length === 0) throw invalidProperties('An email is in at least one mailbox.', 'mailboxIds');
  return numbers;
}

export function readKeywords(value: unknown): string[] {
  const keywords = value === undefined || value === null ? [] : trueKeys(value, 'keywords').map((keyword) => keyword.toLowerCase());
  const bad = keywords.find((keyword) => !isKeyword(keyword));
  if (bad !== undefined) throw invalidProperties(`${JSON.stringify(bad.slice(0, 50))} is not a keyword.`, 'keywords');
  if (keywords.length > keywordsMax)
    throw new SetFailure({ type: 'tooManyKeywords', description: `An email has at most ${keywordsMax} keywords.` });
  return [...new Set(keywords)];
}

/** Milliseconds of a receivedAt that is given. */
export function readReceivedAt(value: string | null | undefined): number | undefined {
  if (value === undefined || value === null) return undefined;
  const ms = parseJmapDate(value, true);
  if (ms === undefined) throw invalidProperties('receivedAt is a UTCDate.', 'receivedAt');
  return ms;
}

/** RFC 8621 §4.8: the time of the newest Received field. */
export function receivedAtOf(header: Buffer): number | undefined {
  const [newest] = headerValuesFromRaw(header, 'received');
  if (newest === undefined) return undefined;
  return parseDate(
    newest
      .slice(newest.lastIndexOf(';') + 1)
      .replace(/\s+/g, ' ')
      .trim(),
  )?.ms;
}
