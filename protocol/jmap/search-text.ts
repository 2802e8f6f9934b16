/** Search texts (RFC 8621 §4.4.1) and the marks around what was found (§5). Matching is by substring of folded text. */
import { searchWordsMax } from './limits.ts';

/** The same folding as of the index's search terms: a folded needle is a substring of the folded text. */
export function foldText(text: string): string {
  return text.normalize('NFC').toLowerCase();
}

/** The words and quoted phrases of a search text, folded. */
export function parseSearchText(text: string): string[] {
  const words: string[] = [];
  for (const [, double, single, bare] of text.matchAll(/"((?:\\.|[^"\\])*)"|(?<!\S)'((?:\\.|[^'\\])*)'(?!\S)|(\S+)/gs)) {
    const phrase = double ?? single;
    const word = foldText(phrase === undefined ? bare! : phrase.replace(/\\(.)/gs, '$1')).trim();
    if (word !== '' && words.length < searchWordsMax) words.push(word);
  }
  return words;
}

/** Octets that a snippet may take (RFC 8621 §5: 255). */
const snippetBytesMax = 255;

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (char) => escapes[char]!);

/** The text with `<mark>` around the words, cut around the first; null where none is in it. HTML. */
export function markText(text: string, words: readonly string[]): string | null {
  const found = findWords(text, words);
  if (found.length === 0) return null;
  const start = Math.max(0, found[0]![0] - 60);
  let html = '';
  let at = start === 0 ? 0 : wordStart(text, start);
  for (const [from, to] of found) {
    if (from < at) continue;
    const piece = `${escapeHtml(text.slice(at, from))}<mark>${escapeHtml(text.slice(from, to))}</mark>`;
    if (Buffer.byteLength(html + piece) > snippetBytesMax) break;
    html += piece;
    at = to;
  }
  for (const char of text.slice(at, at + snippetBytesMax)) {
    const next = escapeHtml(char);
    if (Buffer.byteLength(html) + Buffer.byteLength(next) > snippetBytesMax) break;
    html += next;
  }
  return html;
}

/** Places of the words, ascending, not overlapping. Only where folding keeps the length do places in the folded text fit the text. */
function findWords(text: string, words: readonly string[]): [number, number][] {
  const folded = text.toLowerCase();
  if (folded.length !== text.length) return [];
  const places: [number, number][] = [];
  for (const word of words) {
    for (let at = folded.indexOf(word); at >= 0 && places.length < 100; at = folded.indexOf(word, at + word.length))
      places.push([at, at + word.length]);
  }
  places.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  return places.filter(([from], i) => i === 0 || from >= places[i - 1]![1]);
}

function wordStart(text: string, at: number): number {
  const space = text.indexOf(' ', at);
  return space >= 0 && space < at + 40 ? space + 1 : at;
}
