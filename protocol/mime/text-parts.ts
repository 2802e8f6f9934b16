/** Which parts of a message hold its text, for search and preview: every text part once, of alternatives the better one, nested messages and text attachments included. */
import type { Part } from './structure.ts';

export interface TextPart {
  part: Part;
  isHtml: boolean;
}

/** Text for machines. */
const unreadable = new Set(['css', 'javascript', 'ecmascript', 'x-amp-html']);

/** In reading order. */
export function textParts(part: Part): TextPart[] {
  if (part.message !== undefined) return textParts(part.message.root);
  if (part.children !== undefined) {
    const lists = part.children.map(textParts);
    return part.subtype === 'alternative' ? betterOf(lists) : lists.flat();
  }
  if (part.type === 'text') return unreadable.has(part.subtype) ? [] : [{ part, isHtml: part.subtype === 'html' }];
  const isReport =
    part.type === 'message' && (part.subtype.endsWith('delivery-status') || part.subtype.endsWith('disposition-notification'));
  return isReport ? [{ part, isHtml: false }] : [];
}

/** Markup takes most of an HTML part. Plain text this much smaller says only "please see the HTML". */
const stubRatio = 30;

/** The plain text, unless it is a stub beside the HTML. */
function betterOf(lists: readonly TextPart[][]): TextPart[] {
  const filled = lists.filter((list) => list.length > 0);
  const plain = filled.find((list) => !list.some((entry) => entry.isHtml));
  const html = filled.find((list) => list.some((entry) => entry.isHtml));
  if (plain === undefined || html === undefined) return plain ?? html ?? [];
  return sizeOf(plain) * stubRatio < sizeOf(html) ? html : plain;
}

function sizeOf(list: readonly TextPart[]): number {
  return list.reduce((sum, { part }) => sum + (part.decodedOctets ?? part.bodyEnd - part.bodyStart), 0);
}

/** RFC 3676: lines that end in a space go on in the next one. `deletesSpace` is the DelSp parameter. */
export function unflow(text: string, deletesSpace: boolean): string {
  const paragraphs: string[] = [];
  let isOpen = false;
  for (const line of text.split('\n')) {
    const bare = line.endsWith('\r') ? line.slice(0, -1) : line;
    const isQuote = bare.startsWith('>');
    const content = !isQuote && bare.startsWith(' ') ? bare.slice(1) : bare;
    const isSoft = content.endsWith(' ') && content !== '-- ' && !isQuote;
    const kept = isSoft && deletesSpace ? content.slice(0, -1) : content;
    if (isOpen && !isQuote) paragraphs.push(kept);
    else paragraphs.push(paragraphs.length > 0 ? `\n${kept}` : kept);
    isOpen = isSoft;
  }
  return paragraphs.join('');
}
