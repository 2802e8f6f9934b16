/**
 * How many messages are being worked on for each account, and who waits for room: a slow or busy account makes its own mail wait, and nobody
 * else's. What waits holds no place among the messages being worked on.
 */
import type { AccountId } from '../protocol/mail/ids.ts';

export class AccountTurns {
  readonly #max: number;
  readonly #inFlight = new Map<AccountId, number>();
  readonly #waiting = new Map<AccountId, (() => void)[]>();

  constructor(max: number) {
    this.#max = max;
  }

  hasRoom(account: AccountId): boolean {
    return (this.#inFlight.get(account) ?? 0) < this.#max;
  }

  /** Counts from the call on, so that who has just seen that there is room is not overtaken. */
  async take<T>(accounts: Iterable<AccountId>, work: () => Promise<T>): Promise<T> {
    const taken = [...accounts];
    for (const account of taken) this.#inFlight.set(account, (this.#inFlight.get(account) ?? 0) + 1);
    try {
      return await work();
    } finally {
      for (const account of taken) this.#leave(account);
    }
  }

  /** Resolves when there was room, in the order of asking; whoever was woken and came too late asks with `isNext`. */
  room(account: AccountId, isNext: boolean): Promise<void> {
    if (this.hasRoom(account)) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(account);
      if (waiting === undefined) this.#waiting.set(account, [resolve]);
      else if (isNext) waiting.unshift(resolve);
      else waiting.push(resolve);
    });
  }

  #leave(account: AccountId): void {
    const left = this.#inFlight.get(account)! - 1;
    if (left === 0) this.#inFlight.delete(account);
    else this.#inFlight.set(account, left);
    const waiting = this.#waiting.get(account);
    const next = waiting?.shift();
    if (waiting?.length === 0) this.#waiting.delete(account);
    next?.();
  }
}
