/** How much a commit holds, how long a writer may rely on what it saw, and how patiently it tries. */

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Payload of one commit, uncompressed. Every node reads every commit whole, and one put must end well within a request's time. */
export const commitBytesMax = 4 * 1024 * 1024;

/** What a mutation's own line cannot hold: the first line, the line feeds, and that `Outcome.bytes` is said to be "about". */
export const commitBytesReserve = 16 * 1024;

/** Mutations of one commit: each is run again when the number is lost, and the state is held up while they run. */
export const commitMutationsMax = 1000;

/** Mutations that wait for a commit. Past it callers are told at once to come back: the store is not keeping up. */
export const queuedMutationsMax = 10_000;

/** A writer must have seen the tail of the log within this time: far below the 30 days that log is kept after a snapshot covers it. */
export const tailSeenMsMax = hourMs;

/** An upload is named by a commit within this time, or uploaded anew: far below the 7 days after which what is unnamed is garbage. */
export const uploadAgeMsMax = dayMs;

/** Times that one mutation's bytes are uploaded anew: only a machine that slept during an upload needs a second. */
export const reuploadsMax = 3;

/** Commits fetched ahead of the one being applied: hides a round trip of 30 ms at a thousand commits a second. */
export const fetchesAheadMax = 32;

/** Names asked for in the first page that looks for the tail: log that is new, and a month's manifests; seldom more. */
export const firstPageObjects = 100;

/** Commits read one by one before a listing and parallel fetches are cheaper. */
export const singleReadsMax = 8;

/** Times that the log is looked at anew when it changes under the reader (a commit collected between listing and reading it). */
export const looksMax = 6;

/** Lost rounds after which the mutations belong with the node that keeps winning. */
export const lostRoundsMax = 3;

/** Pauses, full jitter: between attempts at a number whose outcome is unknown, and between lost rounds. */
export const unknownPauseMs = 100;
export const unknownPauseMsMax = 10_000;
export const lostPauseMs = 20;
export const lostPauseMsMax = 2_000;

/** A store that was not reached for this long is away: its callers are told, since nothing was written. Before, it may be starting anew. */
export const unreachedMs = 2_000;

/** A mutation that is not in a commit after this time is given back with 'unavailable': a mail client waits about as long. */
export const patienceMs = 60_000;
