/**
 * Time as an argument: what storage/ and indexer/ know of clocks and timers. The process gives the real one, the simulation its own.
 */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. May jump. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start. Never goes back; on some systems it stands still while the machine sleeps. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
