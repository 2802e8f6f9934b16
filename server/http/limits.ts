/** Bounds of the HTTP listeners, with unit and reason. */

/** Bytes of a request to /admin/v1: a group of 1,000 members fits with room to spare. */
export const adminBodyBytesMax = 1024 * 1024;
/** Milliseconds for a client to send its request's header: longer is a client that only holds the connection. */
export const headersTimeoutMs = 20_000;
