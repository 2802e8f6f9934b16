/** Everything about mail on its way out that could grow without end, with its unit and the reason for the number. */

/** Submissions being handed over at once, and of one account, so that one sender of many leaves room for the others. */
export const handoversMax = 64;
export const accountHandoversMax = 16;
/** Milliseconds after which another node's claim is taken over: longer than any relay may take for one message (relayMsMax). */
export const claimMs = 15 * 60 * 1000;
/** Milliseconds that a relay may take for one message: RFC 5321 §4.5.3.2.6 gives the final reply to DATA ten minutes. */
export const relayMsMax = 10 * 60 * 1000;
/** Milliseconds that a copy may stand in line for the relay: with the relay's own time no longer than a claim. */
export const relayWaitMsMax = claimMs - relayMsMax;
/** Milliseconds before the second attempt; doubled with each further one up to the largest (RFC 5321 §4.5.4.1: 30 minutes is enough later on). */
export const retryFirstMs = 60 * 1000;
export const retryLargestMs = 2 * 60 * 60 * 1000;
/** Milliseconds before work is looked at again that the store's absence, or a fault of ours, cut short. */
export const faultPauseMs = 5 * 1000;
/** Milliseconds after which a sender is told that a message still waits. */
export const delayNoticeMs = 4 * 60 * 60 * 1000;
/** `Received` fields of a message that is sent on: more of them, and it is going round in circles (RFC 5321 §6.3 asks for at least 100). */
export const hopsMax = 100;
/** Bytes of a message that a report about it brings back whole, where the sender asked for that (RFC 3461 §4.3). */
export const returnedBytesMax = 1024 * 1024;
/** Characters of a relay's reply that are kept. */
export const replyCharsMax = 500;

/** Milliseconds that a mark of pending work is believed by the node that wrote it, and kept by those that look for it. The second must be the longer. */
export const markTrustedMs = 2 * 60 * 1000;
export const markKeptMs = 6 * 60 * 1000;
/** Milliseconds between looks for marks: a LIST each, $0.22 a month. */
export const markLookMs = 60 * 1000;
/** Milliseconds that a submission with nothing left to do is kept for its sender, for events about it and for `trace`. */
export const settledKeptMs = 30 * 24 * 60 * 60 * 1000;
/** Milliseconds between looks for those. */
export const settledLookMs = 60 * 60 * 1000;

/** Milliseconds between two messages of an account that was slowed down, to other servers: 720 a day. */
export const slowedPauseMs = 2 * 60 * 1000;
/** The same for a domain: 8,640 a day. */
export const domainSlowedPauseMs = 10 * 1000;
/** Milliseconds between commits of what domains have sent: 288 a day at most, $0.05 a month. */
export const domainFlushMs = 5 * 60 * 1000;
/** Milliseconds between looks whether a stopped account was released. */
export const stoppedLookMs = 30 * 60 * 1000;
