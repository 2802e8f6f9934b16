/**
 * The structure of a message as byte offsets: one pass over the bytes with a stack of boundaries, as RFC 2046 §5.1 and Dovecot read them. Nothing throws, whatever
 * the bytes: a multipart without a boundary (or whose boundary never comes) is read as plain text, a part that never ends ends with its parent,
 * and past a limit the rest is one opaque leaf. Lines end in LF; the line end before a boundary belongs to the boundary.
 * Work is at most (depth of open multiparts) byte compares for each byte of lines that begin with `--`, and constant for all others.
 */
import { asBuffer } from './bytes.ts';
import { type Envelope, type InterpretationBudget, readEnvelope, readValue } from './envelope.ts';
import { type HeaderField, type ScannedHeader, scanHeader } from './header.ts';
import { boundaryBytesMax, interpretedBytesMax, partDepthMax, partsMax } from './limits.ts';
import { type Parameter, parameter, parseParameterized, withoutComments } from './parameters.ts';
import { decodedLength, transferEncoding } from './transfer-encoding.ts';

export interface Disposition {
  /** Lower case: `attachment`, `inline`, … */
  type: string;
  parameters?: Parameter[];
}

/**
 * One entity: a message, or a part of one. Offsets count bytes of the raw message: [headerStart, bodyStart) is its header with the empty line,
 * [bodyStart, bodyEnd) its body. Plain JSON; what is absent in the message is absent here. Text is latin1 (the message's bytes), undecoded.
 */
export interface Part {
  headerStart: number;
  bodyStart: number;
  bodyEnd: number;
  /** LF in the body. */
  lines: number;
  /** Lower case, defaults filled in: text/plain, or message/rfc822 in a digest. */
  type: string;
  subtype: string;
  parameters?: Parameter[];
  /** Content-ID with its brackets. */
  id?: string;
  description?: string;
  /** Content-Transfer-Encoding, lower case. */
  encoding?: string;
  disposition?: Disposition;
  language?: string[];
  location?: string;
  md5?: string;
  /** Bytes of the body after transfer decoding, where that differs from its size. */
  decodedOctets?: number;
  /** A limit was reached here: the body may hold parts that were not read. */
  isOpaque?: true;
  /** Of a multipart, never empty. */
  children?: Part[];
  /** Of message/rfc822 and message/global. Absent where the message inside is transfer encoded or too deep. */
  message?: NestedMessage;
}

export interface NestedMessage {
  envelope: Envelope;
  /** The message itself: its header is the message's header, its body the message's body. */
  root: Part;
}

export interface MessageStructure {
  octets: number;
  root: Part;
  /** The message's own header. */
  header: ScannedHeader;
  /** What may still be interpreted of this message's fields. */
  budget: InterpretationBudget;
}

/** Never throws; linear in the bytes; see limits.ts for the bounds. */
export function parseStructure(raw: Uint8Array): MessageStructure {
  const parser = new StructureParser(asBuffer(raw));
  const { part, header } = parser.parsePart(0, false);
  return { octets: raw.length, root: part, header, budget: parser.budget };
}

interface Delimiter {
  /** Index of the multipart in the stack of open ones. */
  level: number;
  isClose: boolean;
}

class StructureParser {
  readonly buffer: Buffer;
  readonly budget: InterpretationBudget = { bytesLeft: interpretedBytesMax };
  /** Boundaries of the open multiparts, outermost first. */
  private readonly boundaries: Buffer[] = [];
  private position = 0;
  /** LF in [0, position). */
  private lines = 0;
  private parts = 0;
  /** The delimiter line at position, where one ended the last part; undefined at the end of the bytes. */
  private delimiter: Delimiter | undefined;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  parsePart(depth: number, isInDigest: boolean): { part: Part; header: ScannedHeader } {
    this.parts++;
    const headerStart = this.position;
    const delimiterHere = this.boundaries.length === 0 ? undefined : (lineStart: number) => this.delimiterAt(lineStart) !== undefined;
    const header = scanHeader(this.buffer, headerStart, undefined, delimiterHere);
    this.position = header.bodyStart;
    this.lines += header.lines;
    const part = this.readContent(headerStart, header, isInDigest);
    const linesBefore = this.lines;

    if (part.type === 'multipart') this.parseMultipart(part, depth);
    else if (isMessage(part) && transferEncoding(part.encoding) === 'identity') this.parseMessage(part, depth);
    else this.skipToDelimiter();

    this.endPart(part, linesBefore);
    return { part, header };
  }

  private parseMultipart(part: Part, depth: number): void {
    const boundary = (parameter(part.parameters, 'boundary') ?? '').slice(0, boundaryBytesMax).trimEnd();
    if (boundary === '') {
      becomeText(part);
      this.skipToDelimiter();
      return;
    }
    if (depth >= partDepthMax) {
      becomeOpaque(part);
      this.skipToDelimiter();
      return;
    }
    const level = this.boundaries.push(Buffer.from(boundary, 'latin1')) - 1;
    const children: Part[] = [];
    this.skipToDelimiter();
    while (this.delimiter?.level === level && !this.delimiter.isClose) {
      this.skipLine();
      if (this.position >= this.buffer.length) {
        this.delimiter = undefined;
        break;
      }
      children.push(this.parts < partsMax ? this.parsePart(depth + 1, part.subtype === 'digest').part : this.opaqueRest());
    }
    this.boundaries.splice(level);
    if (this.delimiter?.level === level) {
      this.skipLine();
      this.skipToDelimiter();
    }
    if (children.length > 0) part.children = children;
    else becomeText(part);
  }

  private parseMessage(part: Part, depth: number): void {
    if (depth >= partDepthMax || this.parts >= partsMax) {
      becomeOpaque(part);
      this.skipToDelimiter();
      return;
    }
    const { part: root, header } = this.parsePart(depth + 1, false);
    part.message = { envelope: readEnvelope(this.buffer, header.fields, this.budget), root };
  }

  /** All bytes that are left, as one leaf. */
  private opaqueRest(): Part {
    const start = this.position;
    const linesBefore = this.lines;
    this.boundaries.length = 0;
    this.skipToDelimiter();
    const part = leaf(start, start, 'application', 'octet-stream');
    part.isOpaque = true;
    this.endPart(part, linesBefore);
    return part;
  }

  /** Sets the end of a part's body: where its last inner part ends, or before the line end that belongs to the delimiter. */
  private endPart(part: Part, linesBefore: number): void {
    let end = this.position;
    let lines = this.lines - linesBefore;
    const last = part.message?.root ?? part.children?.at(-1);
    const innerEnd = last?.bodyEnd ?? part.bodyStart;
    if (this.delimiter !== undefined && end > innerEnd && this.buffer[end - 1] === 10) {
      end--;
      lines--;
      if (end > innerEnd && this.buffer[end - 1] === 13) end--;
    }
    part.bodyEnd = end;
    part.lines = lines;
    if (part.children === undefined && transferEncoding(part.encoding) !== 'identity') {
      const decoded = decodedLength(this.buffer.subarray(part.bodyStart, end), part.encoding);
      if (decoded !== end - part.bodyStart) part.decodedOctets = decoded;
    }
  }

  /** Moves to the next delimiter line of an open multipart, or to the end. */
  private skipToDelimiter(): void {
    const { buffer } = this;
    let position = this.position;
    let lines = this.lines;
    this.delimiter = undefined;
    while (position < buffer.length) {
      if (buffer[position] === 45 && buffer[position + 1] === 45) {
        this.delimiter = this.delimiterAt(position);
        if (this.delimiter !== undefined) break;
      }
      const newline = buffer.indexOf(10, position);
      if (newline < 0) {
        position = buffer.length;
        break;
      }
      lines++;
      position = newline + 1;
    }
    this.position = position;
    this.lines = lines;
  }

  private skipLine(): void {
    const newline = this.buffer.indexOf(10, this.position);
    if (newline >= 0) this.lines++;
    this.position = newline < 0 ? this.buffer.length : newline + 1;
  }

  /**
   * RFC 2046 §5.1.1: a line that begins with `--` and a boundary. Innermost first, so that parts which reuse a boundary nest; of several boundaries that
   * are prefixes of the line the longest counts, unless one is the whole line.
   */
  private delimiterAt(lineStart: number): Delimiter | undefined {
    const { buffer } = this;
    const start = lineStart + 2;
    if (buffer[lineStart + 1] !== 45) return undefined;
    let best: Delimiter | undefined;
    let bestLength = 0;
    for (let level = this.boundaries.length - 1; level >= 0; level--) {
      const boundary = this.boundaries[level]!;
      const end = start + boundary.length;
      if (boundary.length <= bestLength || buffer[start] !== boundary[0] || end > buffer.length) continue;
      if (buffer.compare(boundary, 0, boundary.length, start, end) !== 0) continue;
      const isClose = buffer[end] === 45 && buffer[end + 1] === 45;
      best = { level, isClose };
      bestLength = boundary.length;
      if (isLineEnd(buffer, end) || (isClose && isLineEnd(buffer, end + 2))) break;
    }
    return best;
  }

  private readContent(headerStart: number, header: ScannedHeader, isInDigest: boolean): Part {
    const part = isInDigest
      ? leaf(headerStart, header.bodyStart, 'message', 'rfc822')
      : leaf(headerStart, header.bodyStart, 'text', 'plain');
    const content = header.fields.filter((field) => field.name.startsWith('content-'));
    if (content.length > 0) readContentFields(part, this.buffer, content, this.budget);
    return part;
  }
}

function isLineEnd(buffer: Buffer, at: number): boolean {
  while (buffer[at] === 32 || buffer[at] === 9) at++;
  return at >= buffer.length || buffer[at] === 10 || (buffer[at] === 13 && buffer[at + 1] === 10);
}

function leaf(headerStart: number, bodyStart: number, type: string, subtype: string): Part {
  return { headerStart, bodyStart, bodyEnd: bodyStart, lines: 0, type, subtype };
}

export function isMessage(part: Part): boolean {
  return part.type === 'message' && (part.subtype === 'rfc822' || part.subtype === 'global');
}

/** RFC 2045 §5.2: what cannot be read as its type is shown as plain text. */
function becomeText(part: Part): void {
  part.type = 'text';
  part.subtype = 'plain';
  delete part.parameters;
}

function becomeOpaque(part: Part): void {
  part.type = 'application';
  part.subtype = 'octet-stream';
  delete part.parameters;
  part.isOpaque = true;
}

/** RFC 2045 §5.1's token, without the `/`. */
const mediaType = /^([^\s/;=,"<>()]+)\s*\/\s*([^\s/;=,"<>()]+)/;

function readContentFields(part: Part, buffer: Buffer, fields: readonly HeaderField[], budget: InterpretationBudget): void {
  // A repeated Content-Type: the first counts, as scanners and Dovecot read it.
  const read = (name: string) => {
    const first = fields.find((field) => field.name === name);
    return first === undefined ? undefined : readValue(buffer, [first], name, budget);
  };
  const contentType = read('content-type');
  if (contentType !== undefined) {
    const { value, parameters } = parseParameterized(contentType);
    const match = mediaType.exec(value);
    part.type = match?.[1] ?? 'text';
    part.subtype = match?.[2] ?? 'plain';
    if (parameters.length > 0) part.parameters = parameters;
  }
  const encoding = firstToken(read('content-transfer-encoding'));
  if (encoding !== undefined) part.encoding = encoding.toLowerCase();
  const disposition = read('content-disposition');
  if (disposition !== undefined) {
    const { value, parameters } = parseParameterized(disposition);
    const type = firstToken(value);
    if (type !== undefined || parameters.length > 0) {
      part.disposition = parameters.length > 0 ? { type: type ?? 'attachment', parameters } : { type: type! };
    }
  }
  const id = read('content-id');
  if (id) part.id = id;
  const description = read('content-description');
  if (description) part.description = description;
  const md5 = read('content-md5');
  if (md5) part.md5 = md5;
  const location = read('content-location')?.replace(/\s+/g, '');
  if (location) part.location = location;
  const language = withoutComments(read('content-language') ?? '')
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
  if (language.length > 0) part.language = language;
}

function firstToken(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  return /[^\s;"]+/.exec(withoutComments(value))?.[0];
}
