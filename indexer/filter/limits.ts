/** Bounds of filing by scripts, with unit and reason. */

/** Compiled scripts that a node keeps, each for one version of a text: some 100 KB each at worst, some KB as a rule. */
export const compiledMax = 500;
/** Ids of messages and senders that an account remembers for `duplicate` and `vacation`. The soonest to end go first. About 100 bytes each. */
export const memoriesMax = 2000;
/** Characters of References in an answer: RFC 5322 §2.1.1 bounds a line at 998. */
export const referencesCharsMax = 900;
