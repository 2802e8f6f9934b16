/**
 * Paths and parameters of MAIL and RCPT: RFC 5321 §4.1.2, with the UTF-8 of RFC 6531 §3.3.
 *
 *   Path            = "<" [ A-d-l ":" ] Mailbox ">"
 *   Mailbox         = Local-part "@" ( Domain / address-literal )
 *   Mail-parameters = esmtp-param *(SP esmtp-param)
 *   esmtp-param     = esmtp-keyword ["=" esmtp-value]
 */
import { localPartBytesMax, parametersMax, pathBytesMax } from './limits.ts';
import { SmtpRefusal } from './reply.ts';

export interface PathAndParameters {
  /** As written, without brackets and source route; '' for `<>`; `postmaster` may stand alone. */
  readonly address: string;
  /** Keywords in upper case; null without a value. */
  readonly parameters: ReadonlyMap<string, string | null>;
}

const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\u{80}-\\u{10ffff}-]+";
const localPattern = new RegExp(`^(?:${atom}(?:\\.${atom})*|"(?:[ !#-\\[\\]-~\\u{80}-\\u{10ffff}]|\\\\[ -~])*")$`, 'u');
const domainPattern = /^(?:[A-Za-z0-9_\u{80}-\u{10ffff}](?:[A-Za-z0-9_\u{80}-\u{10ffff}-]{0,62})\.?)+$|^\[[\x21-\x5a\x5e-\x7e]+\]$/u;
const keywordPattern = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
const valuePattern = /^[\x21-\x3c\x3e-\x7e\u{80}-\u{10ffff}]+$/u;

/** `keyword` is `FROM:` or `TO:`. Throws SmtpRefusal. */
export function parsePathAndParameters(args: string, keyword: 'FROM:' | 'TO:'): PathAndParameters {
  if (args.slice(0, keyword.length).toUpperCase() !== keyword) throw new SmtpRefusal(501, '5.5.4', `${keyword}<address> is missing`);
  // A space after the colon is not in the grammar: old scripts and devices send it.
  const rest = args.slice(keyword.length).trimStart();
  const end = pathEnd(rest);
  if (end < 0) throw new SmtpRefusal(501, '5.5.4', 'the address must stand in angle brackets');
  const address = parsePath(rest.slice(0, end + 1), keyword === 'FROM:');
  return { address, parameters: parseParameters(rest.slice(end + 1)) };
}

/** Index of the path's closing bracket: one in a quoted local part does not count. */
function pathEnd(text: string): number {
  if (text[0] !== '<') return -1;
  let isQuoted = false;
  for (let i = 1; i < text.length; i++) {
    const character = text[i];
    if (isQuoted && character === '\\') i++;
    else if (character === '"') isQuoted = !isQuoted;
    else if (character === '>' && !isQuoted) return i;
  }
  return -1;
}

function parsePath(path: string, isReverse: boolean): string {
  if (Buffer.byteLength(path) > pathBytesMax) throw new SmtpRefusal(501, isReverse ? '5.1.7' : '5.1.3', 'the address is too long');
  const inner = path.slice(1, -1);
  if (inner === '' && isReverse) return '';
  // RFC 5321 §4.1.2: source routes are accepted and ignored.
  const mailbox = inner.startsWith('@') ? inner.slice(inner.indexOf(':') + 1) : inner;
  if (!isReverse && mailbox.toLowerCase() === 'postmaster') return mailbox;
  if (!isMailbox(mailbox)) throw new SmtpRefusal(501, isReverse ? '5.1.7' : '5.1.3', 'that is not an address');
  return mailbox;
}

/** Whether it can stand in a path as it is written. */
export function isMailbox(text: string): boolean {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, Math.max(at, 0));
  return localPattern.test(local) && Buffer.byteLength(local) <= localPartBytesMax && domainPattern.test(text.slice(at + 1));
}

function parseParameters(text: string): ReadonlyMap<string, string | null> {
  const parameters = new Map<string, string | null>();
  if (text.trim() === '') return parameters;
  if (text[0] !== ' ') throw new SmtpRefusal(501, '5.5.4', 'a space must stand before parameters');
  for (const parameter of text.trim().split(/ +/)) {
    const equals = parameter.indexOf('=');
    const keyword = (equals < 0 ? parameter : parameter.slice(0, equals)).toUpperCase();
    const value = equals < 0 ? null : parameter.slice(equals + 1);
    if (!keywordPattern.test(keyword) || (value !== null && !valuePattern.test(value))) {
      throw new SmtpRefusal(501, '5.5.4', 'a parameter that cannot be read');
    }
    if (parameters.has(keyword)) throw new SmtpRefusal(501, '5.5.4', `${keyword} is given twice`);
    if (parameters.size >= parametersMax) throw new SmtpRefusal(501, '5.5.4', 'too many parameters');
    parameters.set(keyword, value);
  }
  return parameters;
}

export const isAsciiOnly = (text: string) => !/[^\x00-\x7f]/.test(text);
