/** Bounds of reading and keeping raw messages. */

/**
 * Bytes. Reads of a part of a blob go to the store in aligned pieces of this size, which are kept: a client that fetches 40 MB in pieces of
 * 64 KiB then costs 10 requests, not 640, and one that wants the header of a large message waits for 4 MiB at most.
 */
export const blobPieceBytes = 4 * 1024 * 1024;

/** Bytes of raw mail that a node keeps in memory, all accounts together: the messages that clients are reading just now. */
export const blobCacheBytesMaxDefault = 128 * 1024 * 1024;

/** Share of the cache that one entry may take, so that one 40 MB message does not drive out everybody else's. */
export const blobCacheEntryShareMax = 1 / 4;

/** Share of the cache for what was written and not yet read: some 5,000 usual messages, enough for clients that wait for them. */
export const blobCacheUnreadShareMax = 1 / 4;
