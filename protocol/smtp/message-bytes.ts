/**
 * The bytes of a message as they come in, by DATA or BDAT.
 *
 * DATA ends with CRLF.CRLF and nothing else (RFC 5321 §4.1.1.4): a CR or LF alone is data, so that no two servers on a message's way see its
 * end in different places. Dots are unstuffed after CRLF only (§4.5.2).
 */

/** Gathers slices of what was received; nothing is copied. Past `bytesMax` it forgets them and only counts. */
export class MessageSink {
  readonly #bytesMax: number;
  readonly chunks: Buffer[] = [];
  octets = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isTooLarge(): boolean {
    return this.octets > this.#bytesMax;
  }

  add(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.octets += chunk.length;
    if (this.isTooLarge) this.chunks.length = 0;
    else this.chunks.push(chunk);
  }
}

const crlfDot = Buffer.from('\r\n.');
const loneCr = Buffer.from('\r');
const CR = 13;
const LF = 10;
const DOT = 46;

/** What the bytes before the next one were. */
type Place = 'text' | 'afterCr' | 'lineStart' | 'afterDot' | 'afterDotCr';

/** Takes what follows DATA up to the line with a dot, in pieces of any size. */
export class DataReader {
  readonly sink: MessageSink;
  #place: Place = 'lineStart';
  isComplete = false;

  constructor(bytesMax: number) {
    this.sink = new MessageSink(bytesMax);
  }

  /** Takes bytes from `offset`; returns where it stopped: after the terminator, or the chunk's end. */
  read(chunk: Buffer, offset: number): number {
    let at = offset;
    /** Where the bytes begin that are data and not yet in the sink. */
    let from = offset;
    while (at < chunk.length) {
      if (this.#place === 'text') {
        const found = chunk.indexOf(crlfDot, at);
        if (found < 0) {
          this.#place = placeAtEnd(chunk, at);
          break;
        }
        this.sink.add(chunk.subarray(from, found + 2));
        from = at = found + 3;
        this.#place = 'afterDot';
        continue;
      }
      const byte = chunk[at]!;
      switch (this.#place) {
        case 'afterCr':
          this.#place = byte === LF ? 'lineStart' : byte === CR ? 'afterCr' : 'text';
          break;
        case 'lineStart':
          if (byte === DOT) {
            this.sink.add(chunk.subarray(from, at));
            from = at + 1;
            this.#place = 'afterDot';
          } else this.#place = byte === CR ? 'afterCr' : 'text';
          break;
        case 'afterDot':
          if (byte === CR) from = at + 1;
          this.#place = byte === CR ? 'afterDotCr' : 'text';
          break;
        case 'afterDotCr':
          if (byte === LF) {
            this.isComplete = true;
            return at + 1;
          }
          this.sink.add(loneCr);
          from = at;
          this.#place = byte === CR ? 'afterCr' : 'text';
          break;
      }
      at++;
    }
    this.sink.add(chunk.subarray(from));
    return chunk.length;
  }
}

function placeAtEnd(chunk: Buffer, from: number): Place {
  const last = chunk.length - 1;
  if (chunk[last] === CR) return 'afterCr';
  return chunk[last] === LF && last > from && chunk[last - 1] === CR ? 'lineStart' : 'text';
}

/** Whether some CR or LF stands alone (RFC 5321 §2.3.8 forbids both). Linear. */
export function hasBareLineEnd(chunks: readonly Buffer[]): boolean {
  let isAfterCr = false;
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (isAfterCr !== (byte === LF)) return true;
      isAfterCr = byte === CR;
    }
  }
  return isAfterCr;
}

/** Dot-stuffs a message (RFC 5321 §4.5.2) and ends it: the sending side of DATA. */
export function encodeData(message: Uint8Array): Buffer {
  const text = Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString('latin1');
  const stuffed = (text.startsWith('.') ? `.${text}` : text).replaceAll('\r\n.', '\r\n..');
  return Buffer.from(`${stuffed}${stuffed === '' || stuffed.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, 'latin1');
}
