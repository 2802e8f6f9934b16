/** date-time (RFC 9051 §9) written as bytes: the day's half is kept from message to message, since neighbours share it. */

import { dayOf, formatDateTime } from '../../../protocol/imap/date-time.ts';
import type { ByteWriter } from '../../../protocol/imap/wire/byte-writer.ts';

const dayMs = 86_400_000;
const daysKept = 4096;
const days = new Map<number, Buffer>();
const twoDigits = Array.from({ length: 60 }, (_, number) => Buffer.from(String(number).padStart(2, '0')));

/** `"17-Jul-2026 09:44:25 +0000"` */
export function writeDateTime(out: ByteWriter, ms: number): void {
  const day = dayOf(ms);
  let start = days.get(day);
  if (start === undefined) {
    if (days.size >= daysKept) days.clear();
    days.set(day, (start = Buffer.from(formatDateTime(ms).slice(0, 13), 'latin1')));
  }
  const seconds = Math.floor((ms - day * dayMs) / 1000);
  const minutes = Math.floor(seconds / 60);
  out
    .bytes(start)
    .bytes(twoDigits[Math.floor(minutes / 60)]!)
    .ascii(':')
    .bytes(twoDigits[minutes % 60]!)
    .ascii(':')
    .bytes(twoDigits[seconds % 60]!)
    .ascii(' +0000"');
}
