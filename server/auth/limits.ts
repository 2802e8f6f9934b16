/** Bounds of authentication, with unit and reason. */

/** Octets of a password or a SASL message: longer ones are refused before any work is done on them. */
export const passwordBytesMax = 1_024;
/** What RFC 4954 §4 lets a line hold in base64: tokens of some OpenID providers have several thousand. */
export const saslMessageBytesMax = 9_216;

/** Octets of a document of the OpenID provider, and the milliseconds that it may take to come: a login waits for it. */
export const providerDocumentBytesMax = 256 * 1_024;
export const providerFetchMsMax = 5_000;
/** Keys of the provider: each is tried to be read. */
export const providerKeysMax = 100;
/** Milliseconds after which the provider's keys are fetched anew; a key that is not known is looked for no more often than the second. */
export const providerKeysFreshMs = 10 * 60_000;
export const providerKeysPauseMs = 30_000;
/** Milliseconds that keys are used on while the provider does not answer. */
export const providerKeysStaleMsMax = 24 * 3_600_000;
/** Seconds that the provider's clock and ours may differ. */
export const tokenToleranceSeconds = 30;
/** Characters of a password to be set: the administrator's policy is the administrator's, only an empty one is a mistake. */
export const passwordCharactersMin = 1;

/** argon2id runs at a time: each takes 19 MiB and one of the four threads that file access needs as well. */
export const hashesParallelMax = 2;
/** Logins waiting for a hash: some seconds of work; later ones are told to come again. */
export const hashesWaitingMax = 256;

/** Milliseconds that a verified password is remembered, and how many are. */
export const rememberedMs = 5 * 60_000;
export const rememberedMax = 10_000;

/** Failures of one client address (IPv6: one /64) before it is refused unheard, and the milliseconds after which one is forgotten. */
export const addressFailuresMax = 30;
/** Failures of one login, from addresses that never logged in to it. */
export const loginFailuresMax = 50;
export const failureForgottenMs = 30_000;
/** Failures that are answered at once: people mistype. */
export const failuresUndelayed = 2;
/** Milliseconds that the next failure is answered later; doubles with each, up to the most. */
export const failureDelayMs = 250;
export const failureDelayMsMax = 8_000;
/** Local programs and proxies share the loopback address, so it is never refused, and kept waiting less. */
export const loopbackDelayMsMax = 1_000;
/** Addresses, logins and pairs of both that are kept in mind; the least lately seen are forgotten first. */
export const trackedMax = 20_000;
/** Different wrong passwords kept per login: a device that repeats an old one counts once. */
export const wrongPasswordsMax = 16;
