/** Bounds of ManageSieve's commands, with unit and reason. */
import { scriptBytesMax } from '../limits.ts';

/** Bytes of a line between literals. RFC 5804 §4 bounds a quoted string at 1024 octets; names and SASL answers need a few. */
export const lineBytesMax = 16 * 1024;
/** Bytes of the literals of one command: a script and its name. */
export const literalBytesMax = scriptBytesMax + 4096;
/** Bytes of a literal that is read only to be refused, so that the client hears why. */
export const skippedLiteralBytesMax = 16 * 1024 * 1024;
