/** Collations that texts are sorted by (RFC 4790, RFC 5051), by what they make equal. */
import { foldText } from './search-text.ts';

export const collations: Readonly<Record<string, (text: string) => string>> = {
  'i;ascii-casemap': (text) => text.replace(/[a-z]+/g, (letters) => letters.toUpperCase()),
  'i;octet': (text) => text,
  'i;unicode-casemap': foldText,
};
export const defaultCollation = 'i;unicode-casemap';
