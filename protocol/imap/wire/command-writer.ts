/** The client's side of the wire, for tests: writes what the decoders of commands/ read. Strings that cannot be quoted go as literals. */
import { encodeMailboxName } from '../mailbox-name.ts';
import { ByteWriter } from './byte-writer.ts';

export class CommandWriter {
  readonly #bytes = new ByteWriter();

  raw(text: string): this {
    this.#bytes.ascii(text);
    return this;
  }

  sp(): this {
    return this.raw(' ');
  }

  /** An atom where it can be one, else a string. */
  astring(text: string): this {
    return /^[\x21\x23-\x24\x26-\x27\x2b-\x5b\x5d-\x7a\x7c\x7d-\x7e]+$/.test(text) && !/[(){%*"\\}]/.test(text)
      ? this.raw(text)
      : this.string(text);
  }

  string(text: string): this {
    if (/^[\x20-\x7e]*$/.test(text)) return this.raw(`"${text.replace(/["\\]/g, '\\$&')}"`);
    return this.literal(Buffer.from(text));
  }

  /** RFC 7888: the non-synchronizing kind. */
  literal(bytes: Uint8Array): this {
    this.#bytes.ascii(`{${bytes.length}+}\r\n`).bytes(bytes);
    return this;
  }

  mailbox(name: string): this {
    return this.astring(encodeMailboxName(name));
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.raw('(');
    this.joined(items, write);
    return this.raw(')');
  }

  joined<T>(items: readonly T[], write: (item: T) => void): this {
    for (const [at, item] of items.entries()) {
      if (at > 0) this.sp();
      write(item);
    }
    return this;
  }

  toBuffer(): Buffer {
    return this.#bytes.toBuffer();
  }
}
