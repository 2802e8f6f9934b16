/** The mailboxes and UIDs that an email is at: the first in its page, others in the `more` table. */
import { type EmailPage, emailSlotOf, moreBit } from './email-page.ts';
import { moreKey } from './keyspace.ts';
import { tables } from './tables.ts';
import type { View } from './view.ts';

export interface Place {
  readonly mailbox: number;
  readonly uid: number;
}

export function placesOf(view: View, page: EmailPage, email: number): readonly Place[] {
  const slot = emailSlotOf(email);
  const mailbox = page.mailbox[slot]!;
  if (mailbox === 0) return [];
  const first = { mailbox, uid: page.uid[slot]! };
  return (page.bits[slot]! & moreBit) === 0 ? [first] : [first, ...(view.get(tables.more, moreKey(email)) ?? [])];
}
