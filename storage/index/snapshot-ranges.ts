/**
 * How a snapshot splits an account's records into parts: by kind and by key range. Sizes are chosen so that a part stays below some MB, and so that
 * reading mail (state, journal) never rewrites what cannot change (email, text). The split is part of the format: FORMAT.md.
 */
import { hash } from 'node:crypto';

/** Facts and texts of 256 emails: about 0.5 MB and at most 16 MB before compression. */
export const rangeOfEmail = (email: number): number => Math.floor(email / 256);
/** State of 4,096 emails: about 0.5 MB. */
export const rangeOfState = (email: number): number => Math.floor(email / 4096);
/** Effects of 4,096 modSeqs. */
export const rangeOfJournal = (modSeq: number): number => Math.floor(modSeq / 4096);

export const objectRanges = 16;
/** Objects by a hash of their key: a directory of 10,000 accounts changes one part of 16 when a password changes. */
export const rangeOfObject = (key: string): number => hash('sha256', Buffer.from(key, 'latin1'), 'buffer')[0]! % objectRanges;
