/** Everything in a message that could grow without end, with its unit and the reason for the number. Beyond a limit nothing fails: the rest is read as opaque bytes. */

/** Nested parts. Real mail stays below 10 (forwards of forwards); recursion and the boundary stack are bounded by it. A deeper multipart or message is one opaque leaf. */
export const partDepthMax = 50;

/** Parts in one message. Digests reach some hundreds; the facts of a part take about 150 bytes of a commit. The rest of the message after it is one opaque leaf. */
export const partsMax = 1000;

/** Bytes of a boundary that are compared. RFC 2046 §5.1.1 allows 70; some mailers write up to 200. */
export const boundaryBytesMax = 256;

/** Header fields of one header that are interpreted. Real headers have 20 to 150; the rest counts as header bytes but says nothing. */
export const headerFieldsMax = 1000;

/** Bytes of one field's value that are interpreted: some 2,000 recipients. */
export const fieldBytesMax = 64 * 1024;

/** Bytes of field values interpreted in one message, nested messages and parts included: bounds the facts in a commit to about three times this. */
export const interpretedBytesMax = 256 * 1024;

/** Parameters of one Content-Type or Content-Disposition. RFC 2231 continuations of a long file name take some tens. */
export const parametersMax = 128;

/** Addresses of one list that are kept: what a list of recipients shows is a handful; fieldBytesMax bounds it too. */
export const addressesMax = 1000;

/** Message ids kept of References: the first (the thread's root) and the newest. RFC 5256 threading needs no more in practice. */
export const referencesMax = 100;

/** Characters of one message id that are kept: RFC 5322 §2.1.1 bounds a line at 998; LMDB keys built from ids want them shorter still. */
export const messageIdCharsMax = 998;

/** Bytes of a subject that are kept: four times the longest line RFC 5322 allows. */
export const subjectBytesMax = 4096;

/** Bytes of the header kept in a message's facts: holds everything that lists ask for in 99 % of real mail. */
export const headerFactsBytesMax = 8 * 1024;

/** Names of fields left out of the facts that are listed, and the bytes they may take together; past either, the list says `*`. */
export const omittedNamesMax = 64;
export const omittedNameBytesMax = 2048;

/** Bytes (UTF-8) of a message's text that are kept for search. */
export const textBytesMax = 64 * 1024;

/** Encoded bytes of one text part that are read for its text: base64 UTF-16 HTML of 64 KiB of text stays below it. */
export const textPartBytesMax = 256 * 1024;

/** Encoded bytes of all text parts of a message that are read for its text. */
export const textPartsBytesMax = 1024 * 1024;

/** Characters of HTML that are read for a message's text: markup takes most of them. */
export const htmlCharsMax = 192 * 1024;
/** Lists within lists, and quotes within quotes, that are told apart in text: deeper ones would be more marks than words. */
export const listDepthShown = 8;
export const quoteDepthShown = 8;

/** Characters of a preview. RFC 8621 §4.1.4: at most 256. */
export const previewCharsMax = 256;
