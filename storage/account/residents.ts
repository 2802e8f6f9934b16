/**
 * Which accounts are in memory. Each is there once at most, since one log changes an index. One that is asked for comes in; one that nobody watches and that
 * is not used goes after a while, or when there are too many, the one opened longest ago first. Of those that went it is remembered for an hour when they
 * were at the tail of their log, so that coming back asks nothing of the store.
 */
import { StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { Clock } from '../clock.ts';
import type { AccountIndex } from '../index/account-index.ts';
import { tailSeenMsMax } from '../log/limits.ts';
import type { OnJoin } from './api.ts';
import { accountIdleMs, accountsOpenMax, accountsPutAwayShare } from './limits.ts';
import type { Leftover, LiveAccount } from './live-account.ts';
import { LogAccount } from './log-account.ts';

export interface ResidentsPorts {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly onJoin: OnJoin | undefined;
  readonly openMax: number | undefined;
  readonly openIndex: (id: AccountId) => Promise<AccountIndex>;
  /** Of an account that was in memory before; at once, since readers are synchronous. */
  readonly reopenIndex: (id: AccountId) => AccountIndex;
  readonly live: (id: AccountId, index: AccountIndex, leftover: Leftover | undefined) => LiveAccount;
}

interface Resident {
  readonly live: LiveAccount;
  /** The one that listeners and whoever opens get: caches are kept by it. */
  readonly account: LogAccount;
}

export class Residents implements AsyncDisposable {
  readonly #ports: ResidentsPorts;
  /** By when they were opened last, the longest ago first. */
  readonly #residents = new Map<AccountId, Resident>();
  readonly #openings = new Map<AccountId, Promise<LogAccount>>();
  readonly #leftovers = new Map<AccountId, Leftover & { readonly at: number }>();
  readonly #listeners: ((account: LogAccount) => void)[] = [];
  readonly #openMax: number;
  /** Above so many the residents are looked through for some to put away. */
  #crowdedAbove: number;
  #isClosed = false;

  constructor(ports: ResidentsPorts) {
    this.#ports = ports;
    this.#openMax = ports.openMax ?? accountsOpenMax;
    this.#crowdedAbove = this.#openMax;
  }

  async open(id: AccountId): Promise<LogAccount> {
    const resident = this.#residents.get(id);
    if (resident?.live.isReady) return this.#touch(id, resident).account;
    const underway = this.#openings.get(id);
    if (underway !== undefined) return underway;
    this.#refuseWhenClosed();
    const opening = this.#openAnew(id).finally(() => this.#openings.delete(id));
    this.#openings.set(id, opening);
    return opening;
  }

  onOpened(listener: (account: LogAccount) => void): void {
    this.#listeners.push(listener);
    for (const account of this.all()) listener(account);
  }

  all(): readonly LogAccount[] {
    return [...this.#residents.values()].filter(({ live }) => live.isReady).map(({ account }) => account);
  }

  putAwayIdle(forMs: number = accountIdleMs): void {
    const before = this.#ports.clock.monotonic() - forMs;
    for (const { live } of this.#residents.values()) {
      if (live.openedAt < before && live.changedAt < before && live.isIdle) this.#putAway(live);
    }
    this.#crowdedAbove = this.#openMax;
  }

  async #openAnew(id: AccountId): Promise<LogAccount> {
    let resident = this.#residents.get(id);
    if (resident === undefined) {
      const index = await this.#ports.openIndex(id);
      // Whoever still held it may have brought it back meanwhile.
      resident = this.#residents.get(id) ?? this.#moveIn(id, index);
    }
    const { live } = resident;
    try {
      if (!live.log.isFresh) await live.log.refresh();
    } catch (error) {
      if (!live.isReady && !live.isWatched) this.#moveOut(live);
      throw error;
    }
    this.#welcome(resident);
    return resident.account;
  }

  /** For an account that somebody holds and that was put away. */
  readonly #bringBack = (account: LogAccount): LiveAccount => {
    const { id } = account;
    const there = this.#residents.get(id);
    if (there !== undefined) return there.live;
    this.#refuseWhenClosed();
    const resident = this.#moveIn(id, this.#ports.reopenIndex(id), account);
    this.#welcome(resident);
    return resident.live;
  };

  #moveIn(id: AccountId, index: AccountIndex, held?: LogAccount): Resident {
    const { live: build, onJoin } = this.#ports;
    const leftover = this.#leftovers.get(id);
    this.#leftovers.delete(id);
    const live = build(id, index, leftover?.hash === index.position.hash ? leftover : undefined);
    const resident = { live, account: held ?? new LogAccount(id, { live: this.#bringBack, onJoin }) };
    this.#residents.set(id, resident);
    return resident;
  }

  #welcome(resident: Resident): void {
    if (resident.live.isReady) return;
    this.#touch(resident.live.id, resident);
    resident.live.isReady = true;
    for (const listener of this.#listeners) listener(resident.account);
    this.#makeRoom(resident.live);
  }

  #touch(id: AccountId, resident: Resident): Resident {
    resident.live.openedAt = this.#ports.clock.monotonic();
    this.#residents.delete(id);
    this.#residents.set(id, resident);
    return resident;
  }

  #makeRoom(newcomer: LiveAccount): void {
    if (this.#residents.size <= this.#crowdedAbove) return;
    const some = Math.ceil(this.#openMax * accountsPutAwayShare);
    for (const { live } of this.#residents.values()) {
      if (this.#residents.size <= this.#openMax - some) break;
      if (live !== newcomer && live.isIdle) this.#putAway(live);
    }
    // Where most are watched, looking through them at every opening would be for nothing.
    this.#crowdedAbove = this.#residents.size <= this.#openMax ? this.#openMax : this.#residents.size + some;
  }

  #putAway(live: LiveAccount): void {
    const leftover = this.#moveOut(live);
    const at = this.#ports.clock.monotonic();
    if (leftover !== undefined) this.#leftovers.set(live.id, { ...leftover, at });
    for (const [id, old] of this.#leftovers) {
      if (at - old.at < tailSeenMsMax) break;
      this.#leftovers.delete(id);
    }
  }

  #moveOut(live: LiveAccount): Leftover | undefined {
    this.#residents.delete(live.id);
    return live.putAway();
  }

  #refuseWhenClosed(): void {
    if (this.#isClosed) throw new StorageError('unavailable', 'the server is stopping');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#openings.values());
    await Promise.all([...this.#residents.values()].map(({ live }) => live.log.close()));
  }
}
