/**
 * Values with parameters (Content-Type, Content-Disposition; RFC 2045 §5.1, RFC 2183) and their RFC 2231 extensions.
 * A parameter is kept as IMAP sends it: continuations joined, so that `name*0*=utf-8''a; name*1=b` is `["name*", "utf-8''ab"]`.
 * decodeParameter turns that into text. Values are latin1 strings of the message's bytes.
 */
import { decodeText } from './charset.ts';
import { decodeWords } from './encoded-word.ts';
import { parametersMax } from './limits.ts';
import { hexDigit } from './transfer-encoding.ts';

/** Lower-case name (with `*` at its end where the value is RFC 2231 encoded) and value. */
export type Parameter = [name: string, value: string];

export interface ParameterizedValue {
  /** What stands before the first `;`, lower case, trimmed, comments taken out. */
  value: string;
  parameters: Parameter[];
}

/** Reads an unfolded value; never fails, and takes what it can from broken ones. */
export function parseParameterized(input: string): ParameterizedValue {
  const source = withoutComments(input);
  const valueEnd = endOf(source, 0);
  const parameters: Parameter[] = [];
  let position = valueEnd;
  let equals = -1;
  while (position < source.length && parameters.length < parametersMax) {
    const code = source.charCodeAt(position);
    if (code === 59 || code === 32 || code === 9) {
      position++;
      continue;
    }
    const end = endOf(source, position);
    if (equals < position) equals = source.indexOf('=', position);
    if (equals < 0) break;
    if (equals >= end) {
      // A lone word is no parameter.
      position = end;
      continue;
    }
    const name = source.slice(position, equals).trim().toLowerCase();
    const { value, next } = readValue(source, equals + 1);
    if (name !== '') parameters.push([name, value]);
    position = next;
  }
  return { value: source.slice(0, valueEnd).trim().toLowerCase(), parameters: joinContinuations(parameters) };
}

/** The end of what runs up to the next `;`, or the end. */
function endOf(source: string, from: number): number {
  const semicolon = source.indexOf(';', from);
  return semicolon < 0 ? source.length : semicolon;
}

function readValue(source: string, from: number): { value: string; next: number } {
  let position = from;
  while (source.charCodeAt(position) === 32 || source.charCodeAt(position) === 9) position++;
  if (source.charCodeAt(position) !== 34) {
    // Mailers write `filename=my file.pdf` without quotes: the value runs to the semicolon.
    const end = endOf(source, position);
    return { value: source.slice(position, end).trim(), next: end };
  }
  let value = '';
  let runStart = ++position;
  for (; position < source.length; position++) {
    const code = source.charCodeAt(position);
    if (code === 34) return { value: value + source.slice(runStart, position), next: position + 1 };
    const escaped = code === 92 ? source.charCodeAt(position + 1) : 0;
    // Only \" and \\ are escapes: `C:\dir\file` is a common file name.
    if (escaped === 34 || escaped === 92) {
      value += source.slice(runStart, position);
      runStart = ++position;
    }
  }
  return { value: value + source.slice(runStart), next: source.length };
}

/**
 * Takes comments out, outside quoted strings. One that is glued to text or never closed is text, as in `name=a (1).txt`, unless `takesGlued`.
 */
export function withoutComments(source: string, takesGlued = false): string {
  if (!source.includes('(')) return source;
  let text = '';
  let depth = 0;
  let isQuoted = false;
  let runStart = 0;
  let commentStart = 0;
  for (let i = 0; i < source.length; i++) {
    const code = source.charCodeAt(i);
    if (code === 92) i++;
    else if (depth === 0 && code === 34) isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (code === 40 && (depth > 0 || takesGlued || startsComment(source, i))) {
      if (depth++ === 0) commentStart = i;
    } else if (code === 41 && depth > 0 && --depth === 0 && (takesGlued || endsComment(source, i + 1))) {
      text += `${source.slice(runStart, commentStart)} `;
      runStart = i + 1;
    }
  }
  return text + source.slice(runStart);
}

function startsComment(source: string, at: number): boolean {
  return at === 0 || ' \t;)"'.includes(source[at - 1]!);
}

function endsComment(source: string, at: number): boolean {
  return at === source.length || ' \t;(/=,'.includes(source[at]!);
}

interface Segment {
  index: number;
  isEncoded: boolean;
  value: string;
}

/** RFC 2231 §3 and §4. The first of two parameters of one name counts. */
function joinContinuations(parameters: Parameter[]): Parameter[] {
  const segmentsByName = new Map<string, Segment[]>();
  const plain = new Map<string, string>();
  for (const [name, value] of parameters) {
    const match = name.includes('*') ? /^([^*]+)\*(\d{1,4})(\*?)$/.exec(name) : null;
    if (match === null) {
      if (!plain.has(name)) plain.set(name, value);
      continue;
    }
    const segments = segmentsByName.get(match[1]!) ?? [];
    segments.push({ index: Number(match[2]), isEncoded: match[3] === '*', value });
    segmentsByName.set(match[1]!, segments);
  }
  for (const [name, segments] of segmentsByName) {
    segments.sort((a, b) => a.index - b.index);
    if (segments.some((segment) => segment.isEncoded)) {
      const value = segments.map((segment) => (segment.isEncoded ? segment.value : percentEncode(segment.value))).join('');
      plain.set(`${name}*`, segments[0]!.isEncoded ? value : `''${value}`);
    } else plain.set(name, segments.map((segment) => segment.value).join(''));
  }
  return [...plain];
}

function percentEncode(value: string): string {
  return value.replace(/[^A-Za-z0-9.\-_]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** A parameter's value as sent, or undefined. */
export function parameter(parameters: readonly Parameter[] | undefined, name: string): string | undefined {
  return parameters?.find((entry) => entry[0] === name)?.[1];
}

/** A parameter as text: RFC 2231's form first, else the plain one with encoded words read (no standard, but what mail does). */
export function decodeParameter(parameters: readonly Parameter[] | undefined, name: string): string | undefined {
  const extended = parameter(parameters, `${name}*`);
  if (extended !== undefined) return decodeExtended(extended);
  const plain = parameter(parameters, name);
  return plain === undefined ? undefined : decodeWords(plain);
}

/** RFC 2231 §4: charset'language'percent-encoded. Without the quotes, all of it is the value. */
function decodeExtended(value: string): string {
  const first = value.indexOf("'");
  const second = first < 0 ? -1 : value.indexOf("'", first + 1);
  const charset = second < 0 ? '' : value.slice(0, first);
  return decodeText(percentDecode(second < 0 ? value : value.slice(second + 1)), charset);
}

function percentDecode(value: string): Buffer {
  const out = Buffer.allocUnsafe(value.length);
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    const high = code === 37 ? hexDigit(value.charCodeAt(i + 1)) : -1;
    const low = high < 0 ? -1 : hexDigit(value.charCodeAt(i + 2));
    if (low >= 0) i += 2;
    out[length++] = low >= 0 ? (high << 4) | low : code;
  }
  return out.subarray(0, length);
}
