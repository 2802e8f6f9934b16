/**
 * Who shares what with whom, across accounts: opens what is shared with an account, and gives and takes rights. The owner's log is the truth; the
 * directory has hints, written before the owner's commit (storage/directory/share-hints.ts), so that a crash between the two costs nothing.
 */
import { type AclIdentifier, anyone, RightSet } from '../../protocol/mail/acl.ts';
import { MailError, StorageError } from '../../protocol/mail/errors.ts';
import type { AccountId, MailboxNumber } from '../../protocol/mail/ids.ts';
import type { Account, Accounts } from '../account/api.ts';
import type { Directory, DirectoryAccount } from '../directory/directory.ts';
import { openedTogetherMax, unknownNameAgeMsMax } from './limits.ts';
import { aclOf, setRights } from './rights.ts';
import { SharedAccount, sharedAccount } from './shared-account.ts';

export interface SharesPorts {
  readonly accounts: Accounts;
  readonly directory: Directory;
  /** Completes a name without a domain, as it does in a login. */
  readonly defaultDomain?: string;
  /** An owner's account that could not be opened. */
  readonly onFailure?: (owner: AccountId, error: StorageError) => void;
}

export interface SharedWith {
  readonly owner: DirectoryAccount;
  readonly account: SharedAccount;
}

/** Reads what rights become from what they are. */
export type RightsChange = (before: RightSet) => RightSet;

export interface RightsChanged {
  readonly owner: AccountId;
  readonly mailbox: MailboxNumber;
  /** null: the administrator. */
  readonly by: AccountId | null;
  /** The list of the mailbox. */
  readonly before: ReadonlyMap<AclIdentifier, RightSet>;
  readonly after: ReadonlyMap<AclIdentifier, RightSet>;
}

export class Shares {
  readonly #ports: SharesPorts;
  readonly #listeners = new Set<(change: RightsChanged) => void>();

  constructor(ports: SharesPorts) {
    this.#ports = ports;
  }

  /** Accounts that may have shared something with this one: at least those that have. */
  owners(viewer: AccountId): readonly DirectoryAccount[] {
    return this.#ports.directory.sharersWith(viewer);
  }

  /** undefined: nothing of this account is shared with the viewer, if it is there at all. */
  async open(viewer: AccountId, owner: AccountId): Promise<SharedAccount | undefined> {
    const { accounts, directory } = this.#ports;
    if (owner === viewer || [owner, viewer].some((id) => directory.accountById(id) === undefined)) return undefined;
    const account = sharedAccount(await accounts.open(owner), viewer);
    return account.isShared ? account : undefined;
  }

  /** All that is shared with the viewer, by the owner's address. Hints that have led nowhere for long are dropped. */
  async openAll(viewer: AccountId): Promise<readonly SharedWith[]> {
    const owners = [...this.owners(viewer)].sort((a, b) => (a.address < b.address ? -1 : 1));
    const opened: SharedWith[] = [];
    for (let at = 0; at < owners.length; at += openedTogetherMax) {
      const some = owners.slice(at, at + openedTogetherMax).map((owner) => this.#openOne(viewer, owner));
      opened.push(...(await Promise.all(some)).filter((one) => one !== undefined));
    }
    return opened;
  }

  /** An account that cannot be opened keeps nobody from the others. */
  async #openOne(viewer: AccountId, owner: DirectoryAccount): Promise<SharedWith | undefined> {
    try {
      const account = await this.open(viewer, owner.id);
      if (account !== undefined) return { owner, account };
      await this.#ports.directory.dropStaleShare(viewer, owner.id);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#ports.onFailure?.(owner.id, error);
    }
    return undefined;
  }

  /** The account that somebody means by a name of it: what it logs in with (RFC 4314 §2), or one of its aliases; or `anyone`. */
  identifier(name: string): AclIdentifier | undefined {
    if (name === anyone) return anyone;
    const { directory, defaultDomain } = this.#ports;
    return directory.accountByAddress(name.includes('@') || defaultDomain === undefined ? name : `${name}@${defaultDomain}`)?.id;
  }

  /** The same, and a look at what other nodes have added before it is nobody. */
  async find(name: string): Promise<AclIdentifier | undefined> {
    const known = this.identifier(name);
    if (known !== undefined) return known;
    await this.#ports.directory.refresh({ maxAgeMs: unknownNameAgeMsMax });
    return this.identifier(name);
  }

  /** The address of an account that is there still. */
  nameOf(identifier: AclIdentifier): string | undefined {
    return identifier === anyone ? anyone : this.#ports.directory.accountById(identifier)?.address;
  }

  /** Who has which rights on a mailbox beside its owner, by name. Accounts that are gone have none. */
  list(
    account: Account,
    mailbox: MailboxNumber,
  ): readonly { readonly identifier: AclIdentifier; readonly name: string; readonly rights: RightSet }[] {
    const acl = account.read((reader) => aclOf(reader, mailbox));
    return [...acl].flatMap(([identifier, rights]) => {
      const name = this.nameOf(identifier);
      return name === undefined ? [] : [{ identifier, name, rights }];
    });
  }

  /**
   * Changes the rights of some in one mutation. `account` is the owner's, or that of somebody who has `a` on the mailbox. The owner's own rights cannot
   * be changed. `by`: who did it; null is the administrator.
   */
  async setRights(
    account: Account,
    mailbox: MailboxNumber,
    changes: ReadonlyMap<AclIdentifier, RightsChange>,
    by: AccountId | null,
  ): Promise<void> {
    const { directory } = this.#ports;
    if (changes.has(account.id)) throw new MailError('invalidArguments', 'The owner has all rights, always.');
    // Asked before anything is written; the mutation asks again.
    if (account instanceof SharedAccount && !account.rightsOn(mailbox).hasAll('la'))
      throw new MailError('forbidden', 'The right a on the mailbox is missing.');
    const known = [...changes.keys()].filter((identifier) => this.nameOf(identifier) !== undefined);
    const now = account.read((reader) => aclOf(reader, mailbox));
    const given = known.filter((identifier) => changes.get(identifier)!(now.get(identifier) ?? RightSet.none) !== RightSet.none);
    await directory.noteShares(given, account.id);
    const changed = await account.transact((tx) => {
      const before = aclOf(tx, mailbox);
      const after = new Map<AclIdentifier, RightSet>();
      // Those who are gone leave the list with the next change of it.
      for (const identifier of before.keys()) if (this.nameOf(identifier) === undefined) after.set(identifier, RightSet.none);
      for (const identifier of known) after.set(identifier, changes.get(identifier)!(before.get(identifier) ?? RightSet.none));
      setRights(tx, mailbox, after);
      return { before, after: aclOf(tx, mailbox) };
    });
    await this.tell({ owner: account.id, mailbox, by, ...changed });
  }

  /** After each change of rights that was committed, whoever made it. */
  async tell(change: RightsChanged): Promise<void> {
    for (const listener of this.#listeners) listener(change);
    await this.onRightsChanged?.(change);
  }

  /** Tells of the changes that were made on this node. */
  watch(listener: (change: RightsChanged) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Told after each change that was made here, and waited for. */
  onRightsChanged: ((change: RightsChanged) => Promise<void>) | undefined;
}
