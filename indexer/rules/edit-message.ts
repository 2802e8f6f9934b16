/**
 * Changes of a message's bytes: a field on top, a banner before its text. What does not change keeps its bytes.
 *
 * A banner goes into the first plain and the first HTML body part, each decoded and encoded again as UTF-8. Signed and encrypted content (RFC 1847,
 * RFC 8551, RFC 9580, in parts or inline) is left as it is: a changed byte would break it. Attachments and nested messages are not touched.
 */

import { decodeText } from '../../protocol/mime/charset.ts';
import { encodeWords } from '../../protocol/mime/encoded-word.ts';
import { scanHeader } from '../../protocol/mime/header.ts';
import { decodePart, decodePartText, readPartText } from '../../protocol/mime/part-content.ts';
import { type Part, parseStructure } from '../../protocol/mime/structure.ts';
import { bannerPartBytesMax, editedBytesMax } from './limits.ts';

export function withField(message: Buffer, name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from(`${name}: ${foldWords(encodeWords(value))}\r\n`), message]);
}

/** RFC 5322 §2.1.1: lines of at most 998 octets, better 78. */
function foldWords(value: string): string {
  let width = 0;
  return value
    .split(' ')
    .map((word, index) => {
      width += word.length + 1;
      if (index === 0) return word;
      if (width <= 72) return ` ${word}`;
      width = word.length + 1;
      return `\r\n ${word}`;
    })
    .join('');
}

/** The message with the text above its own; the same buffer when there is nowhere to put it. */
export function withBanner(message: Buffer, text: string): Buffer {
  if (message.length > editedBytesMax) return message;
  const { root } = parseStructure(message);
  const parts = bannerParts(root, message);
  const edits = parts.map((part) => editOf(message, part, text)).sort((a, b) => a.start - b.start);
  if (edits.length === 0) return message;
  const pieces: Buffer[] = [];
  let at = 0;
  for (const { start, end, bytes } of edits) {
    pieces.push(message.subarray(at, start), bytes);
    at = end;
  }
  return Buffer.concat([...pieces, message.subarray(at)]);
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

/** The body's plain and HTML parts, where they may be changed. */
function bannerParts(root: Part, message: Buffer): Part[] {
  const found: Part[] = [];
  const visit = (part: Part): void => {
    if (isSealed(part)) return;
    if (part.children !== undefined) {
      // Alternatives are each a body; of what is related the first is (RFC 2387 §3.2); of a mixture the first that has a text, whatever stands before it.
      const isEach = part.subtype === 'alternative';
      const before = found.length;
      for (const child of part.subtype === 'related' ? part.children.slice(0, 1) : part.children) {
        if (isEach || found.length === before) visit(child);
      }
      return;
    }
    const isText = part.type === 'text' && (part.subtype === 'plain' || part.subtype === 'html');
    if (!isText || part.disposition?.type === 'attachment' || part.isOpaque === true) return;
    if (part.bodyEnd - part.bodyStart > bannerPartBytesMax) return;
    if (/-----BEGIN PGP (SIGNED )?MESSAGE-----/.test(decodePartText(message, part))) return;
    found.push(part);
  };
  // What is sealed anywhere seals the body around it: a signature covers its siblings.
  if (!hasSealed(root)) visit(root);
  return found;
}

function isSealed(part: Part): boolean {
  if (part.type === 'multipart') return part.subtype === 'signed' || part.subtype === 'encrypted';
  return part.type === 'application' && /^(x-)?pkcs7-(mime|signature)$|^pgp-(encrypted|signature)$/.test(part.subtype);
}

function hasSealed(part: Part): boolean {
  return isSealed(part) || (part.children ?? []).some(hasSealed);
}

function editOf(message: Buffer, part: Part, banner: string): Edit {
  const old = textOf(message, part);
  const text = part.subtype === 'html' ? intoHtml(old, banner) : `${plainBanner(banner, isFlowed(part))}\r\n\r\n${old}`;
  const header = withEncoding(message.subarray(part.headerStart, part.bodyStart), part);
  const endsLine = message.subarray(part.bodyStart, part.bodyEnd).at(-1) === 10;
  // Of a part inside a multipart the last line end is the boundary's, and stays outside the part.
  const body = Buffer.from(text)
    .toString('base64')
    .replace(/.{76}(?=.)/g, '$&\r\n');
  return {
    start: part.headerStart,
    end: part.bodyEnd,
    bytes: Buffer.concat([header, Buffer.from(body), Buffer.from(endsLine ? '\r\n' : '')]),
  };
}

/** What does not fit its charset is read as mail programs read it, so that no byte is lost. */
function textOf(message: Buffer, part: Part): string {
  const { text, hasProblem } = readPartText(message, part);
  return hasProblem && text.includes('\ufffd') ? decodeText(decodePart(message, part), 'windows-1252') : text;
}

const isFlowed = (part: Part) => part.parameters?.some(([name, value]) => name === 'format' && /^flowed$/i.test(value)) === true;

/** RFC 3676 §4.2, §4.4: where the text flows, no line of the banner flows into the next, nor looks like a quote. */
function plainBanner(banner: string, flows: boolean): string {
  const lines = banner.split(/\r?\n/).map((line) => (flows ? line.trimEnd().replace(/^(?=[ >]|From )/, ' ') : line));
  return lines.join('\r\n');
}

function intoHtml(html: string, banner: string): string {
  const escaped = banner.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`).replace(/\r?\n/g, '<br>');
  const block = `<div style="border:1px solid #999;padding:8px;margin:0 0 8px;font-family:sans-serif;font-size:14px;color:#222;background:#fff8e1">${escaped}</div>`;
  const at = contentStart(html);
  return `${html.slice(0, at)}${block}${html.slice(at)}`;
}

/**
 * Where the content of an HTML document begins: behind its opening body tag, else its head, else its html tag. Linear; comments, and elements whose
 * content is text and no tags, are stepped over: a banner in them would not be seen.
 */
function contentStart(html: string): number {
  const opening = /<(?:!--|(title|script|style|textarea|noscript|template|xmp)\b|body\b|\/head\b|html\b|!doctype\b)/gi;
  let start = 0;
  for (let match = opening.exec(html); match !== null; match = opening.exec(html)) {
    const [tag, element] = match;
    const isComment = tag === '<!--';
    const end = isComment ? endOf(html, '-->', opening.lastIndex) : tagEnd(html, opening.lastIndex);
    const whole = element === undefined || end < 0 ? end : endOfElement(html, element, end);
    // What never ends hides all that follows it.
    if (whole < 0) return start;
    opening.lastIndex = whole;
    if (isComment || element !== undefined) continue;
    start = whole;
    if (tag.toLowerCase() === '<body') return start;
  }
  return start;
}

function endOf(html: string, ending: string, from: number): number {
  const at = html.indexOf(ending, from);
  return at < 0 ? at : at + ending.length;
}

/** Behind the tag's `>`; one in a quoted value is none. */
function tagEnd(html: string, from: number): number {
  let quote = '';
  for (let at = from; at < html.length; at++) {
    const character = html[at]!;
    if (quote !== '') quote = character === quote ? '' : quote;
    else if (character === '>') return at + 1;
    // A quote begins a value behind the equals sign only.
    else if ((character === '"' || character === "'") && /=\s*$/.test(html.slice(Math.max(from, at - 8), at))) quote = character;
  }
  return -1;
}

function endOfElement(html: string, element: string, from: number): number {
  const closing = new RegExp(`</${element}\\b`, 'gi');
  closing.lastIndex = from;
  return closing.exec(html) === null ? -1 : tagEnd(html, closing.lastIndex);
}

/** The part's header, saying base64 and UTF-8; its other fields as they were. */
function withEncoding(header: Buffer, part: Part): Buffer {
  const { fields, fieldsEnd } = scanHeader(header, 0, Number.POSITIVE_INFINITY);
  const replaced = new Set(['content-type', 'content-transfer-encoding', 'content-md5', 'content-length']);
  const kept = fields.filter(({ name }) => !replaced.has(name)).map(({ start, end }) => header.subarray(start, end));
  const parameters = (part.parameters ?? []).filter(([name]) => name !== 'charset');
  const rest = parameters.map(([name, value]) => `;\r\n ${name}="${value.replace(/["\\]/g, '\\$&')}"`).join('');
  const added = `Content-Type: text/${part.subtype}; charset=utf-8${rest}\r\nContent-Transfer-Encoding: base64\r\n`;
  // RFC 2045 §4: a message whose body is described says which MIME it means.
  const isMessage = part.headerStart === 0 && !fields.some(({ name }) => name === 'mime-version');
  const lastLine = header[fieldsEnd - 1] === 10 || fieldsEnd === 0 ? '' : '\r\n';
  return Buffer.concat([...kept, Buffer.from(`${lastLine}${isMessage ? 'MIME-Version: 1.0\r\n' : ''}${added}\r\n`)]);
}
