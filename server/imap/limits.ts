/** Bounds of an IMAP session, with unit and reason. What a command's bytes may be is in protocol/imap/limits.ts. */

/** RFC 9051 §5.4: at least 30 minutes for a session that has logged in. */
export const idleTimeoutMs = 30 * 60_000;
/** A stranger has a minute to log in. */
export const loginTimeoutMs = 60_000;
/** RFC 9585 §3: a client whose command takes longer hears that it is under way; many give up after 30 seconds or a minute of silence. */
export const progressMs = 15_000;
/** Failed logins of one connection; each is delayed too (server/auth). */
export const loginFailuresMax = 5;

/** Octets of a message that a client may append, where the configuration says nothing. */
export const messageBytesDefault = 40 * 1024 * 1024;

/** Response bytes gathered before they are handed to the connection. */
export const burstBytes = 256 * 1024;
/** Milliseconds that one session works before the others get a turn. */
export const sliceMs = 8;
/** Messages looked at in one read of the account. */
export const rowsPerRead = 256;

/** Messages read ahead of the one that is being sent, and their octets. */
export const bodiesAheadMax = 16;
export const bodyBytesAheadMax = 8 * 1024 * 1024;

/** RFC 10022 §3.1.3.2: messages of the smallest batch of UIDBATCHES, lest numbers come back by it. */
export const uidBatchMessagesMin = 500;

/** Octets of one annotation (RFC 5464): they go into the account's log; comments and colours are short. */
export const annotationBytesMax = 32 * 1024;
/** Annotations of one account: each look below an entry passes over all of them. */
export const annotationsMax = 2000;

/** Names that stay subscribed without a mailbox: each LSUB tells all of them, and people have some dozens. The ones after that are not kept. */
export const keptSubscriptionsMax = 1000;

/** Pairs of number and UID in SELECT's QRESYNC that are looked at: clients send a few dozen, and a short set can name billions. */
export const matchedPairsMax = 10_000;

/** Changes that a session which does not ask for news remembers one by one; more are merged. */
export const pendingEffectsMax = 1000;

/** Octets of extracted text from which on it may have been cut (protocol/mime keeps 64 KiB), and the message is looked at itself. */
export const textBytesCut = 64 * 1024 - 8;
/** Octets of the smallest message whose text may have been cut: GB 18030 grows by half in UTF-8, entities in HTML shrink. */
export const textCutMessageBytesMin = 40 * 1024;
/** Different lists of omitted header fields that one FETCH remembers its answer for: mail of one road lacks the same fields. */
export const omittedListsMax = 1000;
/** UTF-16 units of the texts of one sort key that are remembered of an account; 50,000 messages have about two million. */
export const sortTextCharsMax = 16 * 1024 * 1024;
/** Message ids that are remembered of an account for threading; 50,000 messages have about as many. */
export const threadIdsRememberedMax = 500_000;

/** Messages that go into another account in one commit, and their octets with texts and headers: they are held in memory, and a commit has 4 MiB of facts. */
export const transferredMessagesMax = 32;
export const transferredOctetsMax = 16 * 1024 * 1024;
