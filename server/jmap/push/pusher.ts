/**
 * Pushes new states to the subscribers of every open account (RFC 8620 §7.2). A subscriber has one push under way at most; what changes meanwhile is told
 * together afterwards, so nothing queues. What a push service does not take is tried again some times, with the newest states; a subscription that it does
 * not know any more is removed.
 */

import { sharedSubscriptionType } from '../../../protocol/mail/acl.ts';
import type { AccountId } from '../../../protocol/mail/ids.ts';
import type { Account, AccountReader, Effect } from '../../../storage/account/api.ts';
import type { Clock } from '../../../storage/clock.ts';
import { type SharedAccount, sharedAccount } from '../../../storage/sharing/shared-account.ts';
import { type ProofDirectory, proofHolds } from '../../auth/proof.ts';
import type { Logger } from '../../logger.ts';
import { cacheOf } from '../account-cache.ts';
import { pushesParallelMax, pushRetriesMs, verificationsMax, verificationsWindowMs } from '../limits.ts';
import { StateWatch } from '../state-watch.ts';
import { type StateType, stateTypes } from '../states.ts';
import type { PushAnswer, PushSender } from './sender.ts';
import { liveSubscription, liveSubscriptions, type PushSubscriptionRecord, subscriptionType } from './subscription.ts';

export interface PusherPorts {
  readonly sender: PushSender;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whose passwords hold. */
  readonly directory: ProofDirectory;
  /** Opens an account, which is then attached. */
  readonly open: (account: AccountId) => Promise<Account>;
}

interface Subscriber {
  readonly id: string;
  /** Compared with what is kept: another means that the subscription changed. */
  readonly types: string;
  readonly watched: readonly StateType[];
  readonly watch: StateWatch;
  /** Of accounts of which something is shared and that have changed, by their owners: those go out of memory and come back as others. */
  readonly shared: Map<AccountId, { readonly of: SharedAccount; readonly states: StateWatch }>;
  isBusy: boolean;
}

interface Attached {
  readonly account: Account;
  readonly watch: Disposable;
  subscribers: Map<string, Subscriber>;
  /** Monotonic times of verifications sent. */
  verifications: number[];
}

export class Pusher implements AsyncDisposable {
  readonly #ports: PusherPorts;
  readonly #attached = new Map<AccountId, Attached>();
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #sending = 0;

  constructor(ports: PusherPorts) {
    this.#ports = ports;
  }

  get sender(): PushSender {
    return this.#ports.sender;
  }

  /** Takes an opened account in. Every account that this node opens is given. */
  attach(account: Account): void {
    const before = this.#attached.get(account.id);
    if (before?.account === account || this.#stop.signal.aborted) return;
    before?.watch[Symbol.dispose]();
    // Effects are told before the state that they lead to may be read again.
    const soon = (effects: readonly Effect[] = []) =>
      queueMicrotask(() => {
        this.#follow(attached);
        this.#tellSharees(account, effects[0]);
      });
    // What changes the account brings it back into memory first, and so here: until then nobody needs to be told.
    const loose = { isBusy: () => this.#isBusy(attached), onPutAway: () => void this.#attached.delete(account.id) };
    const attached: Attached = { account, watch: account.watch(soon, () => soon(), loose), subscribers: new Map(), verifications: [] };
    this.#attached.set(account.id, attached);
    this.#look(attached);
  }

  /** A push is under way, or verifications count against the limit. */
  #isBusy({ subscribers, verifications }: Attached): boolean {
    const since = this.#ports.clock.monotonic() - verificationsWindowMs;
    return [...subscribers.values()].some(({ isBusy }) => isBusy) || verifications.some((at) => at > since);
  }

  /** Whether one more verification may be sent for this account now: a client could name any url (RFC 8620 §8.7). Counts it. */
  mayVerify(account: Account): boolean {
    this.attach(account);
    const attached = this.#attached.get(account.id);
    if (attached === undefined) return false;
    const now = this.#ports.clock.monotonic();
    attached.verifications = attached.verifications.filter((at) => now - at < verificationsWindowMs);
    if (attached.verifications.length >= verificationsMax) return false;
    attached.verifications.push(now);
    return true;
  }

  /** RFC 8620 §7.2.2. */
  verify(account: Account, id: string): void {
    this.attach(account);
    const record = account.read((reader) => reader.object<PushSubscriptionRecord>(subscriptionType, id));
    if (record === undefined) return;
    const message = { '@type': 'PushVerification', pushSubscriptionId: id, verificationCode: record.code };
    this.#own(this.#deliver(account, id, () => message).then(() => undefined));
  }

  #follow(attached: Attached): void {
    if (this.#stop.signal.aborted) return;
    this.#look(attached);
    for (const subscriber of attached.subscribers.values()) this.#tell(attached.account, subscriber);
  }

  /** Knows the subscriptions that are verified, and from what state on they hear. */
  #look({ account, subscribers }: Attached): void {
    const seen = new Set<string>();
    const ended: string[] = [];
    account.read((reader) => {
      for (const { id, value } of liveSubscriptions(reader, this.#ports.clock.now())) {
        if (!this.#holds(account, value)) ended.push(id);
        else if (value.isVerified) seen.add(id);
        if (!seen.has(id)) continue;
        const types = JSON.stringify(value.types);
        if (subscribers.get(id)?.types === types) continue;
        const watched = value.types === null ? stateTypes : stateTypes.filter((type) => value.types!.includes(type));
        const watch = new StateWatch(account, cacheOf(account), watched, undefined);
        subscribers.set(id, { id, types, watched, watch, shared: new Map(), isBusy: false });
      }
    });
    for (const id of subscribers.keys()) if (!seen.has(id)) subscribers.delete(id);
    for (const id of ended) this.#own(this.#remove(account, id).then(() => undefined));
  }

  /** RFC 9670 §1.4: those who have subscribed to something of the account hear of it too, by the subscriptions of their own accounts. */
  #tellSharees(owner: Account, first: Effect | undefined): void {
    if (first === undefined || this.#stop.signal.aborted) return;
    for (const viewer of owner.read(subscribersOf)) this.#own(this.#tellSharee(owner, viewer, first.modSeq - 1));
  }

  async #tellSharee(owner: Account, viewer: AccountId, heard: number): Promise<void> {
    const sharee = await this.#ports.open(viewer);
    this.attach(sharee);
    const of = sharedAccount(owner, viewer);
    for (const subscriber of this.#attached.get(viewer)?.subscribers.values() ?? []) {
      const { shared, watched } = subscriber;
      if (!shared.has(owner.id)) shared.set(owner.id, { of, states: new StateWatch(of, cacheOf(of), watched, heard) });
      this.#tell(sharee, subscriber);
    }
  }

  #tell(account: Account, subscriber: Subscriber): void {
    if (subscriber.isBusy) return;
    const changed: Record<string, Record<string, string>> = {};
    const message = () => {
      for (const [id, news] of newsOf(account, subscriber)) changed[id] = { ...changed[id], ...news };
      return { '@type': 'StateChange', changed };
    };
    message();
    if (Object.keys(changed).length === 0) return;
    subscriber.isBusy = true;
    const work = this.#deliver(account, subscriber.id, message).finally(() => {
      subscriber.isBusy = false;
    });
    this.#own(
      work.then((isAlive) => {
        if (isAlive) this.#tell(account, subscriber);
      }),
    );
  }

  /** Resolves to whether the subscription is still there. */
  async #deliver(account: Account, id: string, message: () => object): Promise<boolean> {
    const { clock, logger, sender } = this.#ports;
    for (let attempt = 0; ; attempt += 1) {
      const target = account.read((reader) => liveSubscription(reader, id, clock.now()));
      if (target === undefined || this.#stop.signal.aborted) return false;
      if (!this.#holds(account, target)) return await this.#remove(account, id);
      const answer = await this.#inTurn(() => sender.send(target, message()));
      if (answer.kind === 'taken') return true;
      if (answer.kind === 'gone') return await this.#remove(account, id);
      const pauseMs = pushRetriesMs[attempt];
      if (answer.kind === 'refused' || pauseMs === undefined) {
        logger.info('A push was given up.', { account: account.id, subscription: id, why: answer.why });
        return true;
      }
      await clock.sleep(Math.min(Math.max(pauseMs, answer.afterMs ?? 0), pushRetriesMs.at(-1)!), this.#stop.signal);
    }
  }

  /** RFC 8620 §7.2: a subscription ends with the credentials that made it. */
  #holds(account: Account, { proof }: PushSubscriptionRecord): boolean {
    return proofHolds(this.#ports.directory, this.#ports.clock.now(), account.id, proof);
  }

  async #remove(account: Account, id: string): Promise<false> {
    await account.transact((tx) => {
      if (tx.object(subscriptionType, id) !== undefined) tx.removeObject(subscriptionType, id);
    });
    return false;
  }

  /** Some at once; each subscriber waits here once at most. */
  async #inTurn(send: () => Promise<PushAnswer>): Promise<PushAnswer> {
    if (this.#sending < pushesParallelMax) this.#sending += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await send();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#sending -= 1;
      else next();
    }
  }

  #own(work: Promise<void>): void {
    const running = work
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) this.#ports.logger.warn('A push failed.', { error });
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const { watch } of this.#attached.values()) watch[Symbol.dispose]();
    await Promise.all(this.#running);
  }
}

/** States of the account and of those that are shared with it, by account. */
function* newsOf(account: Account, { watch, shared }: Subscriber): Generator<readonly [AccountId, Readonly<Record<string, string>>]> {
  const own = watch.news();
  if (own !== undefined) yield [account.id, own.changed];
  for (const [owner, { of, states }] of shared) {
    if (!of.owner.read(subscribersOf).has(of.viewer)) shared.delete(owner);
    const news = shared.has(owner) ? states.news() : undefined;
    if (news !== undefined) yield [of.id, news.changed];
  }
}

/** Accounts that have subscribed to something of an account that is shared with them, as its owner's reader has it. */
function subscribersOf(reader: AccountReader): Set<AccountId> {
  return new Set(Array.from(reader.objects(sharedSubscriptionType), ({ id }) => id.slice(id.indexOf('/') + 1) as AccountId));
}
