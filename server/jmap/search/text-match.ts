/**
 * Text conditions (RFC 8621 §4.4.1) on one email: the index names candidates, their text decides. Texts never change, so verdicts are remembered per
 * condition for as long as the account is open.
 */
import { foldText, parseSearchText } from '../../../protocol/jmap/search-text.ts';
import type { EmailNumber } from '../../../protocol/mail/ids.ts';
import { headerValuesFromRaw } from '../../../protocol/mime/header-facts.ts';
import { asText } from '../../../protocol/mime/header-forms.ts';
import type { AccountReader, CandidateSet } from '../../../storage/account/api.ts';
import { type AccountCache, roomFor } from '../account-cache.ts';

/** Where a text is looked for: `text` in the addresses, the subject and the body. */
export type TextPlace = 'text' | 'body' | { readonly header: readonly string[] };

const addressed = ['from', 'to', 'cc', 'bcc', 'subject'];

/** Whether an email holds every word of `text` in `place`. */
export function textMatcher(reader: AccountReader, cache: AccountCache, place: TextPlace, text: string): (email: number) => boolean {
  const words = parseSearchText(text);
  if (words.length === 0) return () => true;
  const key = JSON.stringify([place, words]);
  const verdicts = cache.verdicts.get(key) ?? cache.verdicts.set(key, { bytes: new Uint8Array(0) });
  const mayHold = words.map((word) => candidatesOf(reader, place, word));
  return (email) => {
    verdicts.bytes = roomFor(verdicts.bytes, email);
    const known = verdicts.bytes[email];
    if (known !== 0) return known === 2;
    const holds = mayHold.every((test) => test(email as EmailNumber)) && holdsWords(reader, email as EmailNumber, place, words);
    verdicts.bytes[email] = holds ? 2 : 1;
    return holds;
  };
}

function candidatesOf(reader: AccountReader, place: TextPlace, word: string): (email: EmailNumber) => boolean {
  const has = (set: CandidateSet | undefined) => (email: EmailNumber) => set === undefined || set.has(email);
  const inText = place === 'text' || place === 'body' ? has(reader.candidates(word, 'text')) : () => false;
  const inHeader = place === 'body' ? () => false : has(reader.candidates(word, 'header'));
  return (email) => inText(email) || inHeader(email);
}

function holdsWords(reader: AccountReader, email: EmailNumber, place: TextPlace, words: readonly string[]): boolean {
  let missing = words;
  if (place !== 'body') {
    const header = headerText(reader, email, place === 'text' ? addressed : place.header);
    missing = missing.filter((word) => !header.includes(word));
  }
  if (missing.length === 0) return true;
  if (place !== 'body' && place !== 'text') return false;
  const body = foldText(reader.text(email));
  return missing.every((word) => body.includes(word));
}

function headerText(reader: AccountReader, email: EmailNumber, names: readonly string[]): string {
  const bytes = reader.headerBytes(email);
  if (bytes === undefined) return '';
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return foldText(names.flatMap((name) => headerValuesFromRaw(buffer, name).map(asText)).join('\n'));
}
