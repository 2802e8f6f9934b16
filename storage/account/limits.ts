/** How many accounts stay in memory, and what the work beside them waits for. */

/**
 * Accounts in memory of a node. One with some hundred messages takes 20 KiB, one of 50,000 that is read by JMAP a few MiB. Those that somebody
 * watches stay whatever their number.
 */
export const accountsOpenMax = 1_000;

/** Part of accountsOpenMax that is put away when there are more: they are looked through once for so many openings. */
export const accountsPutAwayShare = 1 / 8;

/** Milliseconds without use after which an account that nobody watches is put away: above the pauses of a mail program that polls every five minutes. */
export const accountIdleMs = 10 * 60 * 1_000;

/** Milliseconds that an account must be quiet before snapshots and search blocks are made as soon as they are due: mail that comes in goes first. */
export const quietMsMin = 2_000;
/** Search blocks that may be due before they are built in spite of that. */
export const blocksPiledMax = 8;

/** About what an added message and another effect add to the log, compressed: to tell when a snapshot is due. Bytes. */
export const logBytesPerEmail = 2048;
export const logBytesPerEffect = 256;
