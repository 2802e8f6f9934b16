/** Bounds of a connection, with unit and reason. */

/** Bytes read from a socket and not yet looked at; past them the peer's TCP window closes. */
export const unreadBytesMax = 64 * 1024;

/** Bytes written and not yet taken by the peer's system before whoever writes has to wait. */
export const unsentBytesHigh = 256 * 1024;

/** Milliseconds that a TLS handshake may take: a stranger holds a socket no longer. */
export const handshakeMs = 30_000;

/** Connections of one listener, and of one address (IPv6: one /64) on it. Mail clients open some dozens from behind one NAT. */
export const connectionsMax = 20_000;
export const connectionsPerAddressMax = 500;

/** Milliseconds of silence before the system asks whether the peer is still there: below what NAT routers forget connections after. */
export const keepAliveMs = 120_000;

/** Milliseconds that the last words to a client may take to leave before the connection is cut. */
export const lingerMs = 5_000;

/**
 * Compression of a connection: a window of 8 KiB and 32 KiB of state keep ten thousand compressed connections within a gigabyte; headers repeat
 * within a window of that size. Level 4 packs mail nearly as small as 6, at half the time.
 */
export const deflateWindowBits = 13;
export const deflateMemLevel = 6;
export const deflateLevel = 4;

/** Milliseconds that an SMTP server waits for the next command: RFC 5321 §4.5.3.2.7 asks for at least five minutes. */
export const smtpIdleTimeoutMs = 5 * 60_000;
