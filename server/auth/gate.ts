/** Lets a bounded number of tasks run at a time and a bounded number wait, first come first served. */
import { MailError } from '../../protocol/mail/errors.ts';

export class Gate {
  readonly #parallelMax: number;
  readonly #waitingMax: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(parallelMax: number, waitingMax: number) {
    this.#parallelMax = parallelMax;
    this.#waitingMax = waitingMax;
  }

  /** Rejects with MailError 'limit' when too many wait already. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#parallelMax) this.#running++;
    else {
      if (this.#waiting.length >= this.#waitingMax) throw new MailError('limit', 'Too many logins at once: try again in a moment.');
      // The place is handed over by whoever finishes: #running stays as it is.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
