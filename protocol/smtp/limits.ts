/** Everything in an SMTP session that could grow without end, with its unit and the reason for the number. */

/** Bytes of a command line with its CRLF: RFC 5321 §4.5.3.1.4 has 512, and extensions' parameters add to it (RFC 4954 §4: AUTH takes 12,288). */
export const commandLineBytesMax = 12_288;
/** Recipients of one transaction: RFC 5321 §4.5.3.1.8 asks for at least 100; a message for more is sent in several. */
export const recipientsMax = 1000;
/** Octets of a path with its brackets, and of a local part: RFC 5321 §4.5.3.1. */
export const pathBytesMax = 256;
export const localPartBytesMax = 64;
/** Parameters of one MAIL or RCPT. All extensions together have about a dozen. */
export const parametersMax = 32;
/** Refused commands of one connection: what errs more often than a person with a telnet client is a probe. */
export const errorsMax = 20;
/** Bytes received and not yet worked on, past which the peer is asked to wait: some socket reads. */
export const inputBytesMax = 256 * 1024;
