/** Dates of IMAP: date-time of INTERNALDATE and APPEND, date of SEARCH (RFC 9051 §9). */
import type { Scanner } from './wire/scanner.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const dayMs = 86_400_000;

/** date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE, as milliseconds since the epoch. */
export function decodeDateTime(scanner: Scanner): number {
  const start = scanner.position;
  const match = /^([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(scanner.string().toString('latin1'));
  const day = match === null ? undefined : dayNumber(match[1]!, match[2]!, match[3]!);
  const [hour, minute, second] = [match?.[4], match?.[5], match?.[6]].map(Number) as [number, number, number];
  const zone = Number(match?.[8]) * 60 + Number(match?.[9]);
  if (day === undefined || hour > 23 || minute > 59 || second > 60 || zone >= 24 * 60) {
    scanner.position = start;
    return scanner.fail('a date and time such as "17-Jul-2026 02:44:25 -0700"');
  }
  const local = day * dayMs + ((hour * 60 + minute) * 60 + Math.min(second, 59)) * 1000;
  return local - (match![7] === '-' ? -zone : zone) * 60_000;
}

/** The same in UTC, with its quotes: `"17-Jul-2026 09:44:25 +0000"`. */
export function formatDateTime(ms: number): string {
  const date = new Date(ms);
  const two = (number: number) => (number < 10 ? `0${number}` : String(number));
  const day = date.getUTCDate();
  const year = String(date.getUTCFullYear()).padStart(4, '0');
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return `"${day < 10 ? ` ${day}` : day}-${months[date.getUTCMonth()]}-${year} ${time} +0000"`;
}

/** date = date-text / DQUOTE date-text DQUOTE, as the number of the day since 1 January 1970. */
export function decodeDate(scanner: Scanner): number {
  const start = scanner.position;
  const match = /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/.exec(scanner.astring().toString('latin1'));
  const day = match === null ? undefined : dayNumber(match[1]!, match[2]!, match[3]!);
  if (day === undefined) {
    scanner.position = start;
    return scanner.fail('a date such as 1-Feb-2026');
  }
  return day;
}

export function formatDate(day: number): string {
  const date = new Date(day * dayMs);
  return `${date.getUTCDate()}-${months[date.getUTCMonth()]}-${String(date.getUTCFullYear()).padStart(4, '0')}`;
}

/** The number of the UTC day that a time falls in. */
export function dayOf(ms: number): number {
  return Math.floor(ms / dayMs);
}

function dayNumber(day: string, month: string, year: string): number | undefined {
  const monthNumber = months.findIndex((name) => name.toLowerCase() === month.toLowerCase());
  if (monthNumber < 0) return undefined;
  // Not Date.UTC, which takes years below 100 for 19xx.
  const date = new Date(0);
  date.setUTCFullYear(Number(year), monthNumber, Number(day));
  return date.getUTCDate() === Number(day) ? Math.floor(date.getTime() / dayMs) : undefined;
}
