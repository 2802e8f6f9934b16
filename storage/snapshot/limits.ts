/** When snapshots are written, how they are cut, and how long what they leave behind is kept. */

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

/**
 * Commits of log after the newest manifest that make a snapshot due. A rebuild reads them 32 at a time, so 256 are 8 round trips, a quarter of
 * a second; at 72 commits a day a mailbox writes a snapshot every three or four days, some ten requests, which is well under a cent a year.
 */
const snapshotCommitsDue = 256;

/**
 * The same while the account is being filled: each snapshot would write again the parts that are filling up, and take the time of those who fill it. 16
 * round trips, half a second of a rebuild, which only a lost index needs. Not more: many accounts are due together in a spike, and what a snapshot reads
 * of the index is mapped into memory at once (with 2,048, 150 MB of it for a moment).
 */
const snapshotCommitsDueInSpate = 512;

/** Bytes of log, as stored, that make a snapshot due: about a second of reading and applying. An import writes its log in large commits. */
const snapshotLogBytesDue = 16 * 1024 * 1024;

/** Bytes of records, uncompressed, after which a part is continued in another object: encoding holds the event loop some 10 ms, decoding as long. */
export const partBytesTarget = 2 * 1024 * 1024;

/** Parts being uploaded at once. More would not be faster than they can be encoded, and each holds its bytes in memory. */
export const partUploadsMax = 4;

/** Objects fetched ahead of their use: it hides a round trip of 30 ms, and holds 32 compressed parts (some 20 MB) in memory at most. */
export const fetchesAheadMax = 32;

/** A manifest names, apart from its own uploads, only parts of the manifest that was newest less than so long ago. */
export const baseNewestMsMax = hourMs;

/** From the first upload to the manifest that names it. Far below the age at which the scrubber takes an unnamed object for garbage. */
export const snapshotWritingMsMax = dayMs;

/** Attempts at the manifest's put when the outcome is unknown, and the pause before the first repetition; it doubles. */
export const manifestPutAttemptsMax = 5;
export const manifestPutPauseMs = 200;

/**
 * From the listing to the state that is read after it. Far below the 30 days of tombstones: what lived at a point that was kept since, the state
 * still names.
 */
export const scrubListedMsMax = dayMs;

/** Objects per request of removal, S3's limit. */
export const removalsPerRequest = 1000;

/** What is unnamed is garbage when it had this age as it was listed: far above the time from an upload to the commit or manifest that names it. */
export const garbageAgeMsMin = 7 * dayMs;

/** Manifests are kept so long after they are superseded: for point-in-time restore, and for readers that still hold them. */
export const manifestKeptMs = 30 * dayMs;

/** The newest manifests that are kept whatever their age: one to use, and one to fall back on. */
export const manifestsKeptMin = 2;

/** Log objects are kept so long after a snapshot covers them: a writer that slept must find the number taken. */
export const logKeptMs = 30 * dayMs;

export interface LogSinceSnapshot {
  /** Commits after the newest manifest. */
  readonly commitsSince: number;
  /** Their bytes, as stored. */
  readonly bytesSince: number;
  /** Commits follow each other at this moment. */
  readonly isInSpate: boolean;
}

/** Whether it is time for a snapshot. */
export function snapshotDue({ commitsSince, bytesSince, isInSpate }: LogSinceSnapshot): boolean {
  const commitsDue = isInSpate ? snapshotCommitsDueInSpate : snapshotCommitsDue;
  return commitsSince >= commitsDue || (commitsSince > 0 && bytesSince >= snapshotLogBytesDue);
}
