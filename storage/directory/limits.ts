/** Bounds of the directory, with unit and reason. */

/** Octets of an address: RFC 5321 §4.5.3.1.3 has 256 with the angle brackets. */
export const addressBytesMax = 254;
/** Octets of a local part: RFC 5321 §4.5.3.1.1. */
export const localPartBytesMax = 64;
/** Octets of a domain: RFC 1035 §2.3.4, without the root's dot. */
export const domainBytesMax = 253;
/** Members of one group: a group is one record, read and written whole. */
export const groupMembersMax = 1_000;
/** Groups within groups: deeper nesting is taken for a mistake and not followed. */
export const groupDepthMax = 10;
/** Accounts that one recipient may expand to: each costs a commit of its own. */
export const recipientAccountsMax = 5_000;
/** Characters of a display name. */
export const nameCharactersMax = 200;
/** App passwords of one account: they are one record with the password. */
export const appPasswordsMax = 50;
/** Rules of the organisation: each is asked of every message. WorkMail has as many patterns. */
export const rulesMax = 1_000;
/** Keys for functions' calls: one a function, and a second while it is changed. */
export const flowKeysMax = 100;
/** Addresses of others that one account may send as: more are a group's, or a domain's catch-all. */
export const sendAsMax = 100;
/** Accounts that may have shared something with one account: a LIST of its opens them all. */
export const ownersPerShareeMax = 200;
/** Milliseconds. A hint that leads to nothing is dropped when it is older than any commit can be under way. */
export const staleHintMs = 24 * 3_600_000;
/** Milliseconds. A grant renews a hint that is older: it must not look stale while the grant is under way. */
export const hintRenewedMs = 3_600_000;
