/** Bounds of the process as a whole, with unit and reason. */

/** Milliseconds that stopping may take: container platforms kill after 10 s (Docker) or 30 s (Kubernetes). */
export const drainMsMax = 8_000;
/** Bytes of a socket's path: what sockaddr_un holds on every system (macOS has 104 with the closing NUL). */
export const socketPathBytesMax = 103;
/** Milliseconds between looks at the directory's next numbers: what other nodes change is known here within it. */
export const directoryRefreshMs = 3_000;
/**
 * Milliseconds that a look at the directory is good for when a remembered password is accepted. Above the pause between looks, so that a login of a
 * running node costs no request; a password that was changed on another node is refused here after that long at the latest.
 */
export const directoryAgeMsMax = 5_000;
/** Milliseconds between scrubs of one account: garbage is at least a week old anyway. */
export const scrubIntervalMs = 24 * 60 * 60 * 1_000;
/** Findings of one account that `verify` lists; more are counted. */
export const findingsListedMax = 1_000;
/** Milliseconds that a store which passed the probe is trusted unasked. */
export const probeKeptMs = 24 * 60 * 60 * 1_000;
/** Milliseconds after the first signal in which another counts as the same: a terminal sends it to us and to our launcher, which passes it on. */
export const signalRepeatMs = 500;
/** Milliseconds between looks for accounts whose removal was cut short by a crash. */
export const finishRemovalsMs = 10 * 60 * 1_000;
/** Milliseconds that sessions have to end after they were told, before their connections are cut. Below drainMsMax. */
export const sessionsDrainMs = 5_000;
/** Milliseconds between looks for accounts whose log has grown enough for a snapshot, for search blocks to build, for accounts to scrub or to put away. */
export const snapshotsMs = 30_000;
export const searchBlocksMs = 5_000;
export const scrubLookMs = 60 * 60 * 1_000;
export const idleLookMs = 60_000;

/** Between two looks at how much of the index is mapped into the process, each of some 50 microseconds. A spike maps some 5 MB in that time. Milliseconds. */
export const indexLookMs = 200;
/** Bytes from which on mail in S3 gets into an account by a copy inside the store: a copy costs a HEAD more, and saves sending the bytes. */
export const copyBytesMin = 1024 * 1024;

/** Milliseconds before a queue that could not be read is read again. */
export const queuePauseMs = 1000;

/** Milliseconds that one name server has for a question about LMTP mail, and how often it is asked: together within indexer's dnsQuestionMsMax. */
export const dnsTryMs = 1_200;
export const dnsTries = 2;

/** Milliseconds that lines of the log wait for others to share their write. */
export const logGatherMs = 20;
/** Bytes that are written of the log at once: what Linux writes to a pipe whole or not at all (PIPE_BUF). */
export const logWriteBytesMax = 4_096;
/** Bytes of lines that wait for a reader of the log that is slow, before further ones are lost. */
export const logWaitingBytesMax = 64 * 1024;
