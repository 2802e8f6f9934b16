/** BODY and BODYSTRUCTURE (RFC 3501 §7.4.2) as IMAP text: pure ASCII, always within the grammar, however broken the message. */
import { formatEnvelope } from './envelope.ts';
import { nstring, quoted } from './imap-string.ts';
import type { Parameter } from './parameters.ts';
import { isMessage, type Part } from './structure.ts';

/** A multipart must have parts, and a message a body: this stands for one that could not be read. */
const emptyBody = '"text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0';

/** body = "(" (body-type-1part / body-type-mpart) ")". With `isExtended`, BODYSTRUCTURE: all extension data is there. */
export function formatBodyStructure(part: Part, isExtended: boolean): string {
  if (part.type === 'multipart') {
    const children = (part.children ?? []).map((child) => formatBodyStructure(child, isExtended)).join('');
    const parts = children === '' ? `(${emptyBody}${isExtended ? ' NIL NIL NIL NIL' : ''})` : children;
    if (!isExtended) return `(${parts} ${quoted(part.subtype)})`;
    // body-ext-mpart = body-fld-param SP body-fld-dsp SP body-fld-lang SP body-fld-loc
    return `(${parts} ${quoted(part.subtype)} ${formatParameters(part.parameters)} ${formatTail(part)})`;
  }
  const octets = part.bodyEnd - part.bodyStart;
  let text = `(${quoted(part.type)} ${quoted(part.subtype)} ${formatParameters(parametersOf(part))} ${nstring(part.id)} ${nstring(part.description)} ${quoted(part.encoding ?? '7bit')} ${octets}`;
  if (isMessage(part)) {
    const empty = `(${emptyBody}${isExtended ? ' NIL NIL NIL NIL' : ''})`;
    const body = part.message === undefined ? empty : formatBodyStructure(part.message.root, isExtended);
    text += ` ${formatEnvelope(part.message?.envelope ?? {})} ${body} ${part.lines}`;
  } else if (part.type === 'text') text += ` ${part.lines}`;
  // body-ext-1part = body-fld-md5 SP body-fld-dsp SP body-fld-lang SP body-fld-loc
  return isExtended ? `${text} ${nstring(part.md5)} ${formatTail(part)})` : `${text})`;
}

/** RFC 2045 §5.2: a text part without a charset is US-ASCII. Clients that ask want to see it. */
function parametersOf(part: Part): readonly Parameter[] | undefined {
  if (part.type !== 'text' || part.parameters !== undefined) return part.parameters;
  return [['charset', 'us-ascii']];
}

/** body-fld-param = "(" string SP string *(SP string SP string) ")" / nil */
function formatParameters(parameters: readonly Parameter[] | undefined): string {
  if (parameters === undefined || parameters.length === 0) return 'NIL';
  return `(${parameters.map(([name, value]) => `${quoted(name)} ${quoted(value)}`).join(' ')})`;
}

function formatTail(part: Part): string {
  const { disposition, language } = part;
  const shownDisposition = disposition === undefined ? 'NIL' : `(${quoted(disposition.type)} ${formatParameters(disposition.parameters)})`;
  const shownLanguage = language === undefined || language.length === 0 ? 'NIL' : `(${language.map(quoted).join(' ')})`;
  return `${shownDisposition} ${shownLanguage} ${nstring(part.location)}`;
}
