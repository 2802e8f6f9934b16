/**
 * The states of all accounts that a login reaches, for one stream of pushes (RFC 8620 §7.1): its own, and those of which mailboxes are shared with it.
 * Rights come and go while it runs. Who is given some is told in his own account (a share notification), and who loses some by the account that
 * they were on; at each of these, and now and then, it is looked up anew which accounts there are.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import { shareNotificationType } from '../../protocol/mail/share-notification.ts';
import type { Account, Effect } from '../../storage/account/api.ts';
import type { Identity } from '../auth/authenticator.ts';
import { cacheOf } from './account-cache.ts';
import type { ReachableAccount } from './reachable.ts';
import type { JmapServices } from './services.ts';
import { StateWatch } from './state-watch.ts';
import type { StateType } from './states.ts';

/** Up to which modSeq a client has heard of each account: `17`, its own; `17;a5=3`, and others. */
export type Heard = ReadonlyMap<AccountId | 'own', number>;

/** undefined for what is none of ours. */
export function parseHeard(text: string): Heard | undefined {
  if (!/^\d{1,15}(?:;[A-Za-z0-9_-]{1,255}=\d{1,15})*$/.test(text)) return undefined;
  const [own, ...others] = text.split(';');
  const entries = others.map((entry) => entry.split('=') as [AccountId, string]);
  return new Map<AccountId | 'own', number>([['own', Number(own)], ...entries.map(([id, modSeq]) => [id, Number(modSeq)] as const)]);
}

export interface ReachNews {
  /** By account and type, as a StateChange has them. */
  readonly changed: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What the client has heard of with them, for parseHeard. */
  readonly upTo: string;
}

export interface ReachWatchOptions {
  readonly own: Account;
  /** The accounts that the login reaches now. */
  readonly reach: () => Promise<readonly ReachableAccount[]>;
  readonly types: readonly StateType[];
  /** undefined: all up to now. */
  readonly heard: Heard | undefined;
  /** There may be news. Told when the state that they lead to can be read. */
  readonly onChange: () => void;
  readonly onFailure: (error: unknown) => void;
}

interface Watched {
  readonly account: Account;
  readonly states: StateWatch;
  readonly watch: Disposable;
}

export class ReachWatch implements Disposable {
  /** Of a login. */
  static of(
    services: JmapServices,
    identity: Identity,
    own: Account,
    options: Pick<ReachWatchOptions, 'types' | 'heard' | 'onChange'>,
  ): ReachWatch {
    return new ReachWatch({
      ...options,
      own,
      reach: () => services.reachableAccounts(identity),
      onFailure: (error) => services.logger.warn('The accounts that a login reaches could not be looked up.', { account: own.id, error }),
    });
  }

  readonly #options: ReachWatchOptions;
  readonly #own: Watched;
  readonly #others = new Map<AccountId, Watched>();
  #isLooking = false;
  #isToLookAgain = false;
  #isOver = false;

  constructor(options: ReachWatchOptions) {
    this.#options = options;
    const { own, heard } = options;
    this.#own = this.#watch(own, heard?.get('own'), ({ objects }) => objects.some(({ type }) => type === shareNotificationType));
    this.look();
  }

  /** What the client has not heard yet, which counts as told from now on. */
  news(): ReachNews | undefined {
    const changed: Record<string, Readonly<Record<string, string>>> = {};
    for (const { account, states } of [this.#own, ...this.#others.values()]) {
      const news = states.news();
      if (news !== undefined) changed[account.id] = news.changed;
    }
    if (Object.keys(changed).length === 0) return undefined;
    const others = Array.from(this.#others.values(), ({ account, states }) => `;${account.id}=${states.upTo}`);
    return { changed, upTo: [this.#own.states.upTo, ...others].join('') };
  }

  /** Finds out which accounts there are now; those that are new tell their news when they are open. */
  look(): void {
    this.#isToLookAgain = true;
    if (this.#isLooking || this.#isOver) return;
    this.#isLooking = true;
    this.#lookWhileAsked()
      .catch(this.#options.onFailure)
      .finally(() => {
        this.#isLooking = false;
      });
  }

  async #lookWhileAsked(): Promise<void> {
    while (this.#isToLookAgain && !this.#isOver) {
      this.#isToLookAgain = false;
      const reached = await this.#options.reach();
      const found = new Map<AccountId, Account>();
      for (const { id, isInSession, open } of reached) if (isInSession && id !== this.#options.own.id) found.set(id, await open());
      if (this.#isOver) return;
      this.#settle(found);
    }
  }

  #settle(found: ReadonlyMap<AccountId, Account>): void {
    for (const [id, { account, watch }] of this.#others) {
      if (found.get(id) === account) continue;
      watch[Symbol.dispose]();
      this.#others.delete(id);
    }
    const { heard, onChange } = this.#options;
    for (const [id, account] of found) {
      if (this.#others.has(id)) continue;
      // Who said what he has heard of and did not name it does not know it yet.
      this.#others.set(id, this.#watch(account, heard === undefined ? undefined : (heard.get(id) ?? 0), isOfMailboxes));
    }
    onChange();
  }

  #watch(account: Account, heard: number | undefined, isReasonToLook: (effect: Effect) => boolean): Watched {
    const { types, onChange } = this.#options;
    const states = new StateWatch(account, cacheOf(account), types, heard);
    // Effects are told before the state that they lead to may be read again.
    const soon = (shallLook: boolean) =>
      queueMicrotask(() => {
        if (this.#isOver) return;
        if (shallLook) this.look();
        onChange();
      });
    const watch = account.watch(
      (effects) => soon(effects.some(isReasonToLook)),
      () => soon(true),
    );
    return { account, states, watch };
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const { watch } of [this.#own, ...this.#others.values()]) watch[Symbol.dispose]();
  }
}

const isOfMailboxes = ({ mailboxes }: Effect): boolean => mailboxes.some(({ record }) => record !== undefined);
