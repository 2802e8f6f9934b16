/** Bounds of what a client may send, with unit and reason. Each is refused with a sentence, never with unbounded memory. */

/** Bytes of a command without its literals. RFC 7162 §4 asks for 8,192; clients with gaps in their UIDs send sequence sets of tens of kilobytes. */
export const commandBytesMax = 64 * 1024;

/** Bytes of a literal that is not a message: names, search strings, passwords. */
export const literalBytesMax = 64 * 1024;

/** Literals of one command: a SEARCH may have many strings. */
export const literalsMax = 256;

/** Bytes of all literals of one command that are not messages. */
export const literalBytesTotalMax = 256 * 1024;

/** RFC 7888 §5: octets of a literal that a client may send without waiting where LITERAL- is offered. */
export const smallLiteralBytesMax = 4096;

/** Before login nothing longer than a password, or a token in base64, has to be said: strangers get less memory. */
export const strangerCommandBytesMax = 16 * 1024;
export const strangerLiteralBytesMax = 4 * 1024;

/** Bytes of a line that answers a continuation: DONE, a SASL message in base64 (an OAuth token may be long). */
export const continuationLineBytesMax = 16 * 1024;

/** Bytes that are read and thrown away to find the end of a refused command; past them the connection is closed. */
export const discardedBytesMax = 256 * 1024 * 1024;

/** Texts and URLs of one CATENATE: each URL reads a message. */
export const catenatePartsMax = 100;

/** Depth of parentheses in a search, a list, an ID: recursion must end. */
export const listDepthMax = 32;

/** Keys of one search; the line's length allows more, and each costs on every message. */
export const searchKeysMax = 1000;

/** RFC 2971 §3.3: at most 30 pairs in ID, keys of 30 octets, values of 1,024. */
export const idPairsMax = 30;
export const idKeyBytesMax = 30;
export const idValueBytesMax = 1024;

/** Commands of one connection that are carried out at the same time, when what they do does not depend on each other. */
export const overlappingCommandsMax = 16;

/** Header fields in one section, patterns of one LIST: more is no client's wish. */
export const headerFieldsMax = 200;
export const listPatternsMax = 50;

/** Entries of one GETMETADATA or SETMETADATA. */
export const annotationEntriesMax = 100;

/** Groups of one NOTIFY, filters of one ESEARCH, and mailboxes named in one of them: each is looked at at every change. */
export const mailboxFiltersMax = 50;
export const filterMailboxesMax = 1000;

/** Criteria of one SORT: there are nine keys, and each costs at every comparison. */
export const sortCriteriaMax = 16;

/** Characters of a list of rights (RFC 4314): there are thirteen, and clients may name some twice. */
export const rightsCharsMax = 64;
