/**
 * A session's responses on their way out. What is written in one turn of the event loop leaves in one piece, so that a burst of short answers is one
 * packet; long answers leave as they grow, and wait for a client that is behind.
 */
import { ByteWriter } from '../../protocol/imap/wire/byte-writer.ts';
import type { Connection } from '../net/connection.ts';
import { burstBytes, sliceMs } from './limits.ts';
import type { Reply } from './refusal.ts';

export class Output extends ByteWriter {
  readonly #connection: Connection;
  #isScheduled = false;
  #sliceStart = 0;

  constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }

  /** Sends before the event loop waits again. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#sendNow);
  }

  readonly #sendNow = (): void => {
    this.#isScheduled = false;
    this.send();
  };

  send(): void {
    if (this.size > 0) this.#connection.write(this.take());
  }

  /** `* ` text CRLF */
  untagged(text: string): void {
    this.ascii('* ').ascii(text).crlf();
    this.schedule();
  }

  /** `+ ` text CRLF, at once: the client waits. */
  continuation(text: string): void {
    this.ascii('+ ').ascii(text).crlf();
    this.send();
  }

  reply(tag: string, { status, code, text }: Reply): void {
    this.ascii(`${tag} ${status} ${code === undefined ? '' : `[${code}] `}${text}`).crlf();
    this.schedule();
  }

  /** Begins a long answer. */
  startSlice(): void {
    this.#sliceStart = performance.now();
  }

  /** Whether pace() has something to do: asked often, answered cheaply. */
  get needsPace(): boolean {
    return this.size > burstBytes || performance.now() - this.#sliceStart > sliceMs;
  }

  /** Between parts of a long answer: sends what is gathered, waits for a slow client, gives others a turn. */
  async pace(): Promise<void> {
    if (this.size > burstBytes) this.send();
    if (this.#connection.isBehind) await this.#connection.drained();
    if (performance.now() - this.#sliceStart > sliceMs) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#sliceStart = performance.now();
    }
  }
}
