/**
 * The directory in memory: maps of every record, kept up to date from the account's effects. Only reads and `put` by the Directory that owns it.
 */
import type { AclIdentifier } from '../../protocol/mail/acl.ts';
import type { AccountId } from '../../protocol/mail/ids.ts';
import type {
  AccountRecord,
  AddressRecord,
  AliasRecord,
  CredentialRecord,
  DecoyRecord,
  DomainRecord,
  FlowKeyRecord,
  GroupRecord,
  RecordType,
  SendAsRecord,
  ShareRecord,
} from './records.ts';
import type { AddressBook } from './resolve.ts';
import type { RuleRecord } from './rule-records.ts';
import { parseHintId } from './share-hints.ts';

export class DirectoryState implements AddressBook {
  readonly domains = new Map<string, DomainRecord>();
  readonly accounts = new Map<AccountId, AccountRecord>();
  readonly addresses = new Map<string, AddressRecord>();
  readonly aliases = new Map<string, AliasRecord>();
  readonly groups = new Map<string, GroupRecord>();
  readonly credentials = new Map<AccountId, CredentialRecord>();
  readonly settings = new Map<string, DecoyRecord>();
  readonly rules = new Map<string, RuleRecord>();
  readonly flowKeys = new Map<string, FlowKeyRecord>();
  readonly shares = new Map<string, ShareRecord>();
  readonly sendAs = new Map<string, SendAsRecord>();
  /** Owners by the account, or anyone, that they may have shared something with. */
  readonly sharers = new Map<AclIdentifier, Set<AccountId>>();
  /** Aliases by the account they name, for `addressesOf`. */
  readonly #aliasesOf = new Map<AccountId, Set<string>>();

  hasDomain(domain: string): boolean {
    return this.domains.has(domain);
  }

  accountOf(address: string): AccountId | undefined {
    return this.addresses.get(address)?.account;
  }

  alias(address: string): AliasRecord | undefined {
    return this.aliases.get(address);
  }

  group(address: string): GroupRecord | undefined {
    return this.groups.get(address);
  }

  /** Aliases of an account, catch-alls included, sorted. */
  aliasesOf(account: AccountId): string[] {
    return [...(this.#aliasesOf.get(account) ?? [])].sort();
  }

  /** Takes in what the log says of one record; undefined: it is gone. */
  put(type: RecordType, id: string, value: unknown): void {
    if (type === 'alias') this.#linkAlias(id, value as AliasRecord | undefined);
    if (type === 'share') this.#linkShare(id, value !== undefined);
    const map = this.#mapOf(type);
    if (value === undefined) map.delete(id);
    else map.set(id, value);
  }

  clear(): void {
    const all = [
      this.domains,
      this.accounts,
      this.addresses,
      this.aliases,
      this.groups,
      this.credentials,
      this.settings,
      this.rules,
      this.flowKeys,
      this.shares,
      this.sendAs,
      this.sharers,
      this.#aliasesOf,
    ];
    for (const map of all) map.clear();
  }

  #linkShare(id: string, isThere: boolean): void {
    const { sharee, owner } = parseHintId(id);
    const owners = this.sharers.get(sharee) ?? new Set();
    if (isThere) owners.add(owner);
    else owners.delete(owner);
    if (owners.size > 0) this.sharers.set(sharee, owners);
    else this.sharers.delete(sharee);
  }

  #linkAlias(address: string, next: AliasRecord | undefined): void {
    const old = this.aliases.get(address);
    if (old && 'account' in old.to) this.#aliasesOf.get(old.to.account)?.delete(address);
    if (next === undefined || !('account' in next.to)) return;
    const linked = this.#aliasesOf.get(next.to.account);
    if (linked) linked.add(address);
    else this.#aliasesOf.set(next.to.account, new Set([address]));
  }

  #mapOf(type: RecordType): Map<string, unknown> {
    const maps = {
      domain: this.domains,
      account: this.accounts,
      address: this.addresses,
      alias: this.aliases,
      group: this.groups,
      credential: this.credentials,
      setting: this.settings,
      rule: this.rules,
      flowKey: this.flowKeys,
      share: this.shares,
      sendAs: this.sendAs,
    };
    return maps[type] as Map<string, unknown>;
  }
}
