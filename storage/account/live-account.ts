/**
 * What is in memory of an account: its index, the log that drives it, and who watches. There is one at a time for an account, since the log's loop is the
 * only one that changes the index; Residents holds it, and nobody else does for longer than a call.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import { sizeOf } from '../../protocol/mail/ranges.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { AccountIndex } from '../index/account-index.ts';
import type { Log, Sighting } from '../log/log.ts';
import type { AccountReader, AccountTransactor, Effect, LooseWatcher } from './api.ts';
import { logBytesPerEffect, logBytesPerEmail } from './limits.ts';

interface Watcher {
  readonly onEffects: (effects: readonly Effect[]) => void;
  readonly onReset: (() => void) | undefined;
  readonly loose: LooseWatcher | undefined;
}

/** What need not be asked of the store again when an account comes back into memory. */
export interface Leftover {
  /** Of the newest commit in the index: of another state it says nothing. */
  readonly hash: string;
  readonly sighting: Sighting;
  readonly snapshotSeq: number;
  readonly logBytesSince: number;
}

export interface LiveAccountParts {
  readonly id: AccountId;
  readonly index: AccountIndex;
  readonly blobs: BlobStore;
  readonly openLog: (self: LiveAccount) => Log<AccountTransactor, Effect>;
  readonly leftover: Leftover | undefined;
}

export class LiveAccount {
  readonly id: AccountId;
  readonly index: AccountIndex;
  readonly blobs: BlobStore;
  readonly reader: AccountReader;
  readonly log: Log<AccountTransactor, Effect>;
  /** When it changed last, monotonic. */
  changedAt = Number.NEGATIVE_INFINITY;
  /** When it was opened last, monotonic. */
  openedAt = Number.NEGATIVE_INFINITY;
  /** It was at the tail of the log once, and those who want to know of it do. */
  isReady = false;
  readonly #watchers = new Set<Watcher>();
  /** Where the newest snapshot that we know of stands, and about how many bytes of log came since. */
  #snapshotSeq: number;
  #logBytesSince: number;

  constructor({ id, index, blobs, openLog, leftover }: LiveAccountParts) {
    this.id = id;
    this.index = index;
    this.blobs = blobs;
    this.reader = index.reader();
    this.#snapshotSeq = leftover?.snapshotSeq ?? 0;
    this.#logBytesSince = leftover?.logBytesSince ?? 0;
    this.log = openLog(this);
  }

  watch(watcher: Watcher): Disposable {
    this.#watchers.add(watcher);
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }

  /** Whether it may go: nothing is under way in it, and nobody who watches wants it here. */
  get isIdle(): boolean {
    return this.isReady && this.log.isAtRest && [...this.#watchers].every(({ loose }) => loose !== undefined && !loose.isBusy());
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Says goodbye to the watchers; what is left is of no use any more. */
  putAway(): Leftover | undefined {
    for (const { loose } of this.#watchers) loose?.onPutAway();
    this.#watchers.clear();
    const { sighting, position } = this.log;
    this.log.close().catch(() => {});
    if (sighting === undefined) return undefined;
    return { hash: position.hash, sighting, snapshotSeq: this.#snapshotSeq, logBytesSince: this.#logBytesSince };
  }

  /** For the log: what came true. */
  tell(effects: readonly Effect[]): void {
    for (const { emails } of effects) this.#logBytesSince += logBytesPerEffect + sizeOf(emails.added) * logBytesPerEmail;
    // Where the state is made anew, that is told when it is whole.
    if (!this.log.isWhole) return;
    for (const { onEffects } of this.#watchers) onEffects(effects);
  }

  /** For the log: the state was made anew; it may have moved by more than effects tell. */
  tellReset(): void {
    for (const { onReset } of this.#watchers) onReset?.();
  }

  get sinceSnapshot(): { readonly commitsSince: number; readonly bytesSince: number } {
    return { commitsSince: this.log.position.seq - this.#snapshotSeq, bytesSince: this.#logBytesSince };
  }

  noteSnapshot(seq: number): void {
    this.#snapshotSeq = Math.max(this.#snapshotSeq, seq);
    this.#logBytesSince = 0;
  }

  noteCarried(bytes: number): void {
    this.#logBytesSince += bytes;
  }
}
