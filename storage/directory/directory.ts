/**
 * Who has an address here: domains, accounts, aliases, groups and credentials, on the log of the account `directory`.
 *
 * Lookups are synchronous and answer from maps in memory, which follow the account's effects. Changes are mutations, true when their promise
 * resolves. Other nodes' changes arrive by refresh(): the process calls it every few seconds, and whoever is about to say no (an unknown
 * recipient) or yes on old knowledge (a remembered password) calls it once more before.
 */
import { type AclIdentifier, anyone } from '../../protocol/mail/acl.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { OwnLimits } from '../../protocol/mail/quota.ts';
import type { Account, AccountReader, Accounts, AccountTransactor, Effect } from '../account/api.ts';
import type { Clock } from '../clock.ts';
import { directoryAccountId } from '../objects/object-keys.ts';
import type { Random } from '../random.ts';
import { canonicalAddress, canonicalDomain, displayDomain } from './address.ts';
import * as mutations from './mutations.ts';
import { areNeighbours, type Principal, principalFor, principalIdOf, principalsFor } from './principals.ts';
import { provisionAccount } from './provision.ts';
import { type AppPassword, type CredentialRecord, type GroupSenders, type PasswordKeys, type RecordType, recordTypes } from './records.ts';
import { type GroupMail, groupMail, type Resolution, resolve } from './resolve.ts';
import { addFlowKey, addRule, moveRule, removeFlowKey, removeRule, sortedRules } from './rule-mutations.ts';
import type { Rule, RuleRecord } from './rule-records.ts';
import { parseSendAsId, sendAsId } from './send-as.ts';
import { maySendAs } from './sender.ts';
import { dropRightsOf, dropStaleHint, isHintDue, isStale, putHints } from './share-hints.ts';
import { DirectoryState } from './state.ts';

export interface DirectoryPorts {
  readonly accounts: Accounts;
  readonly clock: Clock;
  readonly random: Random;
  /** Reads an open account's next numbers from the store; resolves when what was committed before the call is applied and watchers were told. */
  readonly catchUp: (account: Account) => Promise<void>;
}

export interface DirectoryAccount {
  readonly id: AccountId;
  /** Canonical: the domain in A-labels. */
  readonly address: string;
  readonly name: string;
  readonly createdAt: number;
}

export class Directory implements Disposable {
  readonly #ports: DirectoryPorts;
  readonly #account: Account;
  readonly #state = new DirectoryState();
  readonly #watch: Disposable;
  #modSeq = 0;
  #rules: readonly Rule[] | undefined;
  #refreshing: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #freshAt = Number.NEGATIVE_INFINITY;

  /** Opens the account `directory` and reads it into memory. */
  static async open(ports: DirectoryPorts): Promise<Directory> {
    return new Directory(ports, await ports.accounts.open(directoryAccountId as AccountId));
  }

  private constructor(ports: DirectoryPorts, account: Account) {
    this.#ports = ports;
    this.#account = account;
    this.#watch = account.watch((effects) => this.#follow(effects));
    this.#load();
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  /**
   * Sees what other nodes committed before this call. With `maxAgeMs`, knowledge that was fresh within that time will do. Calls that come while
   * one is under way share the next one: theirs may have looked before the change they ask about. Rejects with StorageError 'unavailable'.
   */
  refresh({ maxAgeMs = 0 } = {}): Promise<void> {
    if (this.#ports.clock.monotonic() - this.#freshAt < maxAgeMs) return Promise.resolve();
    if (this.#refreshing === undefined) return this.#startRefresh();
    this.#queued ??= this.#refreshing
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.#startRefresh();
      });
    return this.#queued;
  }

  #startRefresh(): Promise<void> {
    const startedAt = this.#ports.clock.monotonic();
    const run = this.#ports
      .catchUp(this.#account)
      .then(() => {
        // An index that was thrown away comes back without telling its watchers.
        if (this.#account.read((reader) => reader.modSeq) !== this.#modSeq) this.#load();
        this.#freshAt = startedAt;
      })
      .finally(() => {
        if (this.#refreshing === run) this.#refreshing = undefined;
      });
    this.#refreshing = run;
    return run;
  }

  // Lookups

  /** Whether the domain, or the domain of the address, is one of ours. */
  isLocalDomain(domainOrAddress: string): boolean {
    const domain = canonicalDomain(domainOrAddress.slice(domainOrAddress.lastIndexOf('@') + 1));
    return domain !== undefined && this.#state.hasDomain(domain);
  }

  /** The active account with this primary address or this alias of its own; no plus-address, no catch-all, no group. */
  accountByAddress(address: string): DirectoryAccount | undefined {
    const canonical = canonicalAddress(address);
    if (canonical === undefined) return undefined;
    const alias = this.#state.alias(canonical);
    const id = this.#state.accountOf(canonical) ?? (alias && 'account' in alias.to ? alias.to.account : undefined);
    return id === undefined ? undefined : this.accountById(id);
  }

  /** The active account with this id. */
  accountById(id: AccountId): DirectoryAccount | undefined {
    const record = this.#state.accounts.get(id);
    if (record?.state !== 'active') return undefined;
    return { id, address: record.address, name: record.name, createdAt: record.createdAt };
  }

  /** The primary address and then the aliases of an account, catch-alls (`*@domain`) included. */
  addressesOf(id: AccountId): readonly string[] {
    const account = this.accountById(id);
    return account ? [account.address, ...this.#state.aliasesOf(id)] : [];
  }

  /** Accounts and groups that an account may know. */
  principals(viewer: AccountId): readonly Principal[] {
    return [...principalsFor(this.#state, viewer)];
  }

  principal(viewer: AccountId, id: string): Principal | undefined {
    return principalFor(this.#state, viewer, id);
  }

  /** The principal that a changed record is of, where the viewer may know it. */
  principalIdOf(viewer: AccountId, record: { readonly type: string; readonly id: string }): string | undefined {
    return principalIdOf(this.#state, viewer, record);
  }

  areNeighbours(viewer: AccountId, account: AccountId): boolean {
    return areNeighbours(this.#state, viewer, account);
  }

  /** What the directory has been through: its effects name records. */
  history<T>(fn: (reader: Pick<AccountReader, 'modSeq' | 'effectsSince'>) => T): T {
    return this.#account.read(fn);
  }

  /** Limits that the account has of its own. */
  quotaOf(id: AccountId): OwnLimits | undefined {
    return this.#state.accounts.get(id)?.quota;
  }

  /** The account's credentials. The same object until they change, so it can be compared by identity. */
  credential(id: AccountId): CredentialRecord | undefined {
    return this.#state.credentials.get(id);
  }

  /** 32 bytes in hex for decoy salts of unknown logins; undefined while there is no domain. */
  decoyKey(): string | undefined {
    return this.#state.settings.get('decoy')?.key;
  }

  /** Where mail for this recipient goes. Looks at the store once more before it says unknown; rejects when that cannot be done. */
  async resolveRecipient(recipient: string): Promise<Resolution> {
    const known = resolve(this.#state, recipient);
    if (known.kind === 'account' || known.reason === 'invalid') return known;
    await this.refresh();
    return resolve(this.#state, recipient);
  }

  // Domains

  /** Sorted A-labels with the spelling for people. */
  listDomains(): readonly { readonly name: string; readonly displayName: string; readonly createdAt: number }[] {
    return sorted(this.#state.domains).map(([name, { createdAt }]) => ({ name, displayName: displayDomain(name), createdAt }));
  }

  /** Resolves to the domain's canonical name. */
  addDomain(name: string): Promise<string> {
    const decoyKey = this.#ports.random.hex(32);
    return this.#transact((tx) => mutations.addDomain(tx, name, decoyKey));
  }

  removeDomain(name: string): Promise<void> {
    return this.#transact((tx) => mutations.removeDomain(tx, name));
  }

  // Accounts

  /** Active accounts, by address. */
  listAccounts(): readonly DirectoryAccount[] {
    return sorted(this.#state.addresses).map(([, { account }]) => this.accountById(account)!);
  }

  /** Adds the account, then gives it its mailboxes. A crash in between leaves that to the first delivery (provisionAccount). */
  async addAccount(address: string, { name = '' }: { name?: string } = {}): Promise<AccountId> {
    const drawn = `a${this.#ports.random.hex(10)}` as AccountId;
    const id = await this.#transact((tx) => mutations.addAccount(tx, drawn, address, name));
    await provisionAccount(await this.#ports.accounts.open(id));
    return id;
  }

  /** Out of the directory first, then `closed` as the last commit of the account's own log. A crash in between is finished by finishRemovals. */
  async removeAccount(address: string): Promise<AccountId> {
    const id = await this.#transact((tx) => mutations.beginRemoval(tx, address));
    await this.#finishRemoval(id);
    return id;
  }

  /** Closes accounts whose removal was cut short. Called at start and now and then. Resolves to how many there were. */
  async finishRemovals(): Promise<number> {
    const closing = [...this.#state.accounts].filter(([, { state }]) => state === 'closing').map(([id]) => id);
    for (const id of closing) await this.#finishRemoval(id);
    return closing.length;
  }

  async #finishRemoval(id: AccountId): Promise<void> {
    const account = await this.#ports.accounts.open(id);
    if (!account.read((reader) => reader.isClosed)) {
      await account.transact((tx) => {
        if (!tx.isClosed) tx.close();
      });
    }
    // What others shared with it: the hints say whose logs to look into, and go last.
    for (const owner of this.#state.sharers.get(id) ?? []) {
      if (this.accountById(owner) !== undefined) await (await this.#ports.accounts.open(owner)).transact((tx) => dropRightsOf(tx, id));
    }
    await this.#transact((tx) => mutations.endRemoval(tx, id));
  }

  setQuota(address: string, change: mutations.QuotaChange): Promise<void> {
    return this.#transact((tx) => mutations.setQuota(tx, address, change));
  }

  // Credentials

  setPassword(address: string, password: PasswordKeys | null): Promise<void> {
    return this.#transact((tx) => mutations.setPassword(tx, address, password));
  }

  /** Resolves to the app password's id. */
  async addAppPassword(address: string, added: Pick<AppPassword, 'name' | 'sha256' | 'scopes'>): Promise<string> {
    const id = this.#ports.random.hex(6);
    await this.#transact((tx) => mutations.addAppPassword(tx, address, { ...added, id, createdAt: tx.at }));
    return id;
  }

  removeAppPassword(address: string, id: string): Promise<void> {
    return this.#transact((tx) => mutations.removeAppPassword(tx, address, id));
  }

  // Aliases and groups

  /** Aliases by address, with the address that each leads to. */
  listAliases(): readonly { readonly alias: string; readonly target: string }[] {
    return sorted(this.#state.aliases).map(([alias, { to }]) => ({
      alias,
      target: 'group' in to ? to.group : this.#state.accounts.get(to.account)!.address,
    }));
  }

  addAlias(alias: string, target: string): Promise<string> {
    return this.#transact((tx) => mutations.addAlias(tx, alias, target));
  }

  removeAlias(alias: string, target?: string): Promise<void> {
    return this.#transact((tx) => mutations.removeAlias(tx, alias, target));
  }

  /** Whether an account may send as an address: one of its own, one that it has a grant for, or a group's that it is in. */
  async maySendAs(id: AccountId, address: string): Promise<boolean> {
    if (maySendAs(this.addressesOf(id), address)) return true;
    const canonical = canonicalAddress(address);
    if (canonical === undefined || !this.isLocalDomain(canonical)) return false;
    if (this.#state.sendAs.has(sendAsId(id, canonical))) return true;
    const resolution = await this.resolveRecipient(canonical);
    return resolution.kind === 'account' && resolution.via === 'group' && resolution.accounts.includes(id);
  }

  /** Who may send as whom beside himself. */
  listSendAs(): readonly { readonly account: string; readonly as: string }[] {
    return sorted(this.#state.sendAs).map(([id]) => {
      const { account, address } = parseSendAsId(id);
      return { account: this.accountById(account)?.address ?? account, as: address };
    });
  }

  /** Resolves to the canonical address. */
  grantSendAs(account: string, as: string): Promise<string> {
    return this.#transact((tx) => mutations.grantSendAs(tx, account, as));
  }

  revokeSendAs(account: string, as: string): Promise<void> {
    return this.#transact((tx) => mutations.revokeSendAs(tx, account, as));
  }

  /** Without `senders` anyone may write to it. */
  listGroups(): readonly { readonly address: string; readonly members: readonly string[]; readonly senders?: GroupSenders }[] {
    return sorted(this.#state.groups).map(([address, { members, senders }]) => ({ address, members, ...(senders && { senders }) }));
  }

  /** The group that an address leads to, as mail to it is handled. */
  groupMail(recipient: string): GroupMail | undefined {
    return this.#state.groups.size === 0 ? undefined : groupMail(this.#state, recipient);
  }

  /** Makes the group, or adds members to it; with `senders` says who may write to it. */
  addGroup(address: string, members: readonly string[], senders?: GroupSenders | 'anyone'): Promise<string> {
    return this.#transact((tx) => mutations.addGroup(tx, address, members, senders));
  }

  /** Takes members out; without members removes the group. */
  removeGroup(address: string, members: readonly string[] = []): Promise<void> {
    return this.#transact((tx) => mutations.removeGroup(tx, address, members));
  }

  // Rules of the organisation, and the keys of their functions

  /** In the order in which they are asked; the same array until they change. */
  rules(): readonly Rule[] {
    this.#rules ??= sortedRules(this.#state.rules);
    return this.#rules;
  }

  addRule(rule: Omit<RuleRecord, 'order' | 'createdAt'>): Promise<Rule> {
    const id = `r${this.#ports.random.hex(6)}`;
    return this.#transact((tx) => addRule(tx, id, rule));
  }

  /** By name or id. */
  removeRule(nameOrId: string): Promise<Rule> {
    return this.#transact((tx) => removeRule(tx, nameOrId));
  }

  moveRule(nameOrId: string, position: number): Promise<void> {
    return this.#transact((tx) => moveRule(tx, nameOrId, position));
  }

  flowSecret(accessKeyId: string): string | undefined {
    return this.#state.flowKeys.get(accessKeyId)?.secret;
  }

  listFlowKeys(): readonly { readonly accessKeyId: string; readonly name: string; readonly createdAt: number }[] {
    return sorted(this.#state.flowKeys).map(([accessKeyId, { name, createdAt }]) => ({ accessKeyId, name, createdAt }));
  }

  /** The secret is told this once. */
  async addFlowKey(name: string): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }> {
    const accessKeyId = `SATCHEL${this.#ports.random.hex(8).toUpperCase()}`;
    const secretAccessKey = this.#ports.random.hex(20);
    await this.#transact((tx) => addFlowKey(tx, accessKeyId, secretAccessKey, name));
    return { accessKeyId, secretAccessKey };
  }

  removeFlowKey(accessKeyId: string): Promise<void> {
    return this.#transact((tx) => removeFlowKey(tx, accessKeyId));
  }

  // Hints about shared mailboxes: share-hints.ts says what they are worth

  /** Accounts that may have shared something with this one, or with anyone. */
  sharersWith(id: AccountId): readonly DirectoryAccount[] {
    const owners = new Set([...(this.#state.sharers.get(id) ?? []), ...(this.#state.sharers.get(anyone) ?? [])]);
    owners.delete(id);
    return [...owners].flatMap((owner) => this.accountById(owner) ?? []);
  }

  /** To be awaited before the owner's commit that gives them rights. */
  async noteShares(sharees: readonly AclIdentifier[], owner: AccountId): Promise<void> {
    const now = this.#ports.clock.now();
    const due = sharees.filter((sharee) => isHintDue(this.#state.shares.get(`${sharee}/${owner}`), now));
    if (due.length > 0) await this.#transact((tx) => putHints(tx, due, owner));
  }

  /** Nothing of the owner is shared with this account, nor with anyone. */
  async dropStaleShare(id: AccountId, owner: AccountId): Promise<void> {
    const stale = ([id, anyone] as const).filter((sharee) => {
      const hint = this.#state.shares.get(`${sharee}/${owner}`);
      return hint !== undefined && isStale(hint, this.#ports.clock.now());
    });
    if (stale.length === 0) return;
    await this.#transact((tx) => {
      for (const sharee of stale) dropStaleHint(tx, sharee, owner);
    });
  }

  // Following the log

  #transact<T>(mutation: (tx: AccountTransactor) => T): Promise<T> {
    return this.#account.transact(mutation);
  }

  #load(): void {
    this.#account.read((reader) => {
      this.#rules = undefined;
      this.#state.clear();
      for (const type of recordTypes) for (const { id, value } of reader.objects(type)) this.#state.put(type, id, value);
      this.#modSeq = reader.modSeq;
    });
  }

  #follow(effects: readonly Effect[]): void {
    const first = effects[0];
    if (first === undefined) return;
    // Mutations are numbered without gaps. A gap means that the index was thrown away and came back: nothing in memory holds then.
    if (first.modSeq !== this.#modSeq + 1) {
      this.#load();
      return;
    }
    this.#account.read((reader) => {
      for (const { objects } of effects) {
        for (const { type, id } of objects) {
          if (isRecordType(type)) this.#state.put(type, id, reader.object(type, id));
          if (type === 'rule') this.#rules = undefined;
        }
      }
    });
    this.#modSeq = effects.at(-1)!.modSeq;
  }
}

const isRecordType = (type: string): type is RecordType => (recordTypes as readonly string[]).includes(type);

const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
