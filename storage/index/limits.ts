/** What an account may hold, with reasons. */

/** Mailboxes of an account: lists are read and sent whole. */
export const mailboxesMax = 10_000;
/** Levels of the hierarchy: paths stay below what clients show and file systems of local caches take. */
export const mailboxDepthMax = 32;
/** UTF-16 units of one level's name; modified UTF-7 may triple it, clients' caches take 255 bytes of most. */
export const mailboxNameCharsMax = 255;
/** Keywords of one email: each set is kept and sent whole. */
export const keywordsMax = 256;
/** Effects, tombstones and ingest keys are kept this long after their commit, by the commits' own times. Milliseconds. */
export const journalKeptMs = 30 * 24 * 60 * 60 * 1000;
/** Journal rows that one commit removes at most, so that no commit becomes slow by it. */
export const journalPrunedPerCommit = 64;
/** Messages under one message id that are looked at for one of the same subject: a list's digest may be referred to by thousands. */
export const threadRowsMax = 100;
/**
 * Bytes of address space that an environment begins with, of which only the file's pages take memory. Where a file outgrows its map, LMDB maps it anew
 * and leaves the old map in place, with all pages that were read through it: they would be counted twice, and read in twice.
 */
export const indexMapBytes = 4 * 1024 ** 3;
/**
 * Bytes of index files that are mapped and in memory, all environments together, before some are unmapped. They stay in the system's cache: to map a page
 * again costs about a microsecond, so that this bounds what the process is charged with and costs readers next to nothing.
 */
export const indexMappedBytesMax = 64 * 1024 * 1024;

/**
 * Pages of an account, of 2 to 4 KiB, that stay in memory though nobody has read them since they were written: for who is told of new mail, and for the mail
 * that comes next. In a spike of mail that nobody reads yet, memory would otherwise grow by all of its pages, each in a hole among buffers of messages.
 */
export const unreadPagesMax = 16;

/** Milliseconds that written rows wait for others to share their transaction; a message's delivery writes some twenty. */
export const gatherMs = 100;
/** Rows that may wait so. */
export const gatheredRowsMax = 2_000;
