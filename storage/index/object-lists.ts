/**
 * Lists of objects that somebody has to come back to, so that who does need not read all objects of their type: derived from the objects, like counts from
 * messages. Submissions are kept for thirty days, and few of them are unfinished at a time.
 */
import type { ObjectList } from '../account/api.ts';
import { keyText, textOfKey, u48 } from './keyspace.ts';
import { tables } from './tables.ts';
import type { View } from './view.ts';

export interface Listing {
  readonly list: ObjectList;
  /** Milliseconds since the epoch: the list's order. */
  readonly at: number;
}

const listers: Readonly<Record<string, (value: Readonly<Record<string, unknown>>) => Listing | undefined>> = {
  // storage/outbox/record.ts
  EmailSubmission({ recipients, createdAt, sendAt }) {
    if (!Array.isArray(recipients) || !isTime(createdAt) || !isTime(sendAt)) return undefined;
    const isUnfinished = recipients.some((recipient: { state?: unknown }) => recipient.state === 'queued' || recipient.state === 'claimed');
    return isUnfinished ? { list: 'unfinished', at: createdAt } : { list: 'finished', at: Math.max(createdAt, sendAt) };
  },
};

/** The object's value changes: its place on a list does. `undefined`: there is none. */
export function relist(view: View, type: string, id: string, before: unknown, after: unknown): void {
  const [from, to] = [listedKey(type, id, before), listedKey(type, id, after)];
  if (from === to) return;
  if (from !== undefined) view.remove(tables.listed, from);
  if (to !== undefined) view.put(tables.listed, to, 1);
}

/** Undefined where it is on no list. */
function listedKey(type: string, id: string, value: unknown): string | undefined {
  const lister = Object.hasOwn(listers, type) ? listers[type] : undefined;
  const listing = lister !== undefined && typeof value === 'object' && value !== null ? lister({ ...value }) : undefined;
  return listing === undefined ? undefined : `${listPrefix(type, listing.list)}${u48(listing.at)}${keyText(id)}`;
}

export const listPrefix = (type: string, list: ObjectList): string => `P${keyText(type)}\0${list === 'unfinished' ? 'u' : 'f'}`;

/** End of the range of what is on the list from before `until`. */
export const listEnd = (type: string, list: ObjectList, until: number): string => `${listPrefix(type, list)}${u48(until)}`;

export const idOfListed = (key: string, type: string, list: ObjectList): string => textOfKey(key.slice(listPrefix(type, list).length + 6));

const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
