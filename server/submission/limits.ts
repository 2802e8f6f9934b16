/** Bounds of submission, with unit and reason. */

/** Seconds that a message may be held before it leaves (RFC 4865): what JMAP's maxDelayedSend allows too. */
export const holdSecondsMax = 365 * 24 * 60 * 60;
/** Failed logins of one connection: what guesses more often is no person. */
export const loginFailuresMax = 3;
/** Bytes of the journal of relays' answers before those are written anew that no commit says yet: reached only when mail leaves without a pause. */
export const answerFileBytesMax = 1024 * 1024;
/** Milliseconds that an answer of an earlier run is kept: what a submission lives (submissionLifeMs) and a little more. */
export const answerKeptMs = 6 * 24 * 60 * 60 * 1000;
/** Milliseconds between looks at what an SMTP relay offers. */
export const extensionsLookMs = 10 * 60 * 1000;
