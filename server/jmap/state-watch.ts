/** The states of an account that a client has heard of, and those that it has not: what EventSource and WebSocket push (RFC 8620 §7.1, RFC 8887 §4.3.5). */
import type { Account } from '../../storage/account/api.ts';
import type { AccountCache } from './account-cache.ts';
import { type StateType, stateString, type TypeStates } from './states.ts';

export interface StateNews {
  /** By type, as a StateChange has them. */
  readonly changed: Readonly<Record<string, string>>;
}

export class StateWatch {
  readonly #account: Account;
  readonly #cache: AccountCache;
  readonly #told = new Map<StateType, number>();
  #upTo: number;

  /** `heard`: the modSeq that the client knows of already; undefined for all up to now. */
  constructor(account: Account, cache: AccountCache, types: readonly StateType[], heard: number | undefined) {
    this.#account = account;
    this.#cache = cache;
    const begun = this.#states();
    this.#upTo = heard ?? begun.upTo;
    for (const type of types) this.#told.set(type, heard === undefined ? begun[type] : Math.min(begun[type], heard));
  }

  /** What the client has not heard yet, which counts as told from now on. */
  news(): StateNews | undefined {
    const states = this.#states();
    this.#upTo = states.upTo;
    const changed: Record<string, string> = {};
    for (const [type, told] of this.#told) {
      if (states[type] <= told) continue;
      changed[type] = stateString(states, type);
      this.#told.set(type, states[type]);
    }
    return Object.keys(changed).length === 0 ? undefined : { changed };
  }

  /** The modSeq that the client has heard up to: `heard` of its next watch. */
  get upTo(): number {
    return this.#upTo;
  }

  #states(): TypeStates {
    return this.#account.read((reader) => this.#cache.states(reader));
  }
}
