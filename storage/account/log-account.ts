/** An account: its log, the index that the log drives, and its blobs. The log's loop is the only one that changes the index. */
import { hash } from 'node:crypto';
import type { AccountId } from '../../protocol/mail/ids.ts';
import { sizeOf } from '../../protocol/mail/ranges.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { AccountIndex } from '../index/account-index.ts';
import { CarriedBytes, carriedBytesMax, carriedPerMutationBytesMax } from '../log/carried.ts';
import type { Log } from '../log/log.ts';
import type { Position, StateView } from '../log/machine.ts';
import type { BlobRef } from '../log/record.ts';
import type { Account, AccountReader, AccountTransactor, Effect, OnJoin, PreparedBlob, Upload } from './api.ts';

/** About what an added message and another effect add to the log, compressed: to tell when a snapshot is due. Bytes. */
const logBytesPerEmail = 2048;
const logBytesPerEffect = 256;

interface Watcher {
  readonly onEffects: (effects: readonly Effect[]) => void;
  readonly onReset: (() => void) | undefined;
}

export class LogAccount implements Account {
  readonly id: AccountId;
  readonly index: AccountIndex;
  private readonly log: Log<AccountTransactor, Effect>;
  private readonly blobs: BlobStore;
  /** When it changed last, monotonic. */
  changedAt = Number.NEGATIVE_INFINITY;
  private readonly watchers = new Set<Watcher>();
  private readonly reader: AccountReader;
  private readonly onJoin: OnJoin | undefined;
  /** Where the newest snapshot that we know of stands, and about how many bytes of log came since. */
  private snapshotSeq = 0;
  private logBytesSince = 0;

  constructor(
    id: AccountId,
    index: AccountIndex,
    blobs: BlobStore,
    openLog: (account: LogAccount) => Log<AccountTransactor, Effect>,
    onJoin?: OnJoin,
  ) {
    this.onJoin = onJoin;
    this.id = id;
    this.index = index;
    this.blobs = blobs;
    this.reader = index.reader();
    this.log = openLog(this);
  }

  read<T>(fn: (reader: AccountReader) => T): T {
    return fn(this.reader);
  }

  transact<T>(mutation: (tx: AccountTransactor) => T, { uploads = [] }: { uploads?: readonly PreparedBlob[] } = {}): Promise<T> {
    const isUploaded = (prepared: PreparedBlob): prepared is Upload => !(prepared.ref instanceof CarriedBytes);
    const { onJoin } = this;
    const carried = uploads.flatMap(({ ref }) => (ref instanceof CarriedBytes ? [ref] : []));
    const run = (tx: AccountTransactor) => {
      for (const bytes of carried) bytes.placed = undefined;
      tx.onJoin = onJoin;
      return mutation(tx);
    };
    const committed = this.log.transact(run, { uploads: uploads.filter(isUploaded) });
    if (carried.length === 0) return committed;
    return committed.then((value) => {
      for (const { placed, bytes } of carried) {
        if (placed === undefined) continue;
        this.blobs.keep(placed, bytes);
        this.logBytesSince += bytes.length;
      }
      return value;
    });
  }

  async prepareBlob(bytes: Buffer, inMutation = 1): Promise<PreparedBlob> {
    const isCarried = bytes.length <= carriedBytesMax && bytes.length * inMutation <= carriedPerMutationBytesMax;
    return isCarried ? { ref: new CarriedBytes(bytes, hash('sha256', bytes, 'hex')) } : this.upload(bytes);
  }

  watch(onEffects: (effects: readonly Effect[]) => void, onReset?: () => void): Disposable {
    const watcher = { onEffects, onReset };
    this.watchers.add(watcher);
    return { [Symbol.dispose]: () => void this.watchers.delete(watcher) };
  }

  upload(bytes: Uint8Array): Promise<Upload> {
    return this.blobs.put(bytes);
  }

  uploadCopy(key: string, sha256: string, length: number): Promise<Upload> {
    return this.blobs.copyFrom(key, sha256, length);
  }

  blobBytes(ref: BlobRef): Promise<Buffer> {
    return this.blobs.get(ref);
  }

  /** Looks for what other writers have committed, and applies it. */
  refresh(): Promise<void> {
    return this.log.refresh();
  }

  /**
   * Makes every put fail that some writer has under way on an older state: what nothing names after it, and is old, will never be named again. A
   * log that is empty or closed has no such writers.
   */
  async fence(): Promise<void> {
    await this.refresh();
    if (this.position.seq > 0 && !this.reader.isClosed) await this.log.fence();
  }

  get position(): Position {
    return this.log.position;
  }

  /** The applied state for a snapshot or a comparison; to be released. */
  view(): StateView {
    return this.index.view();
  }

  get sinceSnapshot(): { readonly commitsSince: number; readonly bytesSince: number } {
    return { commitsSince: this.position.seq - this.snapshotSeq, bytesSince: this.logBytesSince };
  }

  noteSnapshot(seq: number): void {
    this.snapshotSeq = Math.max(this.snapshotSeq, seq);
    this.logBytesSince = 0;
  }

  /** For the log: what came true. */
  tell(effects: readonly Effect[]): void {
    for (const { emails } of effects) this.logBytesSince += logBytesPerEffect + sizeOf(emails.added) * logBytesPerEmail;
    for (const { onEffects } of this.watchers) onEffects(effects);
  }

  /** For the log: the state was made anew; it may have moved by more than effects tell. */
  tellReset(): void {
    for (const { onReset } of this.watchers) onReset?.();
  }

  /** Answers what is under way, and takes no more. */
  close(signal?: AbortSignal): Promise<void> {
    return this.log.close(signal === undefined ? {} : { signal });
  }
}
