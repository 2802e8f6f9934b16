/**
 * Keys for i;unicode-casemap (RFC 5051), by which SORT and THREAD compare: equal keys are equal texts, the order of keys (as JavaScript compares strings)
 * is the collation's order.
 */

/** Digraphs whose titlecase is not their uppercase. */
const titlecase: Readonly<Record<string, string>> = {
  Ǆ: 'ǅ',
  Ǉ: 'ǈ',
  Ǌ: 'ǋ',
  Ǳ: 'ǲ',
};

/** Titlecase of each character, decomposed (NFKD), as UTF-8 bytes in a latin1 string. */
export function casemapKey(text: string): string {
  if (!/[^\0-\x7f]/.test(text)) return text.toUpperCase();
  let mapped = '';
  for (const character of text) {
    const upper = character.toUpperCase();
    // RFC 5051 §2: simple mappings, one character for one.
    const isOne = upper.length === (upper.codePointAt(0)! > 0xffff ? 2 : 1);
    mapped += isOne ? (titlecase[upper] ?? upper) : character;
  }
  return Buffer.from(mapped.normalize('NFKD'), 'utf8').toString('latin1');
}
