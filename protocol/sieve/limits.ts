/** Everything in a Sieve script and its run that could grow without end, with its unit and the reason for the number. */

/** Bytes of a script. Generated ones of long-lived accounts reach some 100 KB. */
export const scriptBytesMax = 512 * 1024;
/** Nested blocks, and nested tests. RFC 5228 §2.10.5 wants 15 of each. */
export const nestingMax = 32;
/** Commands and tests of one script: bounds what a compiled script takes in memory. */
export const nodesMax = 20_000;
/** Bytes of one string while the script runs. RFC 5229 §6 wants 4000 at least; a mail's text is put into one by extracttext. */
export const stringBytesMax = 64 * 1024;
/** Variables of a script. RFC 5229 §6 wants 128. */
export const variablesMax = 256;
/** Match variables: RFC 5229 §6 wants ${0} to ${9}; others give ${0} to ${31}. */
export const matchVariablesMax = 32;
/** Characters of a regular expression: its program grows with it. */
export const patternCharsMax = 2048;
/** Instructions of a regular expression's program: matching takes up to that for each character. Real ones have 10 to 100. */
export const programMax = 500;
/** Steps of one run: a command, a test, or 1024 characters looked at (by each instruction, in a regular expression). A script of 2000 rules takes some 10,000. */
export const stepsMax = 30_000;
/** Actions of one message: each is a copy of it or a message that leaves. */
export const actionsMax = 64;
/** Redirects of one message: RFC 5228 §10 fears mail bombs; four is what others allow. */
export const redirectsMax = 4;
/** Notifications of one message. */
export const notificationsMax = 4;
/** Depth of include, and scripts included by one run, each counted as often as it is included. RFC 6609 §3. */
export const includeDepthMax = 10;
export const includesMax = 50;
/** Bytes that editheader may add to one message. */
export const addedHeaderBytesMax = 16 * 1024;
/** Bytes of text in the encoded parts that one `body` or `extracttext` reads. */
export const bodyBytesMax = 1024 * 1024;
/** Bytes of a vacation's or a rejection's text, and of a subject. */
export const reasonBytesMax = 32 * 1024;
/** RFC 5230 §4.1, RFC 6131 §2: bounds of the time between two answers to one sender, in seconds. */
export const vacationSecondsMin = 0;
export const vacationSecondsDefault = 7 * 24 * 60 * 60;
export const vacationSecondsMax = 60 * 24 * 60 * 60;
/** RFC 7352 §3.3: for how long an id is remembered, in seconds. */
export const duplicateSecondsDefault = 7 * 24 * 60 * 60;
export const duplicateSecondsMax = 30 * 24 * 60 * 60;
