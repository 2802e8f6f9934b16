/** Bounds of the organisation's rules, with unit and reason. */

/** Clauses of one rule: a rule is one record, read and written whole. */
export const clausesMax = 100;
/** Patterns of one clause, as WorkMail has them. */
export const patternsMax = 250;
/** Characters of a clause: a banner or a bounce has a few sentences. */
export const clauseCharactersMax = 4_000;
/** Recipients that rules may add to one message, by redirecting or adding. */
export const addedRecipientsMax = 100;
/** Bytes of a text part into which a banner is put; a larger one is left alone. */
export const bannerPartBytesMax = 8 * 1024 * 1024;
/** Bytes of a message that is searched for attachments or given a banner on the event loop. */
export const editedBytesMax = 48 * 1024 * 1024;
