/**
 * The reading side of an account's log: brings the state to the tail, knows when the tail was seen last, and finds out what became of a number.
 *
 * The tail is found by listing. In the usual case that is one LIST, from the state's own number on: it shows the log after it and the manifests.
 * A state that the log does not lead on from (asleep so long that numbers after it were collected, or led astray) is thrown away and made from
 * the newest snapshot. A log that ends before the state, or that has a hole which no snapshot covers, is StorageError 'corrupt': something was
 * lost from the bucket, and nothing is served or written until somebody has looked.
 */
import { isUnavailable, StorageError } from '../../protocol/mail/errors.ts';
import { logKey } from '../objects/object-keys.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { type DecodedCommit, decodeCommit } from './commit-codec.ts';
import type { LogEvent } from './events.ts';
import { fetchAhead } from './fetch-ahead.ts';
import { fetchesAheadMax, looksMax, singleReadsMax, tailSeenMsMax } from './limits.ts';
import type { Position, StateMachine } from './machine.ts';
import type { LogRules } from './rules.ts';
import type { Moment, StoreTime } from './store-time.ts';
import { endOf, firstMissing, type Survey, snapshotHash, surveyLog } from './survey.ts';

/** Where a state comes from that the log alone does not give. */
export interface SnapshotLoader<Tx, Effect> {
  /**
   * Makes `machine` what the newest snapshot says that can be read; empty when there is none. Throws StorageError 'corrupt' when there are some,
   * none can be read, and the log does not begin at 1.
   */
  load(machine: StateMachine<Tx, Effect>): Promise<Position>;
}

export interface TailOptions<Tx, Effect> {
  readonly account: string;
  readonly store: ObjectStore;
  readonly machine: StateMachine<Tx, Effect>;
  readonly time: StoreTime;
  readonly snapshots: SnapshotLoader<Tx, Effect>;
  readonly rules: LogRules;
  /** Gives requests up: the log is being closed, and waits no longer. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: LogEvent) => void;
  /** What a commit from the log changed. */
  readonly onEffects: (effects: readonly Effect[]) => void;
  /** The state was replaced: what was known of it must be read anew. */
  readonly onReset: () => void;
  /** When the machine's newest commit was known to be the log's last: it need not be looked for again within the hour. */
  readonly seen?: Moment | undefined;
}

export interface FoundCommit extends DecodedCommit {
  /** When it was the tail. */
  readonly seen: Moment;
}

/**
 * What became of a number after the state's. `free`: nobody has written it. `ours`, `lost`: it is ours, or somebody else's, and in the chain.
 * `gone`: what is there proves nothing (it was collected meanwhile, or what stands there is a stray).
 */
export type Verdict = 'free' | 'ours' | 'lost' | 'gone';

type Chained = 'applied' | 'offChain' | 'changed';

export class Tail<Tx, Effect> {
  readonly #options: TailOptions<Tx, Effect>;
  /** When the newest commit of the state was known to be the log's last. */
  #seen: Moment | undefined;
  #resetReason: string | undefined;
  /** The state is known, or must be taken, to be behind the log. */
  #isBehind: boolean;
  /** The state was thrown away, and is not at the tail again. */
  #isInParts = false;

  constructor(options: TailOptions<Tx, Effect>) {
    this.#options = options;
    this.#seen = options.seen;
    this.#isBehind = options.seen === undefined;
  }

  get seen(): Moment | undefined {
    return this.#seen;
  }

  /** Whether the state is one of the log's, if maybe an old one. */
  get isTrusted(): boolean {
    return this.#resetReason === undefined;
  }

  /** Whether the state may be read: it is one of the log's, if maybe an old one, or is only suspected not to be. */
  get isWhole(): boolean {
    return !this.#isInParts;
  }

  /** Whether the state may be written on: it is whole, and was at the tail within the hour. */
  get isFresh(): boolean {
    return this.#resetReason === undefined && !this.#isBehind && this.isWithinHour;
  }

  /** Whether the tail was seen within the hour, by all clocks. */
  get isWithinHour(): boolean {
    const { rules, time } = this.#options;
    if (this.#seen === undefined) return false;
    if (!rules.tailWithinHour) return true;
    return (rules.allClocks ? time.ageMs(this.#seen) : time.mark().monotonic - this.#seen.monotonic) < tailSeenMsMax;
  }

  /** Our commit became the tail at `moment`, and the state has it. */
  wrote(moment: Moment): void {
    this.#seen = moment;
  }

  /** There may be more in the log than the state has. */
  fallBehind(): void {
    this.#isBehind = true;
  }

  /** The state is not to be relied on any more: it is thrown away by the next `catchUp`. */
  distrust(reason: string): void {
    this.#resetReason ??= reason;
  }

  /** Looks for the next number, and only lists when that proves nothing. */
  async refresh(): Promise<void> {
    for (let read = 0; this.isFresh && read < singleReadsMax; read++) {
      const found = await this.find(this.#options.machine.position.seq + 1);
      if (found === undefined) return;
      // An answer that comes late may be a stray: only a listing tells.
      if (!this.isFresh || !this.take(found)) break;
    }
    await this.catchUp();
  }

  /** The state is at the tail when it resolves. */
  async catchUp(): Promise<void> {
    const { machine, onReset } = this.#options;
    /** The newest manifest that a rebuild of this call could use; a later one is worth another. */
    let rebuiltFor = -1;
    let faultBefore: string | undefined;
    for (let look = 1; look <= looksMax; look++) {
      if (this.#resetReason !== undefined || (machine.position.seq === 0 && rebuiltFor < 0)) {
        await this.#rebuild();
        rebuiltFor = Math.max(rebuiltFor, machine.position.seq);
      }
      const { seen, survey } = await this.#survey();
      const newest = survey.manifests.at(-1) ?? 0;
      const fault = this.#fault(survey);
      // Between two pages a commit and its snapshot may have come, or the reader may have slept.
      if (fault !== undefined && survey.pages > 1 && fault.message !== faultBefore) {
        faultBefore = fault.message;
        continue;
      }
      const chained = fault === undefined ? await this.#applyChain(survey, rebuiltFor >= newest) : 'offChain';
      if (chained === 'applied') {
        this.#seen = seen;
        this.#isBehind = false;
        if (this.#isInParts) {
          this.#isInParts = false;
          onReset();
        }
        return;
      }
      if (chained === 'changed') continue;
      const canRebuild = fault === undefined ? rebuiltFor < newest || rebuiltFor < 0 : newest > Math.max(machine.position.seq, rebuiltFor);
      if (!canRebuild) throw fault ?? this.#corrupt(`commit ${machine.position.seq + 1} does not continue the one before it`);
      if (fault !== undefined) this.#reportStrays(survey);
      this.distrust(fault === undefined ? 'the state is not on the chain' : 'the log after the state was collected');
      rebuiltFor = newest;
    }
    throw new StorageError('unavailable', `account ${this.#options.account}: the log changes faster than it is read`);
  }

  /** What a look at the tail shows of the number after the state's, which an attempt with this `id` was made for. */
  async lookFor(id: string): Promise<Verdict> {
    const { machine, rules } = this.#options;
    const { hash } = machine.position;
    const seq = machine.position.seq + 1;
    const { seen, survey } = await this.#survey();
    if (!survey.log.includes(seq)) {
      if (endOf(survey) >= seq) return 'gone';
      // Without the state's own number, or a manifest of it, the bucket is not what the state is of.
      if (this.#fault(survey) !== undefined) return 'gone';
      this.#seen = seen;
      return 'free';
    }
    const found = await this.find(seq);
    if (found === undefined) return 'gone';
    const isOurs = found.commit.id === id;
    if (!rules.proveChain) return isOurs ? 'ours' : 'lost';
    const isInChain = found.commit.prev === hash && (await this.#isInChain(survey, seq, found.hash));
    if (isInChain) return isOurs ? 'ours' : 'lost';
    // Ours, and another commit is in its place: it is as if it had never been written.
    return isInChain === false && isOurs ? 'lost' : 'gone';
  }

  /** The commit `seq` as it stands in the store; undefined when there is none. */
  async find(seq: number): Promise<FoundCommit | undefined> {
    const { account, signal, store, time } = this.#options;
    const key = logKey(account, seq);
    const mark = time.mark();
    try {
      const { body, date, lastModified } = await store.get(key, { signal });
      time.sawDate(date);
      return { ...decodeCommit(key, body, account, seq), seen: time.atLastModified(mark, date, lastModified) };
    } catch (error) {
      if (error instanceof StorageError && error.code === 'missing') return undefined;
      throw error;
    }
  }

  /** Applies what was found under the next number. False when it does not continue the state. */
  take({ commit, hash, seen }: FoundCommit): boolean {
    if (!this.#apply({ commit, hash })) {
      this.distrust('the state is not on the chain');
      return false;
    }
    if (this.#seen === undefined || seen.store > this.#seen.store) this.#seen = seen;
    return true;
  }

  async #survey(): Promise<{ survey: Survey; seen: Moment }> {
    const { account, machine, signal, store, time } = this.#options;
    const mark = time.mark();
    const survey = await surveyLog(store, account, machine.position.seq, { signal, onDate: (date) => time.sawDate(date) });
    return { survey, seen: { ...mark, store: survey.date } };
  }

  async #rebuild(): Promise<void> {
    const { machine, onEvent, onReset, snapshots } = this.#options;
    const reason = this.#resetReason ?? 'there was no state';
    // Until it is whole again.
    this.#resetReason = reason;
    if (machine.position.seq > 0) {
      this.#isInParts = true;
      await machine.reset();
    }
    try {
      await snapshots.load(machine);
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'corrupt') throw error;
      // A reader that slept between listing and reading finds gone what has been superseded: once more, from a new listing.
      await snapshots.load(machine);
    }
    this.#resetReason = undefined;
    this.#isBehind = true;
    if (machine.position.seq > 0 || reason !== 'there was no state') onEvent({ kind: 'rebuilt', reason, seq: machine.position.seq });
    if (!this.#isInParts) onReset();
  }

  /** Why the listed log does not lead from the state to its end. */
  #fault(survey: Survey): StorageError | undefined {
    const { seq } = this.#options.machine.position;
    const end = endOf(survey);
    if (end < seq)
      return this.#corrupt(`the log ends before the index: it has ${end === 0 ? 'nothing' : `commit ${end}`}, the index is at ${seq}`);
    const missing = firstMissing(survey, seq);
    if (missing <= end) return this.#corrupt(`the log lacks commit ${missing}, and commit ${end} was written`);
    // The state's own number may have been collected, but only when a manifest covers it.
    if (seq > 0 && survey.log[0] !== seq && (survey.manifests.at(-1) ?? 0) < seq) return this.#corrupt(`the log lacks commit ${seq}`);
    return undefined;
  }

  async #applyChain(survey: Survey, isNewest: boolean): Promise<Chained> {
    const { account, machine } = this.#options;
    const from = machine.position.seq;
    const numbers = survey.log.filter((seq) => seq > from);
    const manifest = survey.manifests.at(-1) ?? 0;
    // Where a snapshot is newer than the state, the chain must lead through it: what is listed may be a stray.
    const expected = manifest > from ? await snapshotHash(this.#options.store, account, manifest) : undefined;
    for await (const found of fetchAhead(numbers, fetchesAheadMax, (seq) => this.#findReadable(seq, manifest, isNewest))) {
      if (found === undefined) return 'changed';
      if (found === 'unreadable') return 'offChain';
      if (!this.#apply(found)) return 'offChain';
      if (found.commit.seq === manifest && expected !== undefined && found.hash !== expected) return 'offChain';
    }
    return 'applied';
  }

  /** A damaged commit is no harm where a snapshot covers it. */
  async #findReadable(seq: number, manifest: number, isNewest: boolean): Promise<FoundCommit | 'unreadable' | undefined> {
    try {
      return await this.find(seq);
    } catch (error) {
      if (!isNewest && seq <= manifest && error instanceof StorageError && error.code === 'corrupt') return 'unreadable';
      throw error;
    }
  }

  /** False when the commit does not continue the state. */
  #apply({ commit, hash }: DecodedCommit): boolean {
    const { machine, onEffects, rules } = this.#options;
    const { position } = machine;
    if (rules.checkPrev && commit.prev !== position.hash) return false;
    let effects: readonly Effect[];
    try {
      effects = machine.apply(commit, hash);
    } catch (error) {
      if (!isUnavailable(error)) this.distrust('a commit could not be applied');
      throw error;
    }
    onEffects(effects);
    return true;
  }

  /** Undefined: there is nothing left that tells. */
  async #isInChain(survey: Survey, seq: number, hash: string): Promise<boolean | undefined> {
    const { account, store } = this.#options;
    // Whatever was written after it was written by somebody who had seen the chain up to it.
    const next = survey.log.includes(seq + 1) ? await this.find(seq + 1) : undefined;
    if (next !== undefined) return next.commit.prev === hash;
    if (survey.manifests.includes(seq)) {
      const expected = await snapshotHash(store, account, seq);
      if (expected !== undefined) return expected === hash;
    }
    return endOf(survey) === seq && !survey.manifests.includes(seq) ? true : undefined;
  }

  /** What leads on from the state, and not to the newest snapshot. */
  #reportStrays(survey: Survey): void {
    const { machine, onEvent } = this.#options;
    const missing = firstMissing(survey, machine.position.seq);
    for (const seq of survey.log) if (seq > machine.position.seq && seq < missing) onEvent({ kind: 'stray', seq });
  }

  #corrupt(why: string): StorageError {
    return new StorageError('corrupt', `account ${this.#options.account}: ${why}`);
  }
}
