/**
 * The simulated world: time, an ordered queue of what happens next, and chance. One seed gives everything, so that a run can be had again.
 *
 * Time stands still while anybody computes: an event runs, every promise that can go on goes on, then the next event is taken. Nothing in a run
 * waits for real time, for I/O or for threads.
 */
import type { Random } from '../../storage/random.ts';
import { seededRandom } from '../support/faulty-random.ts';

export const secondMs = 1000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

interface Event {
  readonly at: number;
  /** Among events of the same time, in the order in which they were scheduled. */
  readonly order: number;
  readonly run: () => void;
}

export class World {
  now = Date.UTC(2026, 11, 1);
  /** No more faults, and nobody begins anything new. */
  isCalm = false;
  readonly random: Random;
  readonly failures: string[] = [];
  readonly #trace: ((line: string) => void) | undefined;
  readonly #start = this.now;
  readonly #queue: Event[] = [];
  #order = 0;

  constructor(seed: number, trace?: (line: string) => void) {
    this.random = seededRandom(seed);
    this.#trace = trace;
  }

  schedule(delayMs: number, run: () => void): void {
    const event = { at: this.now + Math.max(0, Math.round(delayMs)), order: this.#order++, run };
    const queue = this.#queue;
    let at = queue.push(event) - 1;
    for (let parent = (at - 1) >> 1; at > 0 && isBefore(event, queue[parent]!); at = parent, parent = (at - 1) >> 1) {
      queue[at] = queue[parent]!;
      queue[parent] = event;
    }
  }

  /** Runs until `untilMs` have passed since the start, or until nothing is left to happen. */
  async run(untilMs = Number.POSITIVE_INFINITY): Promise<void> {
    const until = this.#start + untilMs;
    await quiet();
    while (this.#queue.length > 0 && this.#queue[0]!.at <= until) {
      const event = this.#take();
      this.now = event.at;
      event.run();
      await quiet();
    }
  }

  trace(line: () => string): void {
    this.#trace?.(`${((this.now - this.#start) / dayMs).toFixed(6)}d ${line()}`);
  }

  fail(what: string): void {
    this.trace(() => `FAILED: ${what}`);
    this.failures.push(what);
  }

  chance(probability: number): boolean {
    return this.random.fraction() < probability;
  }

  between(from: number, to: number): number {
    return from + (to - from) * this.random.fraction();
  }

  whole(from: number, to: number): number {
    return Math.floor(this.between(from, to + 1));
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random.fraction() * items.length)]!;
  }

  #take(): Event {
    const queue = this.#queue;
    const first = queue[0]!;
    const last = queue.pop()!;
    if (queue.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= queue.length) break;
      if (child + 1 < queue.length && isBefore(queue[child + 1]!, queue[child]!)) child++;
      if (!isBefore(queue[child]!, last)) break;
      queue[at] = queue[child]!;
      at = child;
    }
    queue[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Resolves when every promise that could go on has. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
