/** Bounds of what the JMAP face keeps per account and connection, with unit and reason. Those of requests are in protocol/jmap/limits.ts. */

/** Result lists remembered per open account: a client has some folders and one search open. 50,000 emails take 400 KB each. */
export const rememberedListsMax = 16;
/** Search conditions whose verdicts are remembered: texts do not change, so neither do verdicts. One byte per email each. */
export const rememberedVerdictsMax = 32;
/** Emails whose list properties are remembered as JMAP shows them: some screens of a few clients, about 2 KB each. */
export const rememberedEmailsMax = 2_000;
/** EventSource connections of one account: devices and tabs of one person. */
export const eventSourcesMax = 32;
/** Seconds between pings that a client may ask for (RFC 8620 §7.3 lets the server move it): proxies cut what is silent for a minute. */
export const pingSecondsMin = 5;
export const pingSecondsMax = 300;
/** Milliseconds that an upload is kept unnamed: RFC 8620 §6.1 asks for an hour at least. */
export const uploadKeptMs = 24 * 60 * 60 * 1000;
/** Uploads of an account kept at once, and their octets: above it the oldest that are an hour old make room. */
export const uploadsMax = 1_000;
export const uploadsBytesMax = 1_000_000_000;
/** Milliseconds after its upload within which a commit may name a blob without uploading it anew: some hours below the log's day. */
export const uploadFreshMs = 20 * 60 * 60 * 1000;
/** Emails whose threads are looked at one by one for counts that changed elsewhere; above it all mailboxes are said to have changed. */
export const crossMailboxEmailsMax = 1_000;
/** Snippets are of at most this many emails of one call's text each. Characters of text that are searched for words to mark. */
export const snippetTextCharsMax = 64 * 1024;
/** Times that the operations of one Mailbox/set are gone through, so that each may wait for others: a chain as long as mailboxes nest deep. */
export const mailboxSetPassesMax = 32;
/** Identities of an account: a person's addresses and roles; each holds two signatures. */
export const identitiesMax = 200;
/** Seconds that a submission may be held before it leaves (RFC 8621 §1.3.2): a year, as people plan. */
export const maxDelayedSend = 365 * 24 * 60 * 60;
/** Submissions of an account that wait to leave: what one person sends in a day, and a year's plans, many times over. */
export const submissionsPendingMax = 10_000;
/** Signers of a message, and certificates that come with it: one chain each, some CAs send a few more. Verifying costs about a millisecond each. */
export const smimeSignersMax = 5;
export const smimeCertificatesMax = 50;
/** Signed messages that one query verifies: each is read whole. Results that are remembered, some 100 octets each. */
export const smimeVerifiedInQueryMax = 500;
export const smimeRememberedMax = 10_000;
/** Milliseconds after which a signature is verified anew: certificates expire. */
export const smimeFreshMs = 24 * 60 * 60 * 1000;
/** WebSocket connections of one account: devices and tabs of one person. */
export const webSocketsMax = 32;
/** Milliseconds between pings: proxies cut what is silent for a minute, and who does not answer by the next one is gone. */
export const webSocketPingMs = 30_000;
/** Octets of answers that wait for a client to read them before it is read from no more: one large answer. */
export const webSocketBufferedBytesMax = 16_000_000;
/** Milliseconds between looks at whether the logins of open streams still hold: as often as the directory hears of other nodes' changes. */
export const streamLooksMs = 5_000;
/** Push subscriptions of an account: devices and browsers of one person. */
export const pushSubscriptionsMax = 32;
/** Milliseconds that a subscription lasts unless it is prolonged (RFC 8620 §7.2 asks for two days at least): a device that is gone is forgotten. */
export const subscriptionMsMax = 14 * 24 * 60 * 60 * 1000;
/** Verifications sent for an account within a window of milliseconds: the url is any that a client names. */
export const verificationsMax = 60;
export const verificationsWindowMs = 60 * 60 * 1000;
/** Pushes under way at once on this node, milliseconds that one may take, and those between its attempts: half an hour in all, after which states are old. */
export const pushesParallelMax = 16;
export const pushSendMsMax = 10_000;
export const pushRetriesMs: readonly number[] = [2_000, 15_000, 60_000, 300_000, 1_200_000];
/** Seconds that a push service keeps a push for a device that is away: the newest states are in the next one. */
export const pushTtlSeconds = 24 * 60 * 60;
/** Octets that are read of a body though it is refused for its size, so that its sender sees why and not a broken connection: some uploads. */
export const refusedBodyBytesMax = 200_000_000;

/** Emails with changed keywords that are looked at one by one to keep a remembered list; with more it is made anew, which costs no more than they do. */
export const emailsLookedAgainMax = 1_000;
/** Uploads and their octets, after which (and after a minute) it is seen to that not too many are kept: to look through a thousand takes longer than to store one. */
export const uploadsUnlookedMax = 32;
export const uploadsUnlookedBytesMax = 32 * 1024 * 1024;
