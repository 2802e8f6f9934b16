/** The client's end of a connection, as tests see it: responses one by one, literals inside them, CRLF shown as it is. */
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';

const waitMs = 5_000;

export class ImapTestClient {
  greeting = '';
  #stream: Duplex;
  #input = Buffer.alloc(0);
  #hasEnded = false;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#listen(stream);
  }

  /** After the server's OK to STARTTLS. Its certificate is not looked at. */
  startTls(): void {
    this.#stream.removeAllListeners('data');
    this.#stream = connectTls({ socket: this.#stream, rejectUnauthorized: false });
    this.#listen(this.#stream);
  }

  #listen(stream: Duplex): void {
    stream.on('data', (chunk: Buffer) => {
      this.#input = Buffer.concat([this.#input, chunk]);
      this.#wake?.();
    });
    for (const event of ['end', 'close', 'error']) {
      stream.on(event, () => {
        this.#hasEnded = true;
        this.#wake?.();
      });
    }
  }

  write(text: string | Buffer): void {
    this.#stream.write(typeof text === 'string' ? Buffer.from(text, 'utf8') : text);
  }

  /** One response without its last line end, as latin1; '' when the server has closed the connection. */
  async line(ms = waitMs): Promise<string> {
    for (;;) {
      const end = this.#responseEnd();
      if (end > 0) {
        const line = this.#input.toString('latin1', 0, end - 2);
        this.#input = this.#input.subarray(end);
        return line;
      }
      if (this.#hasEnded) return '';
      await this.#more(ms);
    }
  }

  /** Where the first response ends, its literals skipped; 0 when it is not all there. */
  #responseEnd(): number {
    let at = 0;
    for (;;) {
      const lineEnd = this.#input.indexOf('\r\n', at);
      if (lineEnd < 0) return 0;
      const literal = /\{(\d+)\}$/.exec(this.#input.toString('latin1', Math.max(at, lineEnd - 20), lineEnd));
      if (literal === null) return lineEnd + 2;
      at = lineEnd + 2 + Number(literal[1]);
      if (this.#input.length < at) return 0;
    }
  }

  async #more(ms: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new Error(`the server said nothing within ${ms} ms; before: ${this.#input.toString('latin1')}`)),
      ms,
    );
    this.#wake = resolve;
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#wake = undefined;
    }
  }

  /** Sends a command and gives all responses up to its tagged one. */
  async command(text: string, tag = 'x'): Promise<string[]> {
    this.write(`${tag} ${text}\r\n`);
    return this.until(tag);
  }

  async until(tag: string): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.line();
      lines.push(line);
      if (line === '' || line.startsWith(`${tag} `) || line.startsWith('+')) return lines;
    }
  }

  /** Waits for the server to close. */
  async ended(): Promise<void> {
    while ((await this.line()) !== '');
  }

  close(): void {
    this.#stream.destroy();
  }
}
