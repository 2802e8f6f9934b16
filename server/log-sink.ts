/**
 * Where the log's lines go: gathered for a moment, then written together, since a write for each delivery's line would take longer than to make
 * the line. Whoever knows that a line is wanted at once (logger.ts does, from `warn` on), or that the process ends, calls flush().
 *
 * Written is what one write to a pipe takes whole or not at all, so that no line is cut. A reader that is slow makes lines wait, up to a bound
 * beyond which they are lost; one that has gone away costs the lines and nothing more.
 */
import { logGatherMs, logWaitingBytesMax, logWriteBytesMax } from './limits.ts';

export interface LogSinkOptions {
  /** Writes the text whole, or throws. */
  readonly write: (text: string) => void;
  /** Somebody is watching: each line goes out at once. */
  readonly isWatched: boolean;
}

export class LogSink {
  readonly #options: LogSinkOptions;
  /** Texts of lines, the oldest first, each no larger than one write may be where it has more than one line. */
  readonly #waiting: { text: string; bytes: number }[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LogSinkOptions) {
    this.#options = options;
  }

  /** Takes a line, newline included. */
  readonly write = (line: string): void => {
    const bytes = Buffer.byteLength(line);
    const last = this.#waiting.at(-1);
    const isShared = last !== undefined && last.bytes + bytes <= logWriteBytesMax;
    if (!isShared) this.flush();
    if (this.#waiting.length > 0 && this.#bytes + bytes > logWaitingBytesMax) return;
    if (isShared) {
      last.text += line;
      last.bytes += bytes;
    } else this.#waiting.push({ text: line, bytes });
    this.#bytes += bytes;
    if (this.#options.isWatched) this.flush();
    else this.#flushSoon();
  };

  /** Writes what waits, as far as it can be written now. */
  readonly flush = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.length > 0) {
      const { text, bytes } = this.#waiting[0]!;
      try {
        this.#options.write(text);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') {
          this.#flushSoon();
          return;
        }
      }
      this.#waiting.shift();
      this.#bytes -= bytes;
    }
  };

  #flushSoon(): void {
    this.#timer ??= setTimeout(this.flush, logGatherMs).unref();
  }
}
