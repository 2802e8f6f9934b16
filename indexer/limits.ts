/** Everything in mail intake that could grow without end, with its unit and the reason for the number. */

/** Bytes of a message in which SES's header block is looked for: a block is about 2 KB, its longest line some 600 bytes. */
export const blockBytesMax = 64 * 1024;
/** Fields of the block, those that a rule's AddHeader actions (10 a rule) add included. */
export const blockFieldsMax = 64;
/** Bytes of a message that are read for its recipients when it is too large to be read whole. */
export const headerBytesMax = 256 * 1024;
/** Recipients of one message that are looked up at once, and of its header at all. SES and Mail Manager pass on at most 100 a transaction; To and Cc are the sender's to fill. */
export const recipientsMax = 1000;
/** Bytes of an event. SNS and SQS carry at most 1 MiB. */
export const eventBytesMax = 1024 * 1024;
/** Records in one event. S3 sends one; a forwarder may batch. */
export const eventRecordsMax = 1000;

/** Bytes of raw messages being worked on at once, by all sources together. A message larger than this is worked on alone. */
export const bytesInFlightMax = 128 * 1024 * 1024;
/** Messages being worked on at once. Commits are grouped, so more in flight make larger groups. */
export const messagesInFlightMax = 64;
/** Messages for one account being worked on at once, so that a slow or busy account leaves room for the others. */
export const accountInFlightMax = 48;
/** Bytes of an object that are looked at for whom it is: SES's block and the longest common headers are within them. At once so many looks, 2 MiB. */
export const lookedAtBytes = 32 * 1024;
export const looksMax = 64;
/** Names of objects a sweep holds back because their account is busy; some 200 bytes each. Past it they are passed over, and listed again. */
export const parkedMax = 4096;
/** Milliseconds of working off what was held back after which a sweep looks for what has come meanwhile; longer where listing took long. */
export const relistAfterMs = 5_000;

/** Safe and blocked senders of one account; some 150 bytes each. The one taught longest ago makes room. */
export const sendersMax = 1000;
/** Senders taught by one move: more at once is a folder being tidied. */
export const taughtAtOnceMax = 100;

/** Milliseconds that SPF, DKIM and DMARC of an LMTP message may take, DNS included; an MTA waits for its answer for minutes. */
export const authenticationMsMax = 8_000;
/** Milliseconds that one question to DNS may take: a resolver that must ask around takes a second or two, a client library waits for 20. */
export const dnsQuestionMsMax = 2_500;
/** Questions in a row without an answer after which the resolver is tried, and taken for away when it is silent too. */
export const dnsSilencesMax = 4;
/** Milliseconds before a resolver that was away is tried again: what comes meanwhile has no results, so it must not be long. */
export const dnsPauseMs = 30_000;

/** Messages of an SQS queue being worked on at once; each holds its event, some 5 KB. Past it the queue itself is where they wait. */
export const queueOutstandingMax = 1000;
/** Bytes of a queue's messages that wait for busy accounts, and what one counts without what it carries: some 8000 then wait here, half of them for one account. */
export const waitingBytesMax = 32 * 1024 * 1024;
export const waitingBytesEach = 4096;
/** Messages of busy accounts that are hidden in the queue at once: SQS lets 120,000 be received and not deleted, by all readers together. */
export const returnedMax = 40_000;
/** Times a message is given back unless the queue's redrive policy is known: each counts towards its dead letters, which take a message no sooner than at the third. */
export const returnsMax = 1;
/** Messages after which those given back stay away for as much longer again, so that they do not all come back at once: about what waits here for one account. */
export const returnedStep = 4096;
/** Milliseconds for which a message is hidden from other readers at most: in steps of what it is kept for while it is worked on. */
export const hiddenMsMax = 120_000;
/** Requests for messages at once while a queue is full: each brings 10 in some 20 ms. */
export const queueReadersMax = 6;
/** Seconds that a request waits at an empty queue: SQS's most, and so the fewest requests. */
export const queueWaitSeconds = 20;
/** Milliseconds a received message is kept from other readers; renewed at each third. After a crash it comes again when they are over. */
export const queueVisibilityMs = 60_000;
/** The same for what waits, as a multiple: it is renewed seldom, since there may be thousands. */
export const waitingVisibilityFactor = 2;
/** Milliseconds between attempts at a message while the store is away. */
export const queueBackoffMsMin = 500;
export const queueBackoffMsMax = 30_000;

/** Milliseconds an SNS message may be old, or ahead: SNS sends again for an hour at most, and clocks differ. */
export const replayWindowMs = 75 * 60 * 1000;
/** MessageIds of SNS that are remembered so that a repeated one costs nothing; about 100 bytes each. */
export const seenMessagesMax = 10_000;
/** Certificates of SNS that are kept; it uses one a region, and changes them now and then. */
export const certificatesMax = 32;
/** Milliseconds before an announced object that is not there is looked for once more. */
export const lookAgainMs = 500;

/** Attempts at a message that makes us throw, before it goes to failed/. */
export const attemptsMax = 3;
/** Milliseconds between them: long enough for a passing fault, short enough to hold up nobody. */
export const attemptPauseMs = 200;

/**
 * Bytes up to which a message is parsed on the event loop, where the way to a worker and back costs more than the parse: 0.3 ms for real messages of 32
 * KiB and more, 8 ms for the worst of this size. Only one in a thousand is larger.
 */
export const inlineParseBytesMax = 128 * 1024;
/** Milliseconds a worker may take for one message. The slowest real ones take some hundreds. */
export const parseMsMax = 20_000;
/** Megabytes of heap of a parse worker; the messages themselves (40 MB) lie outside it. */
export const parseHeapMbMax = 384;
/** The same of its young objects, beside them: V8 would let them come to 192. In a spike of 100,000 messages, with this, the rate was not lower. */
export const parseYoungHeapMbMax = 12;

/** Milliseconds an object in the file store must have been still (size and time) before it counts as written. */
export const stillMs = 1000;
/** Milliseconds after which a sweep takes an object although an event source should have announced it. */
export const eventGraceMs = 60 * 60 * 1000;
/** Bytes of a reason kept with a failed message. */
export const reasonCharsMax = 500;
