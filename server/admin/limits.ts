/** Bounds of the administrator's calls, with unit and reason. */

/** Bytes of a batch of messages: the largest message that may be configured (150 MiB), in base64, with some room. */
export const messageBatchBytesMax = 212 * 1024 * 1024;
/** Held messages that `trace` reads for a Message-ID. */
export const tracedHeldMax = 500;
/** Messages that `trace` lists; the newest. */
export const tracedMax = 20;
/** Messages that `trace` looks at between two turns of the event loop: some milliseconds. */
export const tracedSlice = 200;
/** Submissions that `outbox list --failed` looks at between two turns of the event loop: some milliseconds. */
export const failedSlice = 200;
/** Objects of a queue that `status` counts; ten listings. */
export const countedMax = 10_000;
