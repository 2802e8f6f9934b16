/**
 * What one source of events has in memory for accounts that are busy. Bounded in bytes, and shared out so that an account may hold as much as is
 * still free: one alone gets half of the room, and whoever comes next always finds some.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import { waitingBytesMax } from '../limits.ts';

export class BusyMail {
  readonly #bytesMax: number;
  readonly #held = new Map<AccountId, number>();
  #bytes = 0;

  constructor(bytesMax = waitingBytesMax) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `isLast`: it cannot go back, and may have whatever room there is. */
  enter(account: AccountId, bytes: number, isLast: boolean): boolean {
    const held = this.#held.get(account) ?? 0;
    const free = this.#bytesMax - this.#bytes - bytes;
    if (free < 0 || (!isLast && held > free)) return false;
    this.#held.set(account, held + bytes);
    this.#bytes += bytes;
    return true;
  }

  leave(account: AccountId, bytes: number): void {
    const left = (this.#held.get(account) ?? 0) - bytes;
    if (left > 0) this.#held.set(account, left);
    else this.#held.delete(account);
    this.#bytes -= bytes;
  }
}
