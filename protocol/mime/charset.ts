/**
 * Bytes to text by the name of a charset, as mail spells them. Node's TextDecoder knows the WHATWG encodings, iconv-lite some more
 * (UTF-7, old code pages); ISO-2022-KR and HZ are shifted forms of EUC-KR and GB 2312 and are read here. Nothing throws: an unknown name
 * means UTF-8 if the bytes are that, else windows-1252.
 */
import { TextDecoder } from 'node:util';
import iconv from 'iconv-lite';
import { asBuffer, isAscii } from './bytes.ts';

/** Names that mail uses and neither decoder knows. */
const aliases = new Map(
  Object.entries({
    '': 'unlabelled',
    ascii: 'unlabelled',
    'us-ascii': 'unlabelled',
    'ansi_x3.4-1968': 'unlabelled',
    '7bit': 'unlabelled',
    '8bit': 'unlabelled',
    default: 'unlabelled',
    default_charset: 'unlabelled',
    'x-unknown': 'unlabelled',
    'unknown-8bit': 'unlabelled',
    unknown: 'unlabelled',
    utf8mb4: 'utf-8',
    'utf-8-mac': 'utf-8',
    'unicode-1-1-utf-7': 'utf-7',
    'x-unicode-1-1-utf-7': 'utf-7',
    'x-gbk': 'gbk',
    gb2312_charset: 'gbk',
    ks_c_5601: 'euc-kr',
    'ks-c-5601': 'euc-kr',
    'x-windows-949': 'euc-kr',
    cp949: 'euc-kr',
    'iso-2022-jp-1': 'iso-2022-jp',
    'iso-2022-jp-2': 'iso-2022-jp',
    'iso-2022-jp-3': 'iso-2022-jp',
    'iso-2022-jp-ms': 'iso-2022-jp',
    cp50220: 'iso-2022-jp',
    cp932: 'shift_jis',
    'x-mac-roman': 'macintosh',
    'hz-gb-2312': 'hz',
  }),
);

type Decode = (bytes: Buffer) => string;

/** Names come from strangers: the table of decoders stays small. */
const decodersMax = 200;
const decoders = new Map<string, Decode>();

/** Text of the bytes. Bytes that do not fit the charset become U+FFFD; an unknown charset is guessed. */
export function decodeText(bytes: Uint8Array, charset: string): string {
  return decoderFor(charset)(asBuffer(bytes));
}

/** Whether there is such a charset. What stands for none, as `us-ascii` and `unknown-8bit` do in mail, is guessed at, and known. */
export function isKnownCharset(charset: string): boolean {
  return decoderFor(charset) !== guessUnknown;
}

function decoderFor(charset: string): Decode {
  let decode = decoders.get(charset);
  if (decode === undefined) {
    decode = makeDecoder(charset);
    if (decoders.size < decodersMax && charset.length <= 40) decoders.set(charset, decode);
  }
  return decode;
}

const guessUnknown: Decode = (bytes) => decodeUnlabelledBytes(bytes);

function makeDecoder(charset: string): Decode {
  const label = charset
    .slice(0, 80)
    .toLowerCase()
    .replace(/^[\s"'=]+/, '')
    .replace(/[\s"';,*].*$/s, '');
  const name = aliases.get(label) ?? label.replace(/^(?:cs|charset=)(?=iso|utf|windows|big5|euc|gb)/, '');
  if (name === 'unlabelled') return decodeUnlabelledBytes;
  if (name === 'iso-2022-kr') return (bytes) => decodeText(unshift(bytes, decodesIso2022Kr), 'euc-kr');
  if (name === 'hz') return (bytes) => decodeText(unshift(bytes, decodesHz), 'gbk');
  for (const candidate of [name, name.replaceAll('_', '-'), name.replace(/^(?:cp|win|windows|x-cp)-?(?=125\d$)/, 'windows-')]) {
    const decoder = textDecoder(candidate);
    if (decoder !== undefined) return (bytes) => decoder.decode(bytes);
  }
  if (iconv.encodingExists(name)) return (bytes) => iconv.decode(bytes, name);
  return guessUnknown;
}

function textDecoder(label: string): TextDecoder | undefined {
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });
const windows1252 = new TextDecoder('windows-1252');

function decodeUnlabelledBytes(bytes: Buffer): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return windows1252.decode(bytes);
  }
}

/** A latin1 string of header bytes as text. RFC 6532: UTF-8 where it is; 8-bit bytes that are not are taken for windows-1252. */
export function decodeUnlabelled(bytes: string): string {
  return isAscii(bytes) ? bytes : decodeUnlabelledBytes(Buffer.from(bytes, 'latin1'));
}

/** What a shift sequence at a position means: bytes to skip, and whether the following ones are the two-byte set. */
type Shift = (bytes: Buffer, at: number) => { skip: number; isWide?: boolean; literal?: number } | undefined;

/** RFC 1557: SO and SI shift; the designator ESC $ ) C stands once at the start. */
const decodesIso2022Kr: Shift = (bytes, at) => {
  if (bytes[at] === 0x0e) return { skip: 1, isWide: true };
  if (bytes[at] === 0x0f) return { skip: 1, isWide: false };
  if (bytes[at] === 0x1b && bytes[at + 1] === 0x24 && bytes[at + 2] === 0x29) return { skip: 4 };
  return undefined;
};

/** RFC 1843: ~{ and ~} shift, ~~ is a tilde, ~ before a line end joins lines. */
const decodesHz: Shift = (bytes, at) => {
  if (bytes[at] !== 0x7e) return undefined;
  const next = bytes[at + 1];
  if (next === 0x7b) return { skip: 2, isWide: true };
  if (next === 0x7d) return { skip: 2, isWide: false };
  if (next === 0x7e) return { skip: 2, literal: 0x7e };
  return next === 10 ? { skip: 2 } : undefined;
};

/** Shifted 7-bit text as the 8-bit form of the same set. A line end leaves the wide set, as both RFCs ask. */
function unshift(bytes: Buffer, shiftAt: Shift): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  let isWide = false;
  for (let i = 0; i < bytes.length; ) {
    const shift = shiftAt(bytes, i);
    if (shift !== undefined) {
      isWide = shift.isWide ?? isWide;
      if (shift.literal !== undefined) out[length++] = shift.literal;
      i += shift.skip;
      continue;
    }
    const byte = bytes[i++]!;
    if (byte === 10) isWide = false;
    out[length++] = isWide && byte > 32 ? byte | 0x80 : byte;
  }
  return out.subarray(0, length);
}
