/** Strings of a script: encoded characters (RFC 5228 §2.4.2.4) are read when the script is, variables (RFC 5229 §3) when it runs. */
import { SieveError } from './syntax.ts';

/** A string without variables, or its pieces: at odd places names of variables, in lower case. */
export type Text = string | readonly string[];

/** Digits and space only, so that what is no sequence hides none inside it. */
const encoded = /\$\{(hex|unicode):([0-9a-f \t\r\n]+)\}/gi;

/** Throws SieveError for a character that there is not. */
export function decodeEncodedCharacters(text: string, line: number): string {
  return text.replace(encoded, (whole, kind: string, digits: string) => {
    const isHex = kind.toLowerCase() === 'hex';
    const words = digits.trim().split(/[ \t\r\n]+/);
    if (words.some((word) => word === '' || (isHex && word.length > 2))) return whole;
    const codes = words.map((word) => Number.parseInt(word, 16));
    if (isHex) return Buffer.from(codes).toString('utf8');
    const wrong = codes.find((code) => code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff));
    if (wrong !== undefined) throw new SieveError(line, `\${unicode:${wrong.toString(16)}} is no character.`);
    return String.fromCodePoint(...codes);
  });
}

/** variable-ref = "${" *namespace variable-name "}"; what is not one stays as it is. Match variables are numbers of at most two digits or so. */
const reference = /\$\{((?:[a-z_][a-z0-9_]*\.)*[a-z_][a-z0-9_]*|[0-9]+)\}/i;

export function readText(text: string): Text {
  if (!text.includes('${')) return text;
  const pieces = text.split(reference);
  return pieces.length === 1 ? text : pieces.map((piece, index) => (index % 2 === 1 ? piece.toLowerCase() : piece));
}

/** Names that a script may set. RFC 5229 §3: an identifier; `global.` is RFC 6609's. */
export function isVariableName(name: string): boolean {
  return /^(?:global\.)?[a-z_][a-z0-9_]*$/i.test(name);
}

/** Cuts between characters. */
export function cutToBytes(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = Buffer.from(text);
  let end = bytesMax;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
