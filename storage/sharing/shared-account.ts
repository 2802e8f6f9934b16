/**
 * An account as one of those with whom its mailboxes are shared has it: the same interface, so that IMAP and JMAP serve it as they serve an own account.
 * What he may read stands in shared-reader.ts, what he may do in shared-transactor.ts, what he is told in shared-effects.ts. Rights are looked up
 * each time: they hold from the commit on that gives or takes them.
 */
import type { RightSet } from '../../protocol/mail/acl.ts';
import type { AccountId, MailboxNumber, ModSeq } from '../../protocol/mail/ids.ts';
import type { Account, AccountReader, AccountTransactor, Effect, LooseWatcher, PreparedBlob, Upload } from '../account/api.ts';
import type { BlobRef } from '../log/record.ts';
import { sharedEffects } from './shared-effects.ts';
import { SharedMemory, SharedReader } from './shared-reader.ts';
import { SharedTransactor } from './shared-transactor.ts';

export class SharedAccount implements Account {
  readonly owner: Account;
  readonly viewer: AccountId;
  readonly #memory = new SharedMemory();

  constructor(owner: Account, viewer: AccountId) {
    this.owner = owner;
    this.viewer = viewer;
  }

  /** The owner's. */
  get id(): AccountId {
    return this.owner.id;
  }

  /** As they are now. */
  rightsOn(mailbox: MailboxNumber): RightSet {
    return this.read((reader) => reader.rightsOn(mailbox));
  }

  /** Something is shared with him. */
  get isShared(): boolean {
    return this.owner.read((reader) => reader.mailboxes().some(({ id }) => this.rightsOn(id).has('l')));
  }

  read<T>(fn: (reader: SharedReader) => T): T {
    return this.owner.read((reader: AccountReader) => fn(new SharedReader(reader, this.viewer, this.#memory)));
  }

  transact<T>(mutation: (tx: AccountTransactor) => T, options?: { uploads?: readonly PreparedBlob[] }): Promise<T> {
    return this.owner.transact((tx) => {
      // What others move teaches the owner's lists nothing.
      tx.onJoin = undefined;
      return mutation(new SharedTransactor(tx, this.viewer));
    }, options);
  }

  watch(onEffects: (effects: readonly Effect[]) => void, onReset?: () => void, loose?: LooseWatcher): Disposable {
    return this.owner.watch(
      (effects) => {
        const first = effects[0];
        if (first === undefined) return;
        const [told, isClosed] = this.owner.read((reader) => [
          sharedEffects(reader, this.viewer, (first.modSeq - 1) as ModSeq),
          reader.isClosed,
        ]);
        // The owner is gone, or what was before is not known: all that he knows is to be looked at again.
        if (told === undefined || isClosed) onReset?.();
        else if (told.length > 0) onEffects(told);
      },
      onReset,
      loose,
    );
  }

  prepareBlob(bytes: Buffer, inMutation?: number): Promise<PreparedBlob> {
    return this.owner.prepareBlob(bytes, inMutation);
  }

  upload(bytes: Uint8Array): Promise<Upload> {
    return this.owner.upload(bytes);
  }

  uploadCopy(key: string, sha256: string, length: number): Promise<Upload> {
    return this.owner.uploadCopy(key, sha256, length);
  }

  blobBytes(ref: BlobRef): Promise<Buffer> {
    return this.owner.blobBytes(ref);
  }
}

const byOwner = new WeakMap<Account, Map<AccountId, SharedAccount>>();

/** The same for the same owner and viewer, so that what is remembered of it by others is shared by its sessions. */
export function sharedAccount(owner: Account, viewer: AccountId): SharedAccount {
  let byViewer = byOwner.get(owner);
  if (byViewer === undefined) byOwner.set(owner, (byViewer = new Map()));
  let account = byViewer.get(viewer);
  if (account === undefined) byViewer.set(viewer, (account = new SharedAccount(owner, viewer)));
  return account;
}
