/** Bounds of the HTTP listeners, with unit and reason. */

/** Bytes of a request to /admin/v1: a group of 1,000 members fits with room to spare. */
export const adminBodyBytesMax = 1024 * 1024;
/** Bytes of an event of new mail: a little above what the source takes, so that it says itself why it refuses. */
export const eventBodyBytesMax = 2 * 1024 * 1024;
/** Bytes of Outlook's question for its settings: some 400 are usual. */
export const setupBodyBytesMax = 16 * 1024;
/** Milliseconds for a client to send its request's header: longer is a client that only holds the connection. */
export const headersTimeoutMs = 20_000;
/** Milliseconds for a whole request: an upload of 50 MB at 85 KB a second. Slower ones only hold memory. */
export const requestTimeoutMs = 600_000;
/** Bytes of a certificate or an answer of SNS: some 2 KB are usual. */
export const fetchBytesMax = 64 * 1024;
/** Milliseconds for it: SNS gives our own answer 15 seconds. */
export const fetchMsMax = 8_000;
