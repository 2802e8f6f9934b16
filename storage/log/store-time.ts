/**
 * How long ago something was, by whichever clock says most: the monotonic one stands still while some machines sleep, the wall clock may be set
 * back, the store's Date is known only when the store answers.
 */
import type { Clock } from '../clock.ts';

export interface Moment {
  readonly monotonic: number;
  readonly wall: number;
  /** By the store's clock; what is not known exactly is taken too early. */
  readonly store: number;
}

export class StoreTime {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  /** The latest Date of an answer, and our clocks when it was there. */
  #latest: Moment | undefined;

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>, latest?: Moment) {
    this.#clock = clock;
    this.#latest = latest;
  }

  get latest(): Moment | undefined {
    return this.#latest;
  }

  /** Our clocks now: taken before a request is sent, and completed by `withStore` when its answer says what the store's clock was. */
  mark(): Moment {
    return { monotonic: this.#clock.monotonic(), wall: this.#clock.now(), store: 0 };
  }

  sawDate(date: number): void {
    if (this.#latest === undefined || date >= this.#latest.store) this.#latest = { ...this.mark(), store: date };
  }

  /** When `lastModified` was, by our clocks, if the store's said `date` at `mark`. */
  atLastModified(mark: Moment, date: number, lastModified: number): Moment {
    const age = Math.max(0, date - lastModified);
    return { monotonic: mark.monotonic - age, wall: mark.wall - age, store: Math.min(date, lastModified) };
  }

  ageMs(moment: Moment): number {
    const now = this.mark();
    const byStore = (this.#latest?.store ?? 0) - moment.store;
    return Math.max(now.monotonic - moment.monotonic, now.wall - moment.wall, byStore);
  }

  /** Age of what the store wrote at `date`: its latest Date and what has passed since by the clock that says most. */
  ageOfDateMs(date: number): number {
    if (this.#latest === undefined) return 0;
    const now = this.mark();
    const since = Math.max(0, now.monotonic - this.#latest.monotonic, now.wall - this.#latest.wall);
    return this.#latest.store + since - date;
  }
}
