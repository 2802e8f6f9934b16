/** Bounds of hooks, with unit and reason. */

/** Bytes of a hook's answer: WorkMail takes 256 KB. */
export const responseBytesMax = 256 * 1024;
/** Actions of an answer, as in WorkMail. */
export const responseActionsMax = 10;
/** Bytes of the recipients in an event: WorkMail cuts the list at 128 KB. */
export const recipientsBytesMax = 128 * 1024;
/** Characters of the subject in an event, as in WorkMail. */
export const subjectCharactersMax = 256;
/** Characters of a hook's bounce message: one line of a report. */
export const bounceCharactersMax = 400;
/** Milliseconds between attempts at a hook that failed. */
export const retryPauseMs = 500;
/** Milliseconds for which the message of an asynchronous call can be read: a function starts within minutes. */
export const transitKeptMs = 60 * 60 * 1000;
/** Bytes of messages kept for functions to read; past it the oldest that nobody waits for go first. */
export const transitBytesMax = 256 * 1024 * 1024;
/** Milliseconds for which an address of a raw message is good: longer than a function may run. */
export const rawUrlMs = 20 * 60 * 1000;
/** Milliseconds by which a signature's date may differ from our clock, as AWS has it. */
export const signatureSkewMs = 15 * 60 * 1000;
