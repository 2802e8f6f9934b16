/**
 * How long ago something was, by whichever clock says most: the monotonic one stands still while some machines sleep, the wall clock may be set
 * back, the store's Date moves only when the store answers. A rule that says "less than an hour ago" must not be broken by any of them.
 */
import type { Clock } from '../clock.ts';

export class Elapsed {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly #wall: number;
  readonly #monotonic: number;
  #firstDate: number | undefined;
  #lastDate: number | undefined;

  /** Begins now: before the request is sent whose answer the time is measured from. */
  constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock;
    this.#wall = clock.now();
    this.#monotonic = clock.monotonic();
  }

  /** The store's Date in an answer; the first is the beginning. */
  sawDate(date: number): void {
    this.#firstDate ??= date;
    this.#lastDate = Math.max(this.#lastDate ?? date, date);
  }

  get ms(): number {
    const byStore = (this.#lastDate ?? 0) - (this.#firstDate ?? 0);
    return Math.max(this.#clock.monotonic() - this.#monotonic, this.#clock.now() - this.#wall, byStore);
  }
}
