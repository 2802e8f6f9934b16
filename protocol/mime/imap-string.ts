/**
 * Strings of ENVELOPE and BODYSTRUCTURE. What these items hold is sent as pure ASCII in quoted strings: clients fail on 8-bit bytes there, and before UTF8=ACCEPT
 * (RFC 6855) they may not be sent at all. A value with 8-bit bytes goes as RFC 2047 encoded words, which clients decode anyway.
 */
import { isAscii } from './bytes.ts';
import { decodeWords, encodeWords } from './encoded-word.ts';

/** nstring = string / nil (RFC 3501 §9). `value` is a latin1 string of the message's bytes. */
export function nstring(value: string | undefined): string {
  return value === undefined ? 'NIL' : quoted(value);
}

/** quoted = DQUOTE *QUOTED-CHAR DQUOTE. CR, LF and NUL, which no quoted string may hold, are left out. */
export function quoted(value: string): string {
  let text = isAscii(value) ? value : encodeWords(decodeWords(value));
  if (/[\r\n\0]/.test(text)) text = text.replace(/[\r\n\0]+/g, '');
  return /["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;
}
