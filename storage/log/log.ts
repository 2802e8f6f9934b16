/**
 * The account log: runs queued mutations and writes their changes as the next numbered commit.
 *
 * Many writers may try; the conditional put of `log/<seq>` lets exactly one win, and the losers run their mutations again on the winner's state.
 * `transact` resolves when the commit is in the store. A lost reply is settled by sending the same bytes again: until it is known what became of
 * a number, no mutation joins its commit, leaves it, or is answered. While one put is in flight the next batch gathers, so that an account under
 * load commits in groups.
 *
 * One loop does all work on the state, one thing after the other: catching up, then a batch, then the next. Uncontended, a commit is one PUT.
 * A writer must have seen the tail within the hour, before each attempt and again when the answer is there; a number that was collected can be
 * created again, and what lands there is not in the chain (see tail.ts).
 */
import { isUnavailable, StorageError } from '../../protocol/mail/errors.ts';
import type { Clock } from '../clock.ts';
import { logKey } from '../objects/object-keys.ts';
import { ClockSkewError, type ObjectStore, type PutIfAbsentReceipt, UnreachedError } from '../objects/object-store.ts';
import type { Random } from '../random.ts';
import { type Entry, type GatheredBatch, gather, type TransactOptions } from './batch.ts';
import { encodeCommit } from './commit-codec.ts';
import type { LogEvent } from './events.ts';
import * as limits from './limits.ts';
import type { Position, StateMachine } from './machine.ts';
import type { Commit } from './record.ts';
import { type LogRules, logRules } from './rules.ts';
import { type Moment, StoreTime } from './store-time.ts';
import { type FoundCommit, type SnapshotLoader, Tail } from './tail.ts';

export type { TransactOptions, Upload } from './batch.ts';
export type { SnapshotLoader } from './tail.ts';

export interface LogOptions<Tx, Effect> {
  readonly account: string;
  /** Its putIfAbsent is one attempt; its other requests may be retried inside. */
  readonly store: ObjectStore;
  /** The log's alone: nobody else begins attempts or applies commits. */
  readonly machine: StateMachine<Tx, Effect>;
  readonly clock: Clock;
  readonly random: Random;
  /** The name that commits carry in `by`. */
  readonly node: string;
  readonly snapshots: SnapshotLoader<Tx, Effect>;
  /** What a commit changed, in the order of commits, in the turn in which the state changed and after its callers were resolved. */
  readonly onEffects?: (effects: readonly Effect[]) => void;
  /** The state was replaced by a snapshot or rebuilt: what was known of it must be read anew. Effects of the log after it follow. */
  readonly onReset?: () => void;
  readonly onEvent?: (event: LogEvent) => void;
  /** Asked when three rounds in a row were lost to `by`: the error that the batch's callers are given, to take their commands there. */
  readonly handOver?: (by: string) => Error | undefined;
  readonly limits?: Partial<LogLimits>;
  /** What the log left that drove this machine before. */
  readonly sighting?: Sighting | undefined;
  /** Only the simulation takes rules out. */
  readonly rules?: Partial<LogRules>;
}

/** When the machine's newest commit was seen to be the log's last, and what was known then of the store's clock. */
export interface Sighting {
  readonly seen: Moment;
  readonly latest: Moment | undefined;
}

export interface LogLimits {
  readonly commitBytesMax: number;
  readonly commitMutationsMax: number;
  readonly queuedMutationsMax: number;
  /** After which a mutation that is in no commit is given back. */
  readonly patienceMs: number;
}

/** What became of an attempt. `refused`: nothing was written, and trying again does not help. */
type Settlement =
  | { readonly kind: 'ours'; readonly seen: Moment | undefined }
  | { readonly kind: 'lost'; readonly winner: FoundCommit | undefined }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly error: unknown };

interface Deferred<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export class Log<Tx, Effect> implements AsyncDisposable {
  readonly account: string;
  readonly #options: LogOptions<Tx, Effect>;
  readonly #limits: LogLimits;
  readonly #rules: LogRules;
  readonly #machine: StateMachine<Tx, Effect>;
  readonly #tail: Tail<Tx, Effect>;
  readonly #time: StoreTime;
  readonly #abort = new AbortController();
  #queue: Entry<Tx>[] = [];
  #refreshers: Deferred<void>[] = [];
  #working: Promise<void> | undefined;
  #isClosing = false;
  /** Rounds lost in a row. */
  #lostRounds = 0;

  constructor(options: LogOptions<Tx, Effect>) {
    const { commitBytesMax, commitMutationsMax, queuedMutationsMax, patienceMs } = limits;
    this.account = options.account;
    this.#options = options;
    this.#limits = { commitBytesMax, commitMutationsMax, queuedMutationsMax, patienceMs, ...options.limits };
    this.#rules = { ...logRules, ...options.rules };
    this.#machine = options.machine;
    this.#time = new StoreTime(options.clock, options.sighting?.latest);
    this.#tail = new Tail({
      ...options,
      seen: options.sighting?.seen,
      time: this.#time,
      rules: this.#rules,
      signal: this.#abort.signal,
      onEvent: (event) => this.#report(event),
      onEffects: (effects) => this.#tell(() => options.onEffects?.(effects)),
      onReset: () => this.#tell(() => options.onReset?.()),
    });
  }

  get position(): Position {
    return this.#machine.position;
  }

  /** Whether the state was at the tail within the hour. What is read from an older one may be long out of date. */
  get isFresh(): boolean {
    return this.#tail.isFresh;
  }

  /** Whether the state may be read. While it is made anew it has only a part of what it should. */
  get isWhole(): boolean {
    return this.#tail.isWhole;
  }

  /** What another log of this machine may rely on, when this one is closed. */
  get sighting(): Sighting | undefined {
    const { seen } = this.#tail;
    return seen === undefined || !this.isFresh ? undefined : { seen, latest: this.#time.latest };
  }

  /** Nothing is under way, and the machine's state may be taken as it is. */
  get isAtRest(): boolean {
    return this.#working === undefined && this.#tail.isTrusted;
  }

  /** Resolves when the state is at the tail of the log. May be called again after it failed. */
  async open(): Promise<void> {
    await this.refresh();
  }

  /**
   * Looks for commits that others have written. One GET of the next number while the tail was seen within the hour, else one LIST. Rejects with
   * StorageError: 'unavailable' when the store is away, 'corrupt' when the log does not lead on from the state.
   */
  refresh(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isClosing) return reject(closed());
      this.#refreshers.push({ resolve, reject });
      this.#kick();
    });
  }

  /** Throws the state away and makes it anew from the store. */
  rebuild(): Promise<void> {
    this.#tail.distrust('it was asked for');
    return this.refresh();
  }

  /**
   * Runs `mutation`, and resolves with its value when the commit that holds its changes is in the store. It may run several times and must be
   * pure. Rejects with the mutation's own error; with MailError 'tooLarge' when its changes do not fit in a commit; with StorageError
   * 'unavailable' when it could not be written in time (nothing was written) or when the outcome will not be known (the message says so).
   */
  transact<T>(mutation: (tx: Tx) => T, options: TransactOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#isClosing) return reject(closed());
      if (this.#queue.length >= this.#limits.queuedMutationsMax)
        return reject(new StorageError('unavailable', `account ${this.account}: too many changes wait for the store`));
      this.#enqueue({ ...options, mutation, resolve: resolve as (value: unknown) => void, reject });
    });
  }

  /**
   * Writes a commit whether or not there are changes, and resolves to the state's position, which is that commit's or a later one. Every put that
   * some writer had under way before it fails from then on: nothing based on an older state comes true any more. Not for an account whose log
   * is closed.
   */
  fence(): Promise<Position> {
    return new Promise((resolve, reject) => {
      if (this.#isClosing) return reject(closed());
      this.#enqueue({ mutation: undefined, resolve: () => resolve(this.position), reject });
    });
  }

  /**
   * Takes no more mutations and resolves when those that were given are answered. When `signal` is aborted, waiting ends: whoever is not
   * answered then is told 'unavailable', and those in the commit under way that their outcome is unknown.
   */
  async close({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#isClosing = true;
    const abort = () => this.#abort.abort(closed());
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    await this.#working;
    signal?.removeEventListener('abort', abort);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #enqueue(entry: Omit<Entry<Tx>, 'since' | 'reuploads'>): void {
    this.#queue.push({ ...entry, reuploads: 0, since: this.#options.clock.monotonic() });
    this.#kick();
  }

  #kick(): void {
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    // What is asked for in the same turn shares a commit.
    await undefined;
    try {
      while (this.#refreshers.length > 0 || this.#queue.length > 0) {
        if (this.#abort.signal.aborted) this.#giveUp(closed());
        else if (this.#refreshers.length > 0) await this.#serveRefreshers();
        else await this.#commitNext();
      }
    } catch (error) {
      // We were wrong somewhere. The state may be anything: it is made anew before it is used again.
      this.#tail.distrust('an error that nobody expected');
      this.#giveUp(error);
    }
    this.#working = undefined;
  }

  async #serveRefreshers(): Promise<void> {
    const waiting = this.#refreshers.splice(0);
    try {
      await this.#tail.refresh();
      for (const { resolve } of waiting) resolve();
    } catch (error) {
      this.#report({ kind: 'catchUpFailed', error });
      for (const { reject } of waiting) reject(error);
    }
  }

  async #commitNext(): Promise<void> {
    if (!(await this.#isReady())) return;
    const { clock, node, random } = this.#options;
    const { position } = this.#machine;
    const at = Math.max(position.at, clock.now());
    const attempt = this.#machine.begin(at);
    const batch = gather(attempt, this.#queue, this.#limits);
    if (batch.mutations.length === 0 && !batch.isFence) return answer(batch);
    const { mutations } = batch;
    const commit: Commit = { seq: position.seq + 1, id: random.hex(16), prev: position.hash, at, by: node, mutations };
    const { bytes, hash } = encodeCommit(this.account, commit, { lines: batch.lines, carried: attempt.carried ?? [] });
    const settlement = await this.#settle(commit, bytes);
    switch (settlement.kind) {
      case 'ours':
        return this.#succeed(batch, settlement.seen, () => this.#machine.settle(attempt, commit, hash));
      case 'lost':
        return this.#rerun(batch, commit, settlement.winner);
      case 'unknown':
        this.#tail.fallBehind();
        return fail(batch, unknown());
      case 'refused':
        return fail(batch, settlement.error);
    }
  }

  /** Whether the queue's mutations may run now: the tail was seen, and what they name was uploaded within the day. Otherwise that was attempted. */
  async #isReady(): Promise<boolean> {
    if (!this.#tail.isFresh) {
      try {
        await this.#tail.catchUp();
      } catch (error) {
        this.#report({ kind: 'catchUpFailed', error });
        if (isUnavailable(error)) await this.#pause(limits.unknownPauseMs * 10);
        else this.#giveUp(error);
      }
      return false;
    }
    const old = this.#queue.find((entry) => this.#hasOldUploads(entry));
    if (old === undefined) return true;
    await this.#uploadAnew(old);
    return false;
  }

  #hasOldUploads({ uploads }: Entry<Tx>): boolean {
    return this.#rules.blobWithinDay && uploads?.some(({ date }) => this.#time.ageOfDateMs(date) >= limits.uploadAgeMsMax) === true;
  }

  async #uploadAnew(entry: Entry<Tx>): Promise<void> {
    try {
      if (entry.reupload === undefined)
        throw new StorageError('conflict', 'what was uploaded for this change is too old to be named by it');
      entry.uploads = await entry.reupload();
      for (const { date } of entry.uploads) this.#time.sawDate(date);
      entry.reuploads++;
      if (this.#hasOldUploads(entry) && entry.reuploads >= limits.reuploadsMax)
        throw new StorageError('conflict', 'what was uploaded anew for this change is too old already');
    } catch (error) {
      this.#queue = this.#queue.filter((other) => other !== entry);
      entry.reject(error);
    }
  }

  /** Sends the same bytes until it is known what became of the number. */
  async #settle({ seq, id }: Commit, bytes: Buffer): Promise<Settlement> {
    const key = logKey(this.account, seq);
    const { signal } = this.#abort;
    const since = this.#options.clock.monotonic();
    let mayHaveLanded = false;
    let isCreated = false;
    let mustLook = false;
    for (let attempt = 1; ; attempt++) {
      if (signal.aborted) return mayHaveLanded ? { kind: 'unknown' } : { kind: 'refused', error: closed() };
      let isPutting = false;
      try {
        if (mustLook || (this.#rules.tailWithinHour && !this.#tail.isWithinHour)) {
          const verdict = await this.#tail.lookFor(id);
          this.#report({ kind: 'lateAnswer', seq, verdict });
          if (verdict === 'ours') return { kind: 'ours', seen: undefined };
          if (verdict === 'lost') return { kind: 'lost', winner: undefined };
          // Something stood there, or what we wrote has vanished.
          if (verdict === 'gone' || isCreated) return mayHaveLanded ? { kind: 'unknown' } : { kind: 'lost', winner: undefined };
          mustLook = false;
        }
        const mark = this.#time.mark();
        isPutting = true;
        const receipt: PutIfAbsentReceipt = await this.#options.store.putIfAbsent(key, bytes, { signal });
        isPutting = false;
        this.#time.sawDate(receipt.date);
        const isLate = this.#rules.lateSuccessCheck && !this.#tail.isWithinHour;
        if (receipt.outcome === 'created') {
          mayHaveLanded = true;
          isCreated = true;
          mustLook = isLate;
          if (!isLate) return { kind: 'ours', seen: { ...mark, store: receipt.date } };
          continue;
        }
        const winner = await this.#tail.find(seq);
        mustLook = winner === undefined || (this.#rules.lateSuccessCheck && !this.#tail.isWithinHour);
        if (mustLook || winner === undefined) continue;
        if (winner.commit.id === id && this.#rules.checkOwnId) return { kind: 'ours', seen: winner.seen };
        return { kind: 'lost', winner };
      } catch (error) {
        if (!isPutting && error instanceof StorageError && error.code === 'corrupt')
          return mayHaveLanded ? { kind: 'unknown' } : { kind: 'refused', error };
        if (isPutting && error instanceof ClockSkewError) {
          // Nothing was done, but what we believe about time is wrong.
          mustLook = true;
        } else if (isPutting && error instanceof UnreachedError) {
          // Nothing was sent, so nobody needs to wait for the outcome of it.
          const isLong = this.#options.clock.monotonic() - since >= limits.unreachedMs;
          if (isLong && !mayHaveLanded) return { kind: 'refused', error };
        } else if (isPutting && error instanceof StorageError && error.code === 'refused') {
          if (!mayHaveLanded) return { kind: 'refused', error };
        } else if (isPutting) {
          mayHaveLanded = true;
        }
        this.#report({ kind: 'unknownOutcome', seq, attempt, error });
        if (isPutting && !this.#rules.settleUnknown) return { kind: 'lost', winner: undefined };
        this.#expire();
        await this.#pause(Math.min(limits.unknownPauseMs * 2 ** Math.min(attempt - 1, 16), limits.unknownPauseMsMax));
      }
    }
  }

  #succeed(batch: GatheredBatch<Tx>, seen: Moment | undefined, settle: () => readonly Effect[]): void {
    this.#lostRounds = 0;
    const seq = this.position.seq + 1;
    let effects: readonly Effect[] = [];
    try {
      effects = settle();
      if (seen === undefined) this.#tail.fallBehind();
      else this.#tail.wrote(seen);
    } catch (error) {
      // The commit is true whatever the index does.
      if (isUnavailable(error)) this.#tail.fallBehind();
      else this.#tail.distrust('a commit could not be settled');
      this.#report({ kind: 'settleFailed', seq, error });
      // A failure is reported where it happens, and tried again before the next commit.
      this.refresh().catch(() => {});
    }
    answer(batch);
    if (effects.length > 0) this.#tell(() => this.#options.onEffects?.(effects));
  }

  /** The number is somebody else's: the mutations run again on the state that it makes. */
  async #rerun(batch: GatheredBatch<Tx>, { seq }: Commit, winner: FoundCommit | undefined): Promise<void> {
    this.#queue.unshift(...batch.entries);
    this.#lostRounds++;
    const by = winner?.commit.by ?? '';
    this.#report({ kind: 'lostRace', seq, by, rounds: this.#lostRounds });
    if (winner === undefined || !this.#tail.take(winner)) this.#tail.fallBehind();
    else {
      try {
        await this.#tail.refresh();
      } catch (error) {
        this.#tail.fallBehind();
        this.#report({ kind: 'catchUpFailed', error });
      }
    }
    if (this.#lostRounds >= limits.lostRoundsMax) {
      const error = by === '' ? undefined : this.#options.handOver?.(by);
      if (error !== undefined) {
        this.#lostRounds = 0;
        for (const entry of this.#queue.splice(0, batch.entries.length)) entry.reject(error);
        return;
      }
    }
    this.#expire();
    await this.#pause(Math.min(limits.lostPauseMs * 2 ** Math.min(this.#lostRounds, 16), limits.lostPauseMsMax));
  }

  /** Gives back what waited too long and is in no commit. */
  #expire(): void {
    const now = this.#options.clock.monotonic();
    const isExpired = ({ since }: Entry<Tx>) => now - since >= this.#limits.patienceMs;
    const expired = this.#queue.filter(isExpired);
    if (expired.length === 0) return;
    this.#queue = this.#queue.filter((entry) => !isExpired(entry));
    const error = new StorageError('unavailable', `account ${this.account}: the change could not be written in time; nothing was written`);
    for (const { reject } of expired) reject(error);
  }

  /** Answers everybody who waits with `error`. */
  #giveUp(error: unknown): void {
    for (const { reject } of this.#refreshers.splice(0)) reject(error);
    for (const { reject } of this.#queue.splice(0)) reject(error);
  }

  /** A random part of `ms`. */
  async #pause(ms: number): Promise<void> {
    const { clock, random } = this.#options;
    try {
      await clock.sleep(Math.ceil(ms * random.fraction()), this.#abort.signal);
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
    }
    this.#expire();
  }

  #tell(watcher: () => void): void {
    try {
      watcher();
    } catch (error) {
      this.#report({ kind: 'watcherFailed', error });
    }
  }

  #report(event: LogEvent): void {
    this.#options.onEvent?.(event);
  }
}

/** In the order of the mutations: an answer was computed on the state that the ones before left. */
function answer<Tx>({ answers }: GatheredBatch<Tx>): void {
  for (const give of answers) give();
}

function fail<Tx>({ entries }: GatheredBatch<Tx>, error: unknown): void {
  for (const { reject } of entries) reject(error);
}

function closed(): StorageError {
  return new StorageError('unavailable', 'the account is being closed; nothing was written');
}

function unknown(): StorageError {
  return new StorageError('unavailable', 'the outcome is unknown: the change may have been written');
}
