/**
 * Work that goes on beside serving: each task runs again and again with a pause between, never twice at once. A failure is logged and the task
 * goes on at its next turn. Stopping gives the running turns up and waits for them.
 */
import type { Clock } from '../storage/clock.ts';
import type { Random } from '../storage/random.ts';
import type { Logger } from './logger.ts';

export interface BackgroundPorts {
  readonly clock: Clock;
  readonly random: Pick<Random, 'fraction'>;
  readonly logger: Logger;
}

export interface Task {
  /** For the log: `directory refresh`. */
  readonly name: string;
  /** Milliseconds between the end of a turn and the next. A tenth of it is left to chance, so that nodes do not keep step. */
  readonly pauseMs: number;
  /** Before the first turn. Default: pauseMs. */
  readonly firstMs?: number;
  readonly run: (signal: AbortSignal) => Promise<unknown>;
}

export class Background implements AsyncDisposable {
  readonly #ports: BackgroundPorts;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(ports: BackgroundPorts) {
    this.#ports = ports;
  }

  repeat(task: Task): void {
    const running = this.#repeat(task).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #repeat({ name, pauseMs, firstMs = pauseMs, run }: Task): Promise<void> {
    const { clock, random, logger } = this.#ports;
    const { signal } = this.#stop;
    let waitMs = firstMs;
    while (!signal.aborted) {
      try {
        await clock.sleep(waitMs * (0.9 + 0.1 * random.fraction()), signal);
        await run(signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn('Background work failed and will be tried again.', { task: name, error });
      }
      waitMs = pauseMs;
    }
  }
}
