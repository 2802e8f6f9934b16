/** Dates of mail: RFC 5322 §3.3 with the obsolete forms of §4.3, and the asctime and ISO 8601 forms that software writes instead. */
import { withoutComments } from './parameters.ts';

export interface MailDate {
  /** Milliseconds since 1970, UTC. */
  ms: number;
  /** Minutes east of UTC that the sender wrote; 0 where the zone is absent or unknown. */
  offsetMinutes: number;
}

/** A date is below 40 characters; what a sender hangs on is not read. */
const dateCharsMax = 128;

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** RFC 5322 §4.3. Military letters and unknown names mean nothing certain: they are taken for UTC. */
const namedZones = { edt: -240, est: -300, cdt: -300, cst: -360, mdt: -360, mst: -420, pdt: -420, pst: -480 };
/** Not in the RFC, but seen, and meaning one thing. */
const otherZones = {
  bst: 60,
  wet: 0,
  west: 60,
  cet: 60,
  cest: 120,
  met: 60,
  mest: 120,
  eet: 120,
  eest: 180,
  msk: 180,
  jst: 540,
};
const zones = new Map<string, number>(Object.entries({ ...namedZones, ...otherZones }));

const dayFirst =
  /^(?:[a-z]{2,10}\.?,?\s*)?(\d{1,2})(?:\s+|\s*-\s*)([a-z]{3,9})\.?(?:\s+|\s*-\s*)(\d{2,4})(?:[\s,]+(\d{1,2})\s*[:.]\s*(\d{1,2})(?:\s*[:.]\s*(\d{1,2})(?:\.\d{1,9})?)?)?\s*(.*)$/i;
const monthFirst =
  /^(?:[a-z]{2,10}\.?,?\s+)?([a-z]{3,9})\.?\s+(\d{1,2}),?\s+(?:(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?\s+([a-z+\-\d:]{0,6}?)\s*)?(\d{4})(?:[\s,]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?\s*(.*)$/i;
const isoLike = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[t\s]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,]\d{1,9})?)?)?\s*(.*)$/i;

/** The date of an unfolded value, or null where it is none. */
export function parseDate(value: string): MailDate | null {
  const text = withoutComments(value.slice(0, dateCharsMax), true).trim();
  const day = dayFirst.exec(text);
  if (day !== null) return build(year(day[3]!), monthNumber(day[2]!), day[1]!, [day[4], day[5], day[6]], day[7]!);
  const month = monthFirst.exec(text);
  if (month !== null) {
    const clock = month[3] === undefined ? [month[8], month[9], month[10]] : [month[3], month[4], month[5]];
    return build(year(month[7]!), monthNumber(month[1]!), month[2]!, clock, month[6] || month[11]!);
  }
  const iso = isoLike.exec(text);
  if (iso !== null) return build(Number(iso[1]), Number(iso[2]), iso[3]!, [iso[4], iso[5], iso[6]], iso[7]!);
  return null;
}

function monthNumber(name: string): number {
  return months.indexOf(name.slice(0, 3).toLowerCase()) + 1;
}

/** RFC 5322 §4.3: two digits below 50 are 20xx, others 19xx; three digits count from 1900. */
function year(digits: string): number {
  const number = Number(digits);
  if (digits.length === 2) return number < 50 ? 2000 + number : 1900 + number;
  return digits.length === 3 ? 1900 + number : number;
}

function build(year: number, month: number, day: string, clock: (string | undefined)[], rest: string): MailDate | null {
  const [hour, minute, second] = clock.map((part) => Number(part ?? 0)) as [number, number, number];
  const dayOfMonth = Number(day);
  const afternoon = /^([ap])\.?m\b/i.exec(rest);
  const hours = afternoon === null ? hour : (hour % 12) + (afternoon[1]!.toLowerCase() === 'p' ? 12 : 0);
  if (month < 1 || month > 12 || dayOfMonth < 1 || year < 1900 || hours > 23 || minute > 59 || second > 60) return null;
  // A leap second is the second before: 60 has no place in most calendars.
  const local = Date.UTC(year, month - 1, dayOfMonth, hours, minute, Math.min(second, 59));
  if (new Date(local).getUTCDate() !== dayOfMonth) return null;
  const offsetMinutes = offset(afternoon === null ? rest : rest.slice(afternoon[0].length).trim());
  return { ms: local - offsetMinutes * 60_000, offsetMinutes };
}

function offset(rest: string): number {
  const numeric = /^"?(?:gmt|utc?)?\s*([+-])\s?(\d{1,2}):?(\d{2})?(?!\d)/i.exec(rest);
  if (numeric !== null) {
    const minutes = Number(numeric[2]) * 60 + Number(numeric[3] ?? 0);
    return minutes >= 24 * 60 || minutes === 0 ? 0 : numeric[1] === '-' ? -minutes : minutes;
  }
  const name = /^[a-z]+/i.exec(rest)?.[0].toLowerCase() ?? '';
  return zones.get(name) ?? 0;
}

/** RFC 8620 §1.4's Date: `2014-10-30T14:12:00+08:00`, in the sender's zone, without fractions. */
export function formatDate(date: MailDate): string {
  const local = new Date(date.ms + date.offsetMinutes * 60_000).toISOString().slice(0, 19);
  if (date.offsetMinutes === 0) return `${local}Z`;
  const minutes = Math.abs(date.offsetMinutes);
  return `${local}${date.offsetMinutes < 0 ? '-' : '+'}${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}`;
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0');
}
