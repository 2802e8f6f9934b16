/**
 * Turns at something that takes a few at once. Who would wait longer than a claim on a submission allows (indexer/outbox/limits.ts) is told so, and comes
 * again: another node must not take the claim over while its holder still stands in line.
 */
import { relayWaitMsMax } from '../../../indexer/outbox/limits.ts';
import type { Clock } from '../../../storage/clock.ts';

export class Turns {
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(atOnce: number, clock: Pick<Clock, 'sleep'>) {
    this.#free = atOnce;
    this.#clock = clock;
  }

  /** Disposing of the turn gives it back; undefined when none came free in time. */
  async take(): Promise<Disposable | undefined> {
    if (this.#free > 0) this.#free -= 1;
    else if (!(await this.#wait())) return undefined;
    return { [Symbol.dispose]: () => this.#giveBack() };
  }

  async #wait(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<true>();
    const wake = () => resolve(true);
    this.#waiting.push(wake);
    const late = new AbortController();
    const isTurn = await Promise.race([
      promise,
      this.#clock.sleep(relayWaitMsMax, late.signal).then(
        () => false,
        () => false,
      ),
    ]);
    late.abort();
    if (isTurn) return true;
    const at = this.#waiting.indexOf(wake);
    // It came in the same turn of the event loop as the end of the wait.
    if (at < 0) return true;
    this.#waiting.splice(at, 1);
    return false;
  }

  #giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
