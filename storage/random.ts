/** Chance as an argument. The process gives node:crypto, the simulation a seeded generator. */
export interface Random {
  /** `count` random bytes, as 2 × count lower-case hex digits. */
  hex(count: number): string;
  /** A float in [0, 1): jitter and back-off, nothing secret. */
  fraction(): number;
}
