/** The words of a script (RFC 5228 §8.1), with their lines. Linear in the script. */
import { SieveError } from './syntax.ts';

export type Token =
  | { readonly kind: 'identifier' | 'tag' | 'string'; readonly text: string; readonly line: number }
  | { readonly kind: 'number'; readonly value: number; readonly line: number }
  | { readonly kind: '(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | 'end'; readonly line: number };

const quantifiers: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

const space = /[ \t\r\n]+/y;
const hashComment = /#[^\n]*/y;
const word = /[A-Za-z_][A-Za-z0-9_]*/y;
const tag = /:([A-Za-z_][A-Za-z0-9_]*)/y;
const number = /([0-9]+)([KkMmGg]?)(?![A-Za-z0-9_])/y;
/** multi-line = "text:" *(SP / HTAB) (hash-comment / CRLF) … "." CRLF */
const multiLineStart = /text:[ \t]*(?:#[^\n]*)?\r?\n/iy;

export function* tokens(source: string): Generator<Token> {
  let position = 0;
  let line = 1;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    return pattern.exec(source);
  };
  const pass = (end: number) => {
    for (let at = source.indexOf('\n', position); at >= 0 && at < end; at = source.indexOf('\n', at + 1)) line++;
    position = end;
  };
  const nul = source.indexOf('\0');
  if (nul >= 0) throw new SieveError(source.slice(0, nul).split('\n').length, 'a NUL is no part of a script.');
  while (position < source.length) {
    const blank = match(space) ?? match(hashComment);
    if (blank !== null) {
      pass(position + blank[0].length);
      continue;
    }
    if (source.startsWith('/*', position)) {
      const end = source.indexOf('*/', position + 2);
      if (end < 0) throw new SieveError(line, 'this comment does not end.');
      pass(end + 2);
      continue;
    }
    const at = line;
    const multi = match(multiLineStart);
    if (multi !== null) {
      const begin = position + multi[0].length;
      const { text, end } = readMultiLine(source, begin, at);
      pass(end);
      yield { kind: 'string', text, line: at };
      continue;
    }
    const char = source[position]!;
    if (char === '"') {
      const { text, end } = readQuoted(source, position, at);
      pass(end);
      yield { kind: 'string', text, line: at };
      continue;
    }
    if ('()[]{},;'.includes(char)) {
      position++;
      yield { kind: char as '(', line: at };
      continue;
    }
    const found = match(word) ?? match(tag);
    if (found !== null) {
      position += found[0].length;
      yield found[1] === undefined
        ? { kind: 'identifier', text: found[0].toLowerCase(), line: at }
        : { kind: 'tag', text: found[1].toLowerCase(), line: at };
      continue;
    }
    const digits = match(number);
    if (digits === null) throw new SieveError(at, `${JSON.stringify(char)} begins nothing that a script may hold.`);
    const value = Number(digits[1]) * quantifiers[digits[2]!.toLowerCase()]!;
    if (!Number.isSafeInteger(value)) throw new SieveError(at, `the number ${digits[0].slice(0, 40)} is too large.`);
    position += digits[0].length;
    yield { kind: 'number', value, line: at };
  }
  yield { kind: 'end', line };
}

/** quoted-text: a backslash makes the next character stand for itself. */
function readQuoted(source: string, start: number, line: number): { text: string; end: number } {
  let text = '';
  let from = start + 1;
  const stop = /["\\]/g;
  for (;;) {
    stop.lastIndex = from;
    const found = stop.exec(source);
    if (found === null) throw new SieveError(line, 'this string does not end.');
    text += source.slice(from, found.index);
    if (found[0] === '"') return { text: withNetworkLines(text), end: found.index + 1 };
    text += source[found.index + 1] ?? '';
    from = found.index + 2;
  }
}

/** A line that begins with a dot has it doubled; a dot by itself ends. */
function readMultiLine(source: string, begin: number, line: number): { text: string; end: number } {
  const lines: string[] = [];
  for (let from = begin; from < source.length; ) {
    const newline = source.indexOf('\n', from);
    const end = newline < 0 ? source.length : newline;
    const bare = source.slice(from, end).replace(/\r$/, '');
    if (bare === '.') return { text: lines.map((each) => `${each}\r\n`).join(''), end: newline < 0 ? end : newline + 1 };
    lines.push(bare.startsWith('..') ? bare.slice(1) : bare);
    from = end + 1;
  }
  throw new SieveError(line, 'this text does not end: a line with a dot alone is missing.');
}

/** Scripts come with either line end; what they say in mail has CRLF. */
function withNetworkLines(text: string): string {
  return text.includes('\n') ? text.replace(/\r?\n/g, '\r\n') : text;
}
