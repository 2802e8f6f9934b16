/**
 * An account as callers hold it. It is good for as long as anybody holds it: where what it had in memory was put away meanwhile, the next call brings
 * that back from the index, without a request and at once, since readers are synchronous.
 */
import { hash } from 'node:crypto';
import { StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { AccountIndex } from '../index/account-index.ts';
import { CarriedBytes, carriedBytesMax, carriedPerMutationBytesMax } from '../log/carried.ts';
import type { Position, StateView } from '../log/machine.ts';
import type { BlobRef } from '../log/record.ts';
import type { Account, AccountReader, AccountTransactor, Effect, LooseWatcher, OnJoin, PreparedBlob, Upload } from './api.ts';
import type { LiveAccount } from './live-account.ts';

export interface LogAccountPorts {
  /** The account's state in memory, brought there where it is not. Not kept here, so that it can go. */
  readonly live: (handle: LogAccount) => LiveAccount;
  readonly onJoin: OnJoin | undefined;
}

export class LogAccount implements Account {
  readonly id: AccountId;
  readonly #ports: LogAccountPorts;

  constructor(id: AccountId, ports: LogAccountPorts) {
    this.id = id;
    this.#ports = ports;
  }

  /** Throws StorageError 'unavailable' when the node is stopping. */
  get live(): LiveAccount {
    return this.#ports.live(this);
  }

  get index(): AccountIndex {
    return this.live.index;
  }

  read<T>(fn: (reader: AccountReader) => T): T {
    const { log, reader } = this.live;
    if (!log.isWhole) {
      // Should making it anew have failed, whoever asks has it tried again.
      log.refresh().catch(() => {});
      throw new StorageError('unavailable', `the index of account ${this.id} is being made anew`);
    }
    return fn(reader);
  }

  async transact<T>(mutation: (tx: AccountTransactor) => T, { uploads = [] }: { uploads?: readonly PreparedBlob[] } = {}): Promise<T> {
    const { live } = this;
    const { onJoin } = this.#ports;
    const isUploaded = (prepared: PreparedBlob): prepared is Upload => !(prepared.ref instanceof CarriedBytes);
    const carried = uploads.flatMap(({ ref }) => (ref instanceof CarriedBytes ? [ref] : []));
    const run = (tx: AccountTransactor) => {
      for (const bytes of carried) bytes.placed = undefined;
      tx.onJoin = onJoin && ((joined, emails, mailbox) => onJoin(joined, emails, mailbox, this.id));
      return mutation(tx);
    };
    const value = await live.log.transact(run, { uploads: uploads.filter(isUploaded) });
    for (const { placed, bytes } of carried) {
      if (placed === undefined) continue;
      live.blobs.keep(placed, bytes);
      live.noteCarried(bytes.length);
    }
    return value;
  }

  async prepareBlob(bytes: Buffer, inMutation = 1): Promise<PreparedBlob> {
    const isCarried = bytes.length <= carriedBytesMax && bytes.length * inMutation <= carriedPerMutationBytesMax;
    return isCarried ? { ref: new CarriedBytes(bytes, hash('sha256', bytes, 'hex')) } : this.upload(bytes);
  }

  watch(onEffects: (effects: readonly Effect[]) => void, onReset?: () => void, loose?: LooseWatcher): Disposable {
    return this.live.watch({ onEffects, onReset, loose });
  }

  async upload(bytes: Uint8Array): Promise<Upload> {
    return this.live.blobs.put(bytes);
  }

  async uploadCopy(key: string, sha256: string, length: number): Promise<Upload> {
    return this.live.blobs.copyFrom(key, sha256, length);
  }

  async blobBytes(ref: BlobRef): Promise<Buffer> {
    return this.live.blobs.get(ref);
  }

  /** Looks for what other writers have committed, and applies it. */
  async refresh(): Promise<void> {
    await this.live.log.refresh();
  }

  /**
   * Makes every put fail that some writer has under way on an older state: what nothing names after it, and is old, will never be named again. A
   * log that is empty or closed has no such writers.
   */
  async fence(): Promise<void> {
    await this.refresh();
    const { log, reader } = this.live;
    if (log.position.seq > 0 && !reader.isClosed) await log.fence();
  }

  get position(): Position {
    return this.live.log.position;
  }

  /** The applied state for a snapshot or a comparison; to be released. */
  view(): StateView {
    return this.live.index.view();
  }
}
