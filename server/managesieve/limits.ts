/** Bounds of a ManageSieve session, with unit and reason. */

/** Milliseconds without a command. RFC 5804 §1.5: at least 30 minutes after login; before it a stranger holds a socket no longer than a minute. */
export const idleTimeoutMs = 30 * 60 * 1000;
export const strangerTimeoutMs = 60 * 1000;
/** Failed logins after which the session ends. */
export const loginFailuresMax = 3;
/** Refused lines, before login, after which the session ends. */
export const faultsMax = 10;
