/** JMAP's views of the part tree (RFC 8621 §4.1.4): textBody, htmlBody, attachments, and whether a message has an attachment worth a paper clip. */
import { decodeParameter, parameter } from './parameters.ts';
import { walkParts } from './sections.ts';
import type { Part } from './structure.ts';

/** A part and its section number, which serves as JMAP's partId. */
export interface ListedPart {
  section: string;
  part: Part;
}

export interface BodyLists {
  textBody: ListedPart[];
  htmlBody: ListedPart[];
  attachments: ListedPart[];
}

/** RFC 8621 §4.1.4: the file name, else Content-Type's name, decoded. */
export function partName(part: Part): string | undefined {
  return decodeParameter(part.disposition?.parameters, 'filename') || decodeParameter(part.parameters, 'name') || undefined;
}

/** RFC 8621 §4.1.4: the charset parameter; us-ascii for text without one; null for other types without one. */
export function partCharset(part: Part): string | null {
  return parameter(part.parameters, 'charset') ?? (part.type === 'text' ? 'us-ascii' : null);
}

/** The Content-ID without its brackets, or null. */
export function partCid(part: Part): string | null {
  return part.id?.replace(/^\s*<?\s*|\s*>?\s*$/g, '') ?? null;
}

/** Bytes of the part's content after transfer decoding. */
export function partSize(part: Part): number {
  return part.decodedOctets ?? part.bodyEnd - part.bodyStart;
}

function isInlineMediaType(part: Part): boolean {
  return part.type === 'image' || part.type === 'audio' || part.type === 'video';
}

function isTextBody(part: Part): boolean {
  return part.type === 'text' && (part.subtype === 'plain' || part.subtype === 'html');
}

/** The algorithm of RFC 8621 §4.1.4, `parseStructure`. */
export function bodyLists(root: Part): BodyLists {
  const sections = new Map<Part, string>();
  for (const [section, part] of walkParts(root)) sections.set(part, section);
  const textBody: Part[] = [];
  const htmlBody: Part[] = [];
  const attachments: Part[] = [];
  listParts([root], 'mixed', false, htmlBody, textBody, attachments);
  const listed = (parts: Part[]) => parts.map((part) => ({ section: sections.get(part) ?? '', part }));
  return { textBody: listed(textBody), htmlBody: listed(htmlBody), attachments: listed(attachments) };
}

function listParts(
  parts: readonly Part[],
  multipartType: string,
  isInAlternative: boolean,
  htmlBody: Part[] | undefined,
  textBody: Part[] | undefined,
  attachments: Part[],
): void {
  const textLength = textBody?.length ?? -1;
  const htmlLength = htmlBody?.length ?? -1;
  for (const [i, part] of parts.entries()) {
    if (part.children !== undefined) {
      listParts(part.children, part.subtype, isInAlternative || part.subtype === 'alternative', htmlBody, textBody, attachments);
      continue;
    }
    const isInline =
      part.disposition?.type !== 'attachment' &&
      (isTextBody(part) || isInlineMediaType(part)) &&
      // A later part of a related is a resource; with a name it is a file.
      (i === 0 || (multipartType !== 'related' && (isInlineMediaType(part) || partName(part) === undefined)));
    if (!isInline) {
      attachments.push(part);
    } else if (multipartType === 'alternative') {
      if (part.type === 'text' && part.subtype === 'plain') textBody?.push(part);
      else if (part.type === 'text' && part.subtype === 'html') htmlBody?.push(part);
      else attachments.push(part);
    } else {
      if (isInAlternative) {
        if (part.type === 'text' && part.subtype === 'plain') htmlBody = undefined;
        if (part.type === 'text' && part.subtype === 'html') textBody = undefined;
      }
      textBody?.push(part);
      htmlBody?.push(part);
      if ((textBody === undefined || htmlBody === undefined) && isInlineMediaType(part)) attachments.push(part);
    }
  }
  if (multipartType === 'alternative' && textBody !== undefined && htmlBody !== undefined) {
    // Only one of the two forms was found: it serves for both.
    if (textLength === textBody.length && htmlLength !== htmlBody.length) textBody.push(...htmlBody.slice(htmlLength));
    if (htmlLength === htmlBody.length && textLength !== textBody.length) htmlBody.push(...textBody.slice(textLength));
  }
}

/** Machinery of signatures, encryption and reports: attached by software, not by a person. */
const machineryTypes = new Set([
  'application/pgp-signature',
  'application/pkcs7-signature',
  'application/x-pkcs7-signature',
  'application/pgp-encrypted',
  'application/pkix-attr-cert',
  'message/delivery-status',
  'message/global-delivery-status',
  'message/disposition-notification',
  'message/global-disposition-notification',
  'message/feedback-report',
  'text/rfc822-headers',
  'message/global-headers',
]);

/**
 * RFC 8621 §4.1.4 leaves the rule to the server. A message has an attachment when one of its attachments is a file for the reader: not a signature, not
 * what a report consists of, not an image that belongs to the HTML (inline, or with a Content-ID in a multipart/related), not a calendar or AMP alternative of the text.
 */
export function hasAttachment(root: Part): boolean {
  const attachments: Part[] = [];
  listParts([root], 'mixed', false, [], [], attachments);
  if (attachments.length === 0) return false;
  const collections = new Map<Part, string>();
  for (const [, part] of walkParts(root)) for (const child of part.children ?? []) collections.set(child, part.subtype);
  return attachments.some((part) => {
    if (machineryTypes.has(`${part.type}/${part.subtype}`)) return false;
    const collection = collections.get(part);
    const isImage = isInlineMediaType(part);
    if (part.disposition?.type === 'attachment') return !(collection === 'related' && isImage && part.id !== undefined);
    if (isImage && (part.disposition?.type === 'inline' || part.id !== undefined || collection === 'related')) return false;
    return collection !== 'alternative' && collection !== 'report' && !(collection === 'related' && part.type === 'text');
  });
}
