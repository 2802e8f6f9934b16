/**
 * RFC 2047 encoded words, with RFC 2231's language suffix. Reading is lenient: words inside quotes or glued to text count, spaces inside a Q word are
 * kept, a character split over adjacent words of one charset is put together again. What is not a word stays as it is.
 */
import { isAscii } from './bytes.ts';
import { decodeText, decodeUnlabelled } from './charset.ts';
import { decodeBase64, hexDigit } from './transfer-encoding.ts';

interface Word {
  charset: string;
  bytes: Buffer;
  start: number;
  end: number;
}

/** RFC 2231 allows any charset name; registered ones are below 40 characters. */
const charsetCharsMax = 64;

/** Text of an unfolded header value given as a latin1 string. Linear: a missing end of a word is looked for once. */
export function decodeWords(value: string): string {
  if (!value.includes('=?')) return decodeUnlabelled(value);
  let text = '';
  let plainStart = 0;
  let pending: Word[] = [];
  const flush = () => {
    if (pending.length > 0) text += decodeText(Buffer.concat(pending.map((word) => word.bytes)), pending[0]!.charset);
    pending = [];
  };
  for (const word of wordsIn(value)) {
    const between = value.slice(plainStart, word.start);
    const isAdjacent = pending.length > 0 && /^[ \t\r\n]*$/.test(between);
    if (!isAdjacent || pending[0]!.charset !== word.charset) flush();
    if (!isAdjacent) text += decodeUnlabelled(between);
    pending.push(word);
    plainStart = word.end;
  }
  flush();
  return text + decodeUnlabelled(value.slice(plainStart));
}

function* wordsIn(value: string): Generator<Word> {
  let from = 0;
  let close = -2;
  for (;;) {
    const start = value.indexOf('=?', from);
    if (start < 0) return;
    from = start + 2;
    const charsetEnd = value.indexOf('?', from);
    if (charsetEnd < 0) return;
    const encoding = (value[charsetEnd + 1] ?? '').toLowerCase();
    const textStart = charsetEnd + 3;
    if (charsetEnd - from > charsetCharsMax || (encoding !== 'b' && encoding !== 'q') || value[charsetEnd + 2] !== '?') continue;
    if (close !== -1 && close < textStart) close = value.indexOf('?=', textStart);
    if (close < 0) return;
    const charset = value.slice(from, charsetEnd).replace(/\*.*$/, '').toLowerCase();
    const content = value.slice(textStart, close);
    // An unended word must not swallow the next one.
    if (content.includes('=?')) continue;
    from = close + 2;
    yield { charset, bytes: encoding === 'b' ? decodeBase64(Buffer.from(content, 'latin1')) : decodeQ(content), start, end: from };
  }
}

/** RFC 2047 §4.2: `_` is a space, =XX a byte. */
function decodeQ(content: string): Buffer {
  const out = Buffer.allocUnsafe(content.length);
  let length = 0;
  for (let i = 0; i < content.length; i++) {
    const code = content.charCodeAt(i);
    const high = code === 61 ? hexDigit(content.charCodeAt(i + 1)) : -1;
    const low = high < 0 ? -1 : hexDigit(content.charCodeAt(i + 2));
    if (low >= 0) i += 2;
    out[length++] = low >= 0 ? (high << 4) | low : code === 95 ? 32 : code;
  }
  return out.subarray(0, length);
}

/** RFC 2047 §2: a word is at most 75 characters; 45 bytes make 60 of base64. */
const wordBytesMax = 45;

/** RFC 5322 §2.1.1: a line has at most 998 characters, and is folded at spaces only. */
const unfoldable = /[^ \t]{900}/;

/** Text as ASCII: itself if it is and reads as itself, else UTF-8 encoded words split between characters. */
export function encodeWords(text: string): string {
  if (isAscii(text) && !text.includes('=?') && !unfoldable.test(text)) return text;
  const words: string[] = [];
  let chunk = '';
  let chunkBytes = 0;
  for (const char of text) {
    const bytes = Buffer.byteLength(char);
    if (chunkBytes + bytes > wordBytesMax) {
      words.push(chunk);
      chunk = '';
      chunkBytes = 0;
    }
    chunk += char;
    chunkBytes += bytes;
  }
  words.push(chunk);
  return words.map((word) => `=?utf-8?B?${Buffer.from(word).toString('base64')}?=`).join(' ');
}
