/**
 * What the log drives: a deterministic state machine. The account's index is one; the simulation has a small one of its own.
 * The log decides which commits are true and in which order; the machine knows what they mean.
 */
import type { BlobRef, Commit, Mutation } from './record.ts';

/** The commit that was applied last; seq 0, hash '' and at 0 before the first. */
export interface Position {
  readonly seq: number;
  readonly hash: string;
  readonly at: number;
}

/** How a mutation ended in an attempt. Only `changed` ones are written. `refused` ones leave nothing behind. */
export type Outcome<T> =
  | {
      readonly kind: 'changed';
      readonly value: T;
      readonly mutation: Mutation;
      /** The mutation as a line of JSON, where the machine has made it already. */
      readonly line?: string;
      readonly bytes: number;
    }
  | { readonly kind: 'unchanged'; readonly value: T }
  | { readonly kind: 'refused'; readonly error: unknown };

/** Mutations run on top of the applied state, each seeing the ones before it, with nothing of it kept until a commit is settled. */
export interface Attempt<Tx> {
  /**
   * Runs one mutation. `bytes` of a changed outcome is about what it adds to the commit's object. Synchronous; what the mutation throws is its
   * refusal. After a `closed` change, of this attempt too, every mutation is refused with MailError 'accountClosed'.
   */
  run<T>(mutation: (tx: Tx) => T): Outcome<T>;
  /** Takes the last `changed` outcome back: it does not fit in the commit any more. */
  undoLast(): void;
  /** Bytes that the mutations so far want their commit to carry, in order (carried.ts). */
  readonly carried?: readonly Buffer[];
}

export interface StateMachine<Tx, Effect> {
  readonly position: Position;
  /** At most one attempt is open; beginning another drops the one before. `at` is the time the commit will carry. */
  begin(at: number): Attempt<Tx>;
  /**
   * The attempt's commit is in the store under `hash`: what the attempt computed becomes the applied state. Equal to `apply` of the same
   * commit on the state the attempt began with, only cheaper; a machine may do just that. Throws StorageError 'unavailable' when it cannot take
   * anything now: the state is as it was, and `apply` may be tried later.
   */
  settle(attempt: Attempt<Tx>, commit: Commit, hash: string): readonly Effect[];
  /**
   * Applies a commit read from the log. Throws StorageError 'corrupt' when `commit.seq` is not the next or `commit.prev` is not the hash
   * applied last; the caller then throws the state away and rebuilds. 'unavailable' as for `settle`. A commit may have no mutations.
   */
  apply(commit: Commit, hash: string): readonly Effect[];
  /** Throws everything away: seq 0. */
  reset(): Promise<void>;
  /** A consistent view of the applied state at one position, for a snapshot or a comparison. Stays valid while commits go on. */
  view(): StateView;
  /** Becomes what a snapshot's parts say, at `position`; the state before is thrown away. Parts come in any order. */
  restore(position: Position, parts: AsyncIterable<RestoredPart>): Promise<void>;
}

/**
 * A piece of a snapshot: the records of one kind in one key range. The split is stable, so that a part whose records did not change keeps its
 * content; `changedAt` is the seq of the last commit that touched it.
 */
export interface PartSource {
  readonly kind: string;
  readonly range: number;
  readonly changedAt: number;
  /** The records, one JSON text each, in key order: equal states give equal bytes. */
  lines(): string[];
}

export interface RestoredPart {
  readonly kind: string;
  readonly range: number;
  readonly lines: readonly unknown[];
}

export interface StateView {
  readonly position: Position;
  parts(): Iterable<PartSource>;
  /** Every blob that the state holds: of living messages, of tombstones, of uploads. */
  blobs(): Iterable<BlobRef>;
  release(): void;
}
