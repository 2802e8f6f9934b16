/**
 * Address lists: RFC 5322 §3.4 with the obsolete syntax of §4.4 (routes, empty members, spaces around dots, a name in a comment) and what mail really
 * holds (unquoted dots and commas in encoded words, quotes that never end, `;` between addresses, brackets or commas forgotten). Where an address may
 * be read out of words that were none, it is not: an answer would go to somebody else. Nothing throws; linear in the value.
 * Names and addresses are kept as latin1 strings of the message's bytes, encoded words undecoded: IMAP sends them so, JMAP decodes.
 */

import { decodeUnlabelled } from './charset.ts';
import { decodeWords } from './encoded-word.ts';
import { addressesMax } from './limits.ts';

/** One mailbox. `host` is '' where the message has none (`To: root`). */
export interface Mailbox {
  /** Display name, quotes and escapes undone; absent when there is none. */
  name?: string;
  /** RFC 5322 §4.4's source route as written, `@a,@b`. */
  route?: string;
  mailbox: string;
  host: string;
}

export interface AddressGroup {
  group: string;
  members: Mailbox[];
}

export type Address = Mailbox | AddressGroup;

export function isGroup(address: Address): address is AddressGroup {
  return 'group' in address;
}

/** `special` is one of `,;:<>@.`; a word is an atom, a quoted string's content, a domain literal with its brackets, or an encoded word. */
interface Token {
  kind: 'special' | 'word' | 'comment';
  text: string;
  isSpaced: boolean;
  isQuoted: boolean;
}

/** RFC 5322 §3.4's plainest forms, which most values are one of: `joe@x.example`, `Joe Doe <joe@x.example>`, `"Doe, Joe" <joe@x.example>`. */
const plainAddress = /^([\w+-]+(?:\.[\w+-]+)*)@([\w-]+(?:\.[\w-]+)*)$/;
const plainNamed = /^(?:(\w+(?: \w+)*) |"(\w(?:[\w ,.'@-]*[\w.])?)" ?)?<([\w+-]+(?:\.[\w+-]+)*)@([\w-]+(?:\.[\w-]+)*)>$/;

/** What parseList gives for a value of a plain form; undefined for others. */
export function parsePlainAddress(value: string): Mailbox | undefined {
  const bare = plainAddress.exec(value);
  if (bare !== null) return { mailbox: bare[1]!, host: bare[2]! };
  const angled = plainNamed.exec(value);
  if (angled === null) return undefined;
  return named(angled[1] ?? angled[2], { mailbox: angled[3]!, host: angled[4]! });
}

/** The addresses of an unfolded value (latin1 string), at most `max` in all groups together. */
export function parseAddresses(value: string, max = addressesMax): Address[] {
  const plain = parsePlainAddress(value);
  return plain === undefined ? parseList(value, max) : [plain];
}

/** The same, whatever the value's form. */
export function parseList(value: string, max = addressesMax): Address[] {
  const list: Address[] = [];
  let group: AddressGroup | undefined;
  let count = 0;
  let item = emptyItem();

  const endItem = () => {
    for (const mailbox of readMailboxes(item.tokens)) {
      if (count >= max) break;
      count++;
      if (group === undefined) list.push(mailbox);
      else group.members.push(mailbox);
    }
    item = emptyItem();
  };

  for (const token of tokens(value)) {
    if (count >= max) return list;
    const special = token.kind === 'special' ? token.text : '';
    // A comma inside `<@a,@b:joe@c>` belongs to the route; a comma after `<joe@c` means that the bracket was forgotten.
    if (special === ',' && !item.isInRoute) {
      endItem();
      continue;
    }
    if (special === ';') {
      endItem();
      group = undefined;
      continue;
    }
    if (special === ':' && !item.isAngled && !item.hasAt && group === undefined && item.hasWord) {
      group = { group: phrase(item.tokens), members: [] };
      list.push(group);
      count++;
      item = emptyItem();
      continue;
    }
    if (special === '<' && item.closed > 0) {
      // `A <a@x> B <b@x>`: the comma was forgotten, and what stands after the bracket is the next name.
      const next = item.tokens.splice(item.closed);
      endItem();
      item.tokens = next;
    }
    if (special === ':' && item.tokens.length === 0) continue;
    item.tokens.push(token);
    if (token.kind === 'word') item.hasWord = true;
    if (special === '@') {
      item.isInRoute ||= item.isAngled && isOpening(item.tokens.at(-2));
      item.hasAt = true;
    }
    if (special === ':') item.isInRoute = false;
    if (special === '<') item.isAngled = true;
    if (special === '>') {
      item.isAngled = false;
      item.isInRoute = false;
      item.closed = item.tokens.length;
    }
  }
  if (count < max) endItem();
  return list;
}

/** One member of a list as it is gathered, and what was seen of it. */
interface Item {
  tokens: Token[];
  isAngled: boolean;
  isInRoute: boolean;
  hasAt: boolean;
  hasWord: boolean;
  /** Tokens up to the last `>`, or 0. */
  closed: number;
}

function emptyItem(): Item {
  return { tokens: [], isAngled: false, isInRoute: false, hasAt: false, hasWord: false, closed: 0 };
}

const isSpecial =
  (text: string) =>
  (token: Token | undefined): boolean =>
    token?.kind === 'special' && token.text === text;
const isOpening = isSpecial('<');
const isClosing = isSpecial('>');
const isColon = isSpecial(':');
const isAt = isSpecial('@');

/** Words with the spaces that stood between them, as one name. */
function phrase(tokens: readonly Token[]): string {
  let text = '';
  for (const token of tokens) {
    if (token.kind === 'comment') continue;
    text += (token.isSpaced && text !== '' ? ' ' : '') + token.text;
  }
  return text.trim();
}

/** An addr-spec: spaces around its dots (§4.4) are none of it. Between two words nothing may stand, and the space stays: without it they name another. */
function joined(tokens: readonly Token[]): string {
  let text = '';
  let isAfterWord = false;
  for (const token of tokens) {
    if (token.kind === 'comment') continue;
    const isWord = token.kind === 'word';
    text += (isAfterWord && isWord && token.isSpaced ? ' ' : '') + token.text;
    isAfterWord = isWord;
  }
  return text;
}

/** One mailbox, or several between which commas were forgotten. */
function readMailboxes(item: readonly Token[]): Mailbox[] {
  const close = item.findIndex(isClosing);
  const open = item.findLastIndex((token, i) => isOpening(token) && (close < 0 || i < close));
  if (open < 0) return readBare(item);
  const before = item.slice(0, open).filter((token) => !isOpening(token));
  const inner = item.slice(open + 1, close < 0 ? item.length : close);
  // `joe@x <`: the address is what stands before.
  if (before.some(isAt) && inner.every(({ kind }) => kind !== 'word')) return readBare(before);
  const mailbox = readAngled(before, inner, close < 0 ? [] : item.slice(close + 1));
  return mailbox === undefined ? [] : [mailbox];
}

/** Words that dots and at signs hold together, and the last comment among or after them. */
interface Run {
  tokens: Token[];
  comment?: string;
}

function runsOf(item: readonly Token[]): Run[] {
  const runs: Run[] = [];
  let run: Run | undefined;
  let comment: string | undefined;
  for (const token of item) {
    if (token.kind === 'comment') {
      comment = token.text.trim();
      if (run !== undefined) run.comment = comment;
      continue;
    }
    if (isOpening(token) || isClosing(token)) continue;
    if (run === undefined || (token.kind === 'word' && run.tokens.at(-1)!.kind === 'word')) {
      run = runs.length === 0 && comment !== undefined ? { tokens: [], comment } : { tokens: [] };
      runs.push(run);
    }
    run.tokens.push(token);
  }
  return runs;
}

/** Addresses without brackets. */
function readBare(item: readonly Token[]): Mailbox[] {
  const list: Mailbox[] = [];
  let words: Run[] = [];
  for (const run of runsOf(item)) {
    const at = run.tokens.findLastIndex(isAt);
    if (at < 0) {
      words.push(run);
      continue;
    }
    let local = run.tokens.slice(0, at);
    if (words.length === 1 && isHalfLocalPart(words[0]!)) {
      local = [...words[0]!.tokens, ...local];
      words = [];
    }
    const name = phrase(words.flatMap(({ tokens }) => tokens));
    list.push(named(name === '' ? run.comment : name, { mailbox: joined(local), host: joined(run.tokens.slice(at + 1)) }));
    words = [];
  }
  const rest = phrase(words.flatMap(({ tokens }) => tokens));
  const last = list.at(-1);
  if (rest !== '' && last === undefined) list.push(named(words.findLast(({ comment }) => comment)?.comment, { mailbox: rest, host: '' }));
  else if (rest !== '' && last !== undefined) last.name ??= rest;
  return list;
}

/**
 * `foo bar@x` may be foo.bar's or foobar's as well as bar's: the space stays in the local part, as Cyrus and Thunderbird have it. A name that lacks
 * its brackets shows by more than one word, by quotes, an encoded word or a comment.
 */
function isHalfLocalPart({ tokens, comment }: Run): boolean {
  if (comment !== undefined || tokens.at(-1)!.kind !== 'word') return false;
  return tokens.every(({ isQuoted, isSpaced, text }, i) => !isQuoted && !(i > 0 && isSpaced) && !text.startsWith('=?'));
}

function readAngled(before: readonly Token[], given: readonly Token[], after: readonly Token[]): Mailbox | undefined {
  let inner = given;
  let name = phrase(before);
  // What stands inside the brackets is no name of anybody.
  if (name === '') name = [...before, ...after].find(({ kind }) => kind === 'comment')?.text.trim() ?? '';
  let route: string | undefined;
  const colon = inner.length > 0 && isAt(inner[0]!) ? inner.findIndex(isColon) : -1;
  if (colon >= 0) {
    route = joined(inner.slice(0, colon));
    inner = inner.slice(colon + 1);
  }
  const at = inner.findLastIndex(isAt);
  const mailbox = joined(at < 0 ? inner : inner.slice(0, at));
  const host = at < 0 ? '' : joined(inner.slice(at + 1));
  if (name === '' && mailbox === '' && host === '') return undefined;
  return named(name, route === undefined ? { mailbox, host } : { route, mailbox, host });
}

function named(name: string | undefined, mailbox: Mailbox): Mailbox {
  return name === undefined || name === '' ? mailbox : { name, ...mailbox };
}

/** Bytes that end an atom. */
const atomEnds = new Uint8Array(256);
for (const char of ' \t\r\n\0,;:<>@."()[]') atomEnds[char.charCodeAt(0)] = 1;

/** RFC 2047 §2: 75 characters; mailers that forget to split write longer ones. */
const encodedWordCharsMax = 1024;

function* tokens(value: string): Generator<Token> {
  let position = 0;
  let isSpaced = false;
  // Once a closing mark was looked for in vain, it is not looked for again: this keeps broken values linear.
  const isMissing = { quote: false, parenthesis: false, bracket: false };
  while (position < value.length) {
    const char = value[position]!;
    if (char === ' ' || char === '\t' || char === '\r' || char === '\n' || char === '\0') {
      isSpaced = true;
      position++;
      continue;
    }
    let kind: Token['kind'] = 'word';
    let text: string;
    let end: number;
    if (char === '"') {
      end = isMissing.quote ? -1 : closingQuote(value, position);
      isMissing.quote ||= end < 0;
      text = end < 0 ? '' : unescaped(value.slice(position + 1, end - 1));
    } else if (char === '(') {
      kind = 'comment';
      end = isMissing.parenthesis ? -1 : closingParenthesis(value, position);
      isMissing.parenthesis ||= end < 0;
      text = end < 0 ? '' : unescaped(value.slice(position + 1, end - 1));
    } else if (char === '[') {
      const close = isMissing.bracket ? -1 : value.indexOf(']', position);
      isMissing.bracket ||= close < 0;
      end = close < 0 ? -1 : close + 1;
      text = value.slice(position, close + 1);
    } else if (',;:<>@.'.includes(char)) {
      kind = 'special';
      end = position + 1;
      text = char;
    } else if (char === ')' || char === ']') {
      end = -1;
      text = '';
    } else {
      end = atomEnd(value, position);
      text = value.slice(position, end);
    }
    if (end < 0) {
      // An opening mark without its end, or an end without its opening, is passed over.
      position++;
      continue;
    }
    // An empty quoted string says nothing, but `""@host` has a local part.
    if (kind !== 'word' || text !== '' || value[end] === '@') yield { kind, text, isSpaced, isQuoted: char === '"' };
    position = end;
    isSpaced = false;
  }
}

function atomEnd(value: string, start: number): number {
  if (value.startsWith('=?', start)) {
    const end = encodedWordEnd(value, start);
    if (end > 0) return end;
  }
  let position = start + 1;
  while (position < value.length && atomEnds[value.charCodeAt(position) & 255] === 0) position++;
  return position;
}

/** Encoded words hold commas, dots and at signs that mailers forgot to encode: `=?utf-8?Q?Doe,_Joe?=` is one word. 0 if there is none. */
function encodedWordEnd(value: string, start: number): number {
  let marks = 0;
  const limit = Math.min(value.length, start + encodedWordCharsMax);
  for (let i = start + 2; i < limit; i++) {
    const code = value.charCodeAt(i);
    if (code === 32 || code === 9 || code === 34) return 0;
    if (code !== 63) continue;
    if (++marks >= 3 && value.charCodeAt(i + 1) === 61) return i + 2;
  }
  return 0;
}

function closingQuote(value: string, open: number): number {
  for (let i = open + 1; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 92) i++;
    else if (code === 34) return i + 1;
  }
  return -1;
}

function closingParenthesis(value: string, open: number): number {
  let depth = 0;
  for (let i = open; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 92) i++;
    else if (code === 40) depth++;
    else if (code === 41 && --depth === 0) return i + 1;
  }
  return -1;
}

function unescaped(value: string): string {
  return value.includes('\\') ? value.replace(/\\(.)/gs, '$1') : value;
}

/** RFC 8621 §4.1.2.3: one address as JMAP shows it. */
export interface EmailAddress {
  name: string | null;
  email: string;
}

export function toEmailAddress(mailbox: Mailbox): EmailAddress {
  const name =
    mailbox.name === undefined
      ? ''
      : decodeWords(mailbox.name)
          .replace(/[\r\n]+/g, ' ')
          .trim();
  return { name: name === '' ? null : name, email: addrSpec(mailbox) };
}

/** `local@host`, the local part in quotes where it needs them. */
export function addrSpec(mailbox: Mailbox): string {
  const needsQuotes = mailbox.host !== '' && (mailbox.mailbox === '' || /[\s"(),:;<>[\]\\]/.test(mailbox.mailbox));
  const local = needsQuotes ? `"${mailbox.mailbox.replace(/["\\]/g, '\\$&')}"` : mailbox.mailbox;
  return decodeUnlabelled(mailbox.host === '' ? local : `${local}@${mailbox.host}`);
}

/** The mailboxes of a list, those in groups included. */
export function mailboxesOf(addresses: readonly Address[]): Mailbox[] {
  return addresses.flatMap((address) => (isGroup(address) ? address.members : [address]));
}
