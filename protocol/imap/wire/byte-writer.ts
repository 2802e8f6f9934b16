/**
 * Gathers response bytes in a few large buffers. Short things are written in place, large ones are passed on as they are. take() hands the
 * buffers over; the writer never touches them again.
 */

/** First buffer of a burst: most answers are short, and ten thousand connections have one each. */
const firstBytes = 1024;
const chunkBytes = 64 * 1024;
/** From this size on, bytes are passed on instead of copied. */
const passedOnBytes = 16 * 1024;

const empty = Buffer.alloc(0);

export class ByteWriter {
  #chunk: Buffer = empty;
  #length = 0;
  #start = 0;
  #sealed: Buffer[] = [];
  #sealedBytes = 0;

  /** Bytes written and not taken. */
  get size(): number {
    return this.#sealedBytes + this.#length - this.#start;
  }

  /** Makes room for `bytes` in one piece and returns the buffer; write at `length`, then call advance. */
  #reserve(bytes: number): Buffer {
    if (this.#length + bytes > this.#chunk.length) {
      const isFirst = this.#chunk === empty && this.#sealed.length === 0;
      this.#seal();
      this.#chunk = Buffer.allocUnsafe(isFirst && bytes <= firstBytes ? firstBytes : Math.max(chunkBytes, bytes));
      this.#length = 0;
      this.#start = 0;
    }
    return this.#chunk;
  }

  #seal(): void {
    if (this.#length > this.#start) {
      this.#sealed.push(this.#chunk.subarray(this.#start, this.#length));
      this.#sealedBytes += this.#length - this.#start;
      this.#start = this.#length;
    }
  }

  /** Text that is ASCII (or latin1 bytes). */
  ascii(text: string): this {
    const chunk = this.#reserve(text.length);
    if (text.length < 24) for (let at = 0; at < text.length; at += 1) chunk[this.#length + at] = text.charCodeAt(at);
    else chunk.write(text, this.#length, 'latin1');
    this.#length += text.length;
    return this;
  }

  utf8(text: string): this {
    return this.bytes(Buffer.from(text, 'utf8'));
  }

  /** A number without a sign, in decimal. */
  number(value: number): this {
    if (value > 0xffffffff) return this.ascii(String(value));
    const chunk = this.#reserve(10);
    let digits = 1;
    for (let limit = 10; value >= limit && digits < 10; limit *= 10) digits += 1;
    let rest = value;
    for (let at = this.#length + digits - 1; at >= this.#length; at -= 1) {
      const tenth = Math.floor(rest / 10);
      chunk[at] = 0x30 + (rest - tenth * 10);
      rest = tenth;
    }
    this.#length += digits;
    return this;
  }

  bytes(bytes: Uint8Array): this {
    if (bytes.length >= passedOnBytes) {
      this.#seal();
      this.#sealed.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      this.#sealedBytes += bytes.length;
      return this;
    }
    const chunk = this.#reserve(bytes.length);
    const { length } = bytes;
    if (length < 32) for (let at = 0; at < length; at += 1) chunk[this.#length + at] = bytes[at]!;
    else chunk.set(bytes, this.#length);
    this.#length += length;
    return this;
  }

  crlf(): this {
    const chunk = this.#reserve(2);
    chunk[this.#length] = 0x0d;
    chunk[this.#length + 1] = 0x0a;
    this.#length += 2;
    return this;
  }

  /** A part of `bytes`, copied. */
  slice(bytes: Uint8Array, start: number, end: number): this {
    const length = end - start;
    const chunk = this.#reserve(length);
    const to = this.#length - start;
    if (length < 64) for (let at = start; at < end; at += 1) chunk[to + at] = bytes[at]!;
    else chunk.set(bytes.subarray(start, end), this.#length);
    this.#length += length;
    return this;
  }

  /** literal = "{" number "}" CRLF *CHAR8. CHAR8 has no NUL (RFC 9051 §9): 0x80 takes its place, as with other servers, and no octet moves. */
  literal(bytes: Uint8Array): this {
    this.ascii('{').number(bytes.length).ascii('}\r\n');
    return this.bytes(bytes.includes(0) ? bytes.map((byte) => (byte === 0 ? 0x80 : byte)) : bytes);
  }

  /** literal8 = "~{" number "}" CRLF *OCTET */
  literal8(bytes: Uint8Array): this {
    return this.ascii('~{').number(bytes.length).ascii('}\r\n').bytes(bytes);
  }

  /** A string as quoted where it can be, else as a literal. 8-bit text goes as a literal, which every client reads. */
  string(text: string): this {
    return /^[\x20-\x7e]*$/.test(text) && text.length < 1000
      ? this.ascii(`"${text.replace(/["\\]/g, '\\$&')}"`)
      : this.literal(Buffer.from(text));
  }

  /** The same for who takes UTF-8 in quoted strings (RFC 9051 §4.3, RFC 9755 §3). */
  utf8String(text: string): this {
    return /[\0\r\n]/.test(text) || text.length >= 1000
      ? this.literal(Buffer.from(text))
      : this.utf8(`"${text.replace(/["\\]/g, '\\$&')}"`);
  }

  nstring(text: string | null | undefined): this {
    return text === null || text === undefined ? this.ascii('NIL') : this.string(text);
  }

  /** All that was written since the last call, in order. */
  take(): Buffer[] {
    this.#seal();
    const taken = this.#sealed;
    this.#sealed = [];
    this.#sealedBytes = 0;
    this.#chunk = empty;
    this.#length = 0;
    this.#start = 0;
    return taken;
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.take());
  }
}
