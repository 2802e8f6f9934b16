/**
 * The index of one account as the state machine that its log drives: attempts run mutations in layers, a settled attempt's layer is written as it
 * is, a commit from the log is applied through the same code. The index may lag the log, never lead it: nothing is written before the commit is
 * in the store.
 */
import { invariant, StorageError } from '../../protocol/mail/errors.ts';
import type { ModSeq } from '../../protocol/mail/ids.ts';
import type { QuotaLimits } from '../../protocol/mail/quota.ts';
import { eachOf } from '../../protocol/mail/ranges.ts';
import type { AccountReader, AccountTransactor, Effect } from '../account/api.ts';
import { CarriedFrame } from '../log/carried.ts';
import { encodeMutation } from '../log/commit-codec.ts';
import type { Attempt, Outcome, Position, RestoredPart, StateMachine, StateView } from '../log/machine.ts';
import type { Commit, Mutation } from '../log/record.ts';
import { Applier } from './apply.ts';
import { dirtyKey, ingestKey, journalKey, layoutVersion, metaKey, readU48, tombstoneKey } from './keyspace.ts';
import { endOf, type Kv } from './kv.ts';
import { journalKeptMs, journalPrunedPerCommit } from './limits.ts';
import { IndexReader, ReaderCache } from './reader.ts';
import { rangeOfJournal } from './snapshot-ranges.ts';
import { SnapshotRestorer, snapshotView } from './snapshot-records.ts';
import { tables } from './tables.ts';
import { IndexTransactor } from './transactor.ts';
import { AppliedState, Layer, View } from './view.ts';

export class AccountIndex implements StateMachine<AccountTransactor, Effect> {
  private readonly kv: Kv;
  private readonly state: AppliedState;
  private readonly applied: View;
  private cache = new ReaderCache();
  private current: IndexAttempt | undefined;
  /** When the first effect above this floor of the journal was committed: most commits need not look for what is old. */
  private oldest: { readonly floor: number; readonly at: number } | undefined;

  private constructor(kv: Kv, quotaLimits: (() => QuotaLimits) | undefined) {
    this.kv = kv;
    this.state = new AppliedState(kv, quotaLimits);
    this.applied = new View(this.state);
  }

  /** Opens what `kv` holds. Leftovers of a restore that did not finish, or of another layout, are cleared. */
  static async open(kv: Kv, quotaLimits?: () => QuotaLimits): Promise<AccountIndex> {
    const index = new AccountIndex(kv, quotaLimits);
    const { seq, layout } = index.applied.meta();
    if (seq === 0 || layout !== layoutVersion) await index.reset();
    return index;
  }

  /** Empties `kv`, the position first: whoever dies before the rest is cleared leaves an index that says so. */
  static async clear(kv: Kv): Promise<void> {
    kv.write([[metaKey, null]]);
    await kv.clear();
  }

  /** Opens what this process has opened before. */
  static reopen(kv: Kv, quotaLimits?: () => QuotaLimits): AccountIndex {
    return new AccountIndex(kv, quotaLimits);
  }

  get position(): Position {
    const { seq, hash, at } = this.applied.meta();
    return { seq, hash, at };
  }

  get nextEmail(): number {
    return this.applied.meta().nextEmail;
  }

  /** A reader of the applied state; each call of its methods sees the state of that moment. */
  reader(): AccountReader {
    return new IndexReader(this.applied, this.cache);
  }

  begin(at: number): IndexAttempt {
    this.current = new IndexAttempt(this.state, this.position.seq + 1, Math.max(at, this.position.at));
    return this.current;
  }

  settle(attempt: Attempt<AccountTransactor>, commit: Commit, hash: string): readonly Effect[] {
    invariant(attempt === this.current && this.current.seq === commit.seq, 'an attempt is settled once, by the commit it was begun for');
    const { layer, effects } = this.current.take();
    this.current = undefined;
    this.finish(layer, commit, hash);
    return effects;
  }

  apply(commit: Commit, hash: string): readonly Effect[] {
    this.current = undefined;
    const { position } = this;
    if (commit.seq !== position.seq + 1) throw new StorageError('corrupt', `commit ${commit.seq} cannot follow commit ${position.seq}`);
    if (commit.prev !== position.hash)
      throw new StorageError('corrupt', `commit ${commit.seq} does not continue the commit that was applied last`);
    const layer = new Layer();
    const view = new View(this.state, [layer]);
    const effects: Effect[] = [];
    for (const mutation of commit.mutations) {
      if (mutation.modSeq !== view.meta().modSeq + 1) throw new StorageError('corrupt', `commit ${commit.seq} has a modSeq out of order`);
      const applier = new Applier(view, { seq: commit.seq, modSeq: mutation.modSeq, at: commit.at });
      for (const change of mutation.changes) applier.apply(change);
      const effect = applier.finish();
      if (effect === undefined) throw new StorageError('corrupt', `commit ${commit.seq} has a mutation that changes nothing`);
      effects.push(effect);
    }
    this.finish(layer, commit, hash);
    return effects;
  }

  /** Position and pruning, the same for a fresh commit and a replayed one; then everything becomes visible at once. */
  private finish(layer: Layer, commit: Commit, hash: string): void {
    const view = new View(this.state, [layer]);
    Object.assign(view.editMeta(), { layout: layoutVersion, seq: commit.seq, hash, at: commit.at });
    this.pruneJournal(view, commit);
    this.state.write(layer);
  }

  /** Removes effects older than 30 days, with the tombstones and ingest keys that came with them: by the commits' own times, so that every index agrees. */
  private pruneJournal(view: View, commit: Commit): void {
    const limit = commit.at - journalKeptMs;
    let left = journalPrunedPerCommit;
    const floor = view.meta().journalFloor;
    if (limit <= 0 || (this.oldest?.floor === floor && this.oldest.at >= limit)) return;
    for (const { key, value } of view.range(tables.journal, journalKey(floor + 1), endOf('J'))) {
      if (value.at >= limit || left === 0) {
        this.oldest = { floor: view.meta().journalFloor, at: value.at };
        return;
      }
      left -= 1;
      const modSeq = readU48(key, 1);
      view.remove(tables.journal, key);
      for (const email of eachOf(value.emails.removed)) view.remove(tables.tombstones, tombstoneKey(email));
      for (const ingest of value.ingest ?? []) {
        if (view.get(tables.ingest, ingestKey(ingest))?.modSeq === modSeq) view.remove(tables.ingest, ingestKey(ingest));
      }
      view.editMeta().journalFloor = modSeq;
      view.put(tables.dirty, dirtyKey('journal', rangeOfJournal(modSeq)), commit.seq);
      view.put(tables.dirty, dirtyKey('meta', 0), commit.seq);
    }
  }

  async reset(): Promise<void> {
    this.current = undefined;
    this.oldest = undefined;
    this.cache = new ReaderCache();
    await AccountIndex.clear(this.kv);
    this.state.forget();
  }

  view(): StateView {
    return snapshotView(this.kv);
  }

  async restore(position: Position, parts: AsyncIterable<RestoredPart>): Promise<void> {
    await this.reset();
    const restorer = new SnapshotRestorer(this.state);
    for await (const part of parts) restorer.restore(part);
    restorer.finish(position);
    this.state.forget();
  }
}

/** Mutations of one commit to be, each seeing those before it, in layers that nobody else sees until they are settled. */
export class IndexAttempt implements Attempt<AccountTransactor> {
  readonly seq: number;
  private readonly at: number;
  private readonly state: AppliedState;
  private batch = new Layer();
  /** The last changed mutation, above the batch so that it can be taken back. */
  private last: { layer: Layer; effect: Effect } | undefined;
  private readonly effects: Effect[] = [];
  private readonly frame: CarriedFrame;
  /** Octets that were carried before the last changed mutation. */
  private carriedBefore = 0;

  constructor(state: AppliedState, seq: number, at: number) {
    this.state = state;
    this.seq = seq;
    this.at = at;
    this.frame = new CarriedFrame(seq);
  }

  get carried(): readonly Buffer[] {
    return this.frame.chunks;
  }

  run<T>(mutate: (tx: AccountTransactor) => T): Outcome<T> {
    this.keepLast();
    const layer = new Layer();
    const view = new View(this.state, [this.batch, layer]);
    const modSeq = (view.meta().modSeq + 1) as ModSeq;
    const carriedBefore = this.frame.length;
    try {
      const tx = new IndexTransactor(view, { seq: this.seq, modSeq, at: this.at, carried: this.frame });
      const value = mutate(tx);
      const effect = tx.applier.finish();
      if (effect === undefined) {
        this.frame.rollBack(carriedBefore);
        return { kind: 'unchanged', value };
      }
      this.last = { layer, effect };
      this.carriedBefore = carriedBefore;
      const mutation: Mutation = { modSeq, changes: tx.changes };
      const line = encodeMutation(mutation);
      return { kind: 'changed', value, mutation, line, bytes: Buffer.byteLength(line) + this.frame.length - carriedBefore };
    } catch (error) {
      this.frame.rollBack(carriedBefore);
      return { kind: 'refused', error };
    }
  }

  undoLast(): void {
    invariant(this.last !== undefined, 'there is a mutation to take back');
    this.last = undefined;
    this.frame.rollBack(this.carriedBefore);
  }

  take(): { layer: Layer; effects: Effect[] } {
    this.keepLast();
    return { layer: this.batch, effects: this.effects };
  }

  private keepLast(): void {
    if (this.last === undefined) return;
    if (this.batch.isEmpty) this.batch = this.last.layer;
    else this.batch.absorb(this.last.layer);
    this.effects.push(this.last.effect);
    this.last = undefined;
  }
}
