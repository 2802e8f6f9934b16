/**
 * A simulated process: its clocks, and its being stopped, asleep or gone. Whatever happens to it while it is stopped happens when it goes on.
 */
import type { Clock } from '../../storage/clock.ts';
import { dayMs, hourMs, minuteMs, type World } from './world.ts';

/**
 * How a process stands still. `stopped`: its clocks go on (SIGSTOP, a long garbage collection). `suspended`: the monotonic clock stands still (a
 * laptop's lid). `paused`: all its clocks do (a virtual machine), and the wall clock is put right some minutes after.
 */
export type Standstill = 'stopped' | 'suspended' | 'paused';

export class Process {
  readonly name: string;
  readonly world: World;
  readonly clock: Clock;
  isAlive = true;
  /** The wall clock's error. */
  #skew: number;
  #lostMonotonic = 0;
  #lostWall = 0;
  #standsStillUntil = 0;
  readonly #bootedAt: number;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.#skew = Math.round(world.between(-5 * minuteMs, 5 * minuteMs));
    this.#bootedAt = world.now - Math.round(world.between(0, 100 * dayMs));
    this.clock = {
      now: () => world.now + this.#skew - this.#lostWall,
      monotonic: () => world.now - this.#bootedAt - this.#lostMonotonic,
      sleep: (ms) => new Promise((resolve) => this.later(ms, resolve)),
    };
  }

  /** Runs `run` in the process after `ms`; never, when it is gone by then. */
  later(ms: number, run: () => void): void {
    this.world.schedule(ms, () => this.#deliver(run));
  }

  standStill(): void {
    const { world } = this;
    const ms = Math.round(
      world.pick([
        () => world.between(minuteMs, 20 * minuteMs),
        () => world.between(30 * minuteMs, 3 * hourMs),
        () => world.between(3 * hourMs, 10 * dayMs),
        () => world.between(33 * dayMs, 60 * dayMs),
      ])(),
    );
    const how = world.pick<Standstill>(['stopped', 'suspended', 'paused']);
    world.trace(() => `${this.name} is ${how} for ${(ms / hourMs).toFixed(2)} h`);
    this.#standsStillUntil = Math.max(this.#standsStillUntil, world.now + ms);
    world.schedule(ms, () => {
      if (how !== 'stopped') this.#lostMonotonic += ms;
      if (how !== 'paused') return;
      this.#lostWall += ms;
      world.schedule(world.between(10, 10 * minuteMs), () => {
        this.#lostWall = 0;
      });
    });
  }

  crash(): void {
    if (this.isAlive) this.world.trace(() => `${this.name} crashes`);
    this.isAlive = false;
  }

  #deliver(run: () => void): void {
    if (!this.isAlive) return;
    if (this.#standsStillUntil > this.world.now) this.world.schedule(this.#standsStillUntil - this.world.now, () => this.#deliver(run));
    else run();
  }
}
