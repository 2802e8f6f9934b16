/** Bounds of JMAP requests, with unit and reason. Those that RFC 8620 §2 has names for are advertised in the session resource. */

/** Octets of an upload and of a request: a message of 40 MB fits the first, 500 objects of 20 KB the second. */
export const maxSizeUpload = 50_000_000;
export const maxSizeRequest = 10_000_000;
/** Uploads and requests of one account at once: browsers open 6 to 8 connections; each upload is held in memory. */
export const maxConcurrentUpload = 4;
export const maxConcurrentRequests = 16;
/** Calls of a request: an open inbox takes 4, a cold start about 8. */
export const maxCallsInRequest = 16;
/** Objects of one /get or /set: 500 messages with their bodies are some tens of megabytes of answer. */
export const maxObjectsInGet = 500;
export const maxObjectsInSet = 500;

/** Ids that one /query lists; a client pages on. 10,000 ids are 100 KB. */
export const queryIdsMax = 10_000;
/** Operators around a condition, and conditions of a filter: recursion and the work per row are bounded by them. */
export const filterDepthMax = 16;
export const filterConditionsMax = 200;
/** Comparators of a sort: there are fewer things to sort by. */
export const comparatorsMax = 16;
/** Words of one search text: each is looked for in every candidate. */
export const searchWordsMax = 16;
/** Tokens of a result reference's path, and values that it may gather: a path of `*` multiplies. */
export const referencePathTokensMax = 32;
export const referenceValuesMax = 10_000;
/** Levels of JSON in a request: bodyStructure nests deepest, and recursive checks need an end. */
export const jsonDepthMax = 64;
/** Characters of an Id (RFC 8620 §1.2). */
export const idCharsMax = 255;
/** Parts of a message that a client makes, and their depth. */
export const createdPartsMax = 500;
export const createdPartDepthMax = 20;
/** Messages in messages that a blobId may go down. */
export const blobStepsMax = 4;
/** Octets of all attachments of a message that a client makes (RFC 8621 §1.3.1, before transfer encoding): base64 of it stays below maxSizeUpload. */
export const maxSizeAttachmentsPerEmail = 35_000_000;
/** Pieces that a blob is made of (RFC 9404 §2); octets of blobs in one response, before base64: as many as one upload, they are held in memory. */
export const maxDataSources = 100;
export const blobDataBytesMax = 10_000_000;
