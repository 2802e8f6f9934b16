/**
 * Preparation of passwords: SASLprep (RFC 4013), since SCRAM clients compute from it (RFC 5802 §2.2) and one password must work by every mechanism.
 * OpaqueString (RFC 8265) would replace it, but differs for compatibility characters, and SCRAM-SHA-256 names SASLprep.
 * We differ from RFC 4013 in two points, both lenient: code points that Unicode 3.2 did not know are accepted, because emoji are in use; §2.4
 * (bidirectional strings) is not checked, because a password is not displayed.
 */

/** RFC 3454 C.1.2, mapped to a space. */
const nonAsciiSpaces = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
/** RFC 3454 B.1, mapped to nothing. */
const mappedToNothing = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g;
/**
 * RFC 3454 C.2.1, C.2.2, C.3 to C.9: controls, private use, non-characters, surrogates, and what changes display or is no plain text. U+0340 and
 * U+0341 are not listed, since NFKC has replaced them.
 */
const prohibited =
  /[\0-\x1f\x7f\u0080-\u009f\u06dd\u070f\u180e\u2028\u2029\u2061-\u2063\u206a-\u206f\ufff9-\ufffd\u{1d173}-\u{1d17a}\u2ff0-\u2ffb\u200e\u200f\u202a-\u202e\u{e0001}\u{e0020}-\u{e007f}]|\p{Co}|\p{Cs}|\p{Noncharacter_Code_Point}/u;

/** The prepared string, or undefined when it holds what RFC 4013 §2.3 prohibits. */
export function saslPrep(text: string): string | undefined {
  const prepared = text.replace(nonAsciiSpaces, ' ').replace(mappedToNothing, '').normalize('NFKC');
  return prohibited.test(prepared) ? undefined : prepared;
}
