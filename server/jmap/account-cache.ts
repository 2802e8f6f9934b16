/** What the face remembers of an open account: nothing that could not be read again. It goes with the account. */
import type { Account, AccountReader } from '../../storage/account/api.ts';
import { rememberedEmailsMax, rememberedListsMax, rememberedVerdictsMax, smimeRememberedMax } from './limits.ts';
import type { BitSet } from './search/bit-set.ts';
import type { SmimeResult } from './smime/status.ts';
import { statesOf, type TypeStates } from './states.ts';

/** A map that forgets what was not asked for the longest. */
export class Remembered<V> {
  readonly #max: number;
  readonly #values = new Map<string | number, V>();

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string | number): V | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  set(key: string | number, value: V): V {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#max) this.#values.delete(this.#values.keys().next().value!);
    return value;
  }
}

/** A result list before paging, at a state of Email. */
export interface RememberedList {
  emailState: number;
  readonly emails: Uint32Array;
  readonly threads: Uint32Array;
  collapsed?: Uint32Array;
  /** The same emails, to look one up. */
  members?: BitSet;
}

export interface ThreadCounts {
  readonly emailState: number;
  readonly byMailbox: ReadonlyMap<number, { readonly total: number; readonly unread: number }>;
}

export class AccountCache {
  readonly lists = new Remembered<RememberedList>(rememberedListsMax);
  /** Verdicts of text conditions by email number: 0 not known, 1 no, 2 yes. */
  readonly verdicts = new Remembered<{ bytes: Uint8Array }>(rememberedVerdictsMax);
  /** Verified signatures by email number; `smimeVersion` rises where one becomes another. */
  readonly smime = new Remembered<SmimeResult>(smimeRememberedMax);
  smimeVersion = 0;
  /** List properties of emails, which never change. */
  readonly emails = new Remembered<Map<string, unknown>>(rememberedEmailsMax);
  /** Sort keys by property and email number. */
  readonly sortKeys = new Map<string, Map<number, string>>();
  /** By email number: 0 not known, 1 no, 2 yes. */
  attachments = new Uint8Array(0);
  threadCounts: ThreadCounts | undefined;
  /** What was uploaded since it was last seen to that not too much is kept. */
  readonly uploadRoom = { count: 0, bytes: 0, lookedAt: Number.NEGATIVE_INFINITY };
  requests = 0;
  uploads = 0;
  eventSources = 0;
  webSockets = 0;
  #states: TypeStates | undefined;

  /** For a reader of the applied state. */
  states(reader: AccountReader): TypeStates {
    this.#states = statesOf(reader, this.#states);
    return this.#states;
  }

  /** For a mutation's reader, whose state may never come true. */
  statesInside(reader: AccountReader): TypeStates {
    return statesOf(reader, this.#states);
  }
}

const caches = new WeakMap<Account, AccountCache>();

export function cacheOf(account: Account): AccountCache {
  let cache = caches.get(account);
  if (cache === undefined) caches.set(account, (cache = new AccountCache()));
  return cache;
}

/** `bytes` with room for index `at`. */
export function roomFor(bytes: Uint8Array, at: number): Uint8Array {
  if (at < bytes.length) return bytes;
  const larger = new Uint8Array(Math.max(1024, at + 1, Math.ceil(bytes.length * 1.5)));
  larger.set(bytes);
  return larger;
}
