/** A clock that a test moves: sleep() moves it too, so that what waits is over at once and can be read off. */
import type { Clock } from '../../storage/clock.ts';

export class ManualClock implements Clock {
  #ms = 0;
  /** Milliseconds of every sleep. */
  readonly sleeps: number[] = [];
  /** Set: sleep() is over at once and takes no time. */
  isFrozen = false;

  now(): number {
    return 1_800_000_000_000 + Math.floor(this.#ms);
  }

  monotonic(): number {
    return this.#ms;
  }

  async sleep(ms: number): Promise<void> {
    this.sleeps.push(ms);
    if (!this.isFrozen) this.advance(ms);
  }

  advance(ms: number): void {
    this.#ms += ms;
  }
}
