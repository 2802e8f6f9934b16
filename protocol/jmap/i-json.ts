/**
 * What I-JSON forbids and JSON.parse lets pass: a name twice in one object (RFC 7493 §2.3), of which parsers differ in what they take, and surrogates
 * that stand alone (§2.1), which no UTF-8 can say again.
 */

const quote = 0x22;
const backslash = 0x5c;

/** Whether strings in the text have surrogates that stand alone: by an escape, since the text itself was UTF-8. */
export function hasLoneSurrogate(text: string): boolean {
  if (!/\\u[dD][89a-fA-F]/.test(text)) return false;
  for (const [literal] of text.matchAll(/"(?:[^"\\]|\\.)*"/g)) {
    if (literal.includes('\\u') && !(JSON.parse(literal) as string).isWellFormed()) return true;
  }
  return false;
}

/** The first name that an object has twice. `text` is JSON. */
export function repeatedName(text: string): string | undefined {
  /** Names so far of the objects around; undefined for arrays. */
  const around: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at += 1) {
    switch (text[at]) {
      case '{':
        around.push(new Set());
        break;
      case '[':
        around.push(undefined);
        break;
      case '}':
      case ']':
        around.pop();
        break;
      case '"': {
        const end = endOfString(text, at);
        const names = around.at(-1);
        if (names !== undefined && isName(text, end)) {
          const literal = text.slice(at, end);
          const name = literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1);
          if (names.has(name)) return name;
          names.add(name);
        }
        at = end - 1;
        break;
      }
      default:
    }
  }
  return undefined;
}

/** After the quote that ends the string beginning at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at + 1;
}

function isName(text: string, end: number): boolean {
  let at = end;
  while (/\s/.test(text[at] ?? '')) at += 1;
  return text[at] === ':';
}
