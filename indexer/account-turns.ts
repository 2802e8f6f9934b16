/**
 * How many messages are being worked on for each account, and who waits for room: a slow or busy account makes its own mail wait, and nobody
 * else's. What waits holds no place among the messages being worked on.
 */
import type { AccountId } from '../protocol/mail/ids.ts';

export class AccountTurns {
  readonly #max: number;
  readonly #inFlight = new Map<AccountId, number>();
  readonly #waiting = new Map<AccountId, (() => void)[]>();
  /** Accounts without room. */
  #full = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether some account has no room. */
  get isAnyFull(): boolean {
    return this.#full > 0;
  }

  hasRoom(account: AccountId): boolean {
    return (this.#inFlight.get(account) ?? 0) < this.#max;
  }

  /** Counts from the call on, so that who has just seen that there is room is not overtaken. */
  async take<T>(accounts: Iterable<AccountId>, work: () => Promise<T>): Promise<T> {
    const taken = [...accounts];
    for (const account of taken) this.#enter(account);
    try {
      return await work();
    } finally {
      for (const account of taken) this.#leave(account);
    }
  }

  /** Resolves when there was room, in the order of asking, or when the signal is given; whoever was woken and came too late asks with `isNext`. */
  async room(account: AccountId, isNext: boolean, signal?: AbortSignal): Promise<void> {
    if (this.hasRoom(account) || signal?.aborted === true) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(account) ?? [];
    this.#waiting.set(account, waiting);
    if (isNext) waiting.unshift(resolve);
    else waiting.push(resolve);
    const giveUp = () => {
      const place = waiting.indexOf(resolve);
      // Woken already: the next one has the room.
      if (place < 0) this.#wake(account);
      else waiting.splice(place, 1);
      resolve();
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    await promise;
    signal?.removeEventListener('abort', giveUp);
  }

  /** The same once each of them has room; until then none of them is taken. */
  async takeInTurn<T>(accounts: Iterable<AccountId>, work: () => Promise<T>): Promise<T> {
    const wanted = [...accounts];
    for (let woken: AccountId | undefined; ; ) {
      const busy = wanted.find((account) => !this.hasRoom(account));
      // Whoever was woken and goes on waiting for another account lets the next one pass.
      if (woken !== undefined && busy !== undefined && woken !== busy) this.#wake(woken);
      if (busy === undefined) return this.take(wanted, work);
      await this.room(busy, woken === busy);
      woken = busy;
    }
  }

  #enter(account: AccountId): void {
    const entered = (this.#inFlight.get(account) ?? 0) + 1;
    if (entered === this.#max) this.#full++;
    this.#inFlight.set(account, entered);
  }

  #leave(account: AccountId): void {
    const left = this.#inFlight.get(account)! - 1;
    if (left === this.#max - 1) this.#full--;
    if (left === 0) this.#inFlight.delete(account);
    else this.#inFlight.set(account, left);
    this.#wake(account);
  }

  #wake(account: AccountId): void {
    const waiting = this.#waiting.get(account);
    const next = waiting?.shift();
    if (waiting?.length === 0) this.#waiting.delete(account);
    next?.();
  }
}
