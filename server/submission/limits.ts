/** Bounds of submission, with unit and reason. */

/** Seconds that a message may be held before it leaves (RFC 4865): what JMAP's maxDelayedSend allows too. */
export const holdSecondsMax = 365 * 24 * 60 * 60;
/** Failed logins of one connection: what guesses more often is no person. */
export const loginFailuresMax = 3;
