/** Chance for the model tests: each throw moves the seeded stream on, so that a run can be replayed. */
import { countingRandom } from '../../support/open-accounts.ts';

export class Dice {
  readonly #fraction: () => number;

  constructor(seed: number) {
    this.#fraction = countingRandom(seed).fraction;
  }

  /** At least 0 and below 1. */
  throw(): number {
    return this.#fraction();
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#fraction() * list.length)]!;
  }

  some<T>(list: readonly T[]): T[] {
    const chance = this.#fraction();
    return list.filter(() => this.#fraction() < chance);
  }

  isLucky(chance: number): boolean {
    return this.#fraction() < chance;
  }

  message(): string {
    return `Subject: ${Math.floor(this.#fraction() * 1e6)}\r\n\r\nx`;
  }
}
