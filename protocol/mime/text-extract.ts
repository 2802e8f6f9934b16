/**
 * A message's text, for search and preview. Our structure parser cuts the text parts out and our decoders read them, so that a 40 MB message costs no more than its
 * text. Never throws.
 */
import { htmlText } from './html-text.ts';
import { htmlCharsMax, previewCharsMax, textBytesMax, textPartBytesMax, textPartsBytesMax } from './limits.ts';
import { parameter } from './parameters.ts';
import { decodePartText } from './part-content.ts';
import { type Part, parseStructure } from './structure.ts';
import { type TextPart, textParts, unflow } from './text-parts.ts';

export interface ExtractedText {
  /** At most 64 KiB of UTF-8, cut between characters; parts are apart by a line end. */
  text: string;
  /** At most 256 characters on one line. RFC 8621 §4.1.4, RFC 8970. */
  preview: string;
}

/** `root` saves the parse where the structure is known. */
export function extractText(raw: Uint8Array, root: Part = parseStructure(raw).root): ExtractedText {
  const texts: string[] = [];
  let encodedBytesLeft = textPartsBytesMax;
  let charsLeft = textBytesMax;
  for (const entry of textParts(root)) {
    if (encodedBytesLeft <= 0 || charsLeft <= 0) break;
    const bytes = Math.min(entry.part.bodyEnd - entry.part.bodyStart, textPartBytesMax, encodedBytesLeft);
    encodedBytesLeft -= bytes;
    const text = textOf(raw, entry, bytes).trim();
    if (text === '') continue;
    texts.push(text);
    charsLeft -= text.length;
  }
  const text = cutToBytes(texts.join('\n').toWellFormed(), textBytesMax);
  return { text, preview: previewOf(text) };
}

function textOf(raw: Uint8Array, { part, isHtml }: TextPart, bytes: number): string {
  const decoded = decodePartText(raw, part, bytes);
  if (isHtml) return lines(htmlText(decoded.slice(0, htmlCharsMax)));
  const isFlowed = parameter(part.parameters, 'format')?.toLowerCase() === 'flowed';
  return lines(isFlowed ? unflow(decoded, parameter(part.parameters, 'delsp')?.toLowerCase() === 'yes') : decoded);
}

function lines(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').replaceAll('\0', '');
}

/** Cut at a character boundary: no UTF-8 sequence is split. */
function cutToBytes(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = Buffer.from(text);
  let end = bytesMax;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}

/** White space beyond ASCII, and what newsletters hide: soft hyphens, joiners, fillers. Not the joiner of emoji (U+200D). */
const fillers =
  '\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180e\\u2000-\\u200c\\u200e\\u200f\\u2028-\\u202f\\u205f-\\u2064\\u3000\\ufeff';
/** Runs of fillers, controls and white space. One space alone, as most are, is no match: that halves the time. */
const padding = new RegExp(`[\\0-\\u001f${fillers}][\\0- ${fillers}]*| [\\0- ${fillers}]+`, 'g');

/** Text that fills most previews; and text that fills one when much of it is white space or padding. */
const previewSourceChars = [2 * previewCharsMax, 4096] as const;

/** The first characters of the text; white space and padding are one space. */
export function previewOf(text: string): string {
  let line = '';
  for (const chars of previewSourceChars) {
    line = text.slice(0, chars).replace(padding, ' ').trim();
    if (line.length > previewCharsMax || chars >= text.length) break;
  }
  if (line.length <= previewCharsMax) return line.toWellFormed();
  const cut = line.slice(0, previewCharsMax);
  // A character outside the BMP is two units: half of one is left out.
  return (/[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut).trimEnd().toWellFormed();
}
