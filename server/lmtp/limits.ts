/** Bounds of an LMTP connection, with unit and reason. */

/** RFC 5321 §4.5.3.2.7: a server waits at least five minutes for the next command. */
export const idleTimeoutMs = 5 * 60_000;
