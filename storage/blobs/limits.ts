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

/** Share of the cache for what was written and not yet read, so that new mail does not drive out what clients are reading. */
export const blobCacheUnreadShareMax = 1 / 4;

/**
 * Entries of it: a client that waits for mail fetches it at once. In a spike each stays for some 0.2 s and goes with the young garbage; when there were
 * 5,000, the bytes of every message outlived that and lay about until the next full collection, and the process took a tenth more processor time.
 */
export const blobCacheUnreadMax = 256;
