/**
 * What the directory keeps: objects of the account `directory`, by type and id. These types are part of the durable format (docs/FORMAT.md).
 * Addresses in records and ids are in canonical form (address.ts).
 *
 * | type       | id                 | value            |
 * |------------|--------------------|------------------|
 * | domain     | the A-label domain | DomainRecord     |
 * | account    | the account id     | AccountRecord    |
 * | address    | a primary address  | AddressRecord    |
 * | alias      | an address         | AliasRecord      |
 * | group      | an address         | GroupRecord      |
 * | credential | the account id     | CredentialRecord |
 * | setting    | `decoy`            | DecoyRecord      |
 * | rule       | drawn              | RuleRecord       |
 * | flowKey    | an access key id   | FlowKeyRecord    |
 * | share      | `<account or anyone>/<owner>` | ShareRecord |
 * | sendAs     | `<account>/<address>` | SendAsRecord |
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { OwnLimits } from '../../protocol/mail/quota.ts';

export interface DomainRecord {
  readonly createdAt: number;
}

/**
 * `active`: has its address and takes mail. `closing`: out of the directory, its log not yet closed. `closed`: done. Records of removed accounts
 * stay, so that an id is never given again.
 */
export type AccountState = 'active' | 'closing' | 'closed';

export interface AccountRecord {
  readonly address: string;
  /** Display name; '' for none. */
  readonly name: string;
  readonly createdAt: number;
  readonly state: AccountState;
  readonly removedAt?: number;
  /** Limits of its own, beside those that the configuration has for every account. */
  readonly quota?: OwnLimits;
}

/** The account that an address is the primary one of: what makes addresses unique without a scan. */
export interface AddressRecord {
  readonly account: AccountId;
}

/** An alias names an account by id, or a group by its address; never another alias. `*@domain` is the domain's catch-all. */
export interface AliasRecord {
  readonly to: { readonly account: AccountId } | { readonly group: string };
  readonly createdAt: number;
}

/** Who may write to a group: its members, everybody in its domain, or the addresses and domains that are listed. */
export type GroupSenders = 'members' | 'domain' | readonly string[];

export interface GroupRecord {
  /** Addresses of accounts, aliases and groups of this directory; and addresses in domains that are not ours, to which mail is sent on. */
  readonly members: readonly string[];
  /** Absent: anyone. */
  readonly senders?: GroupSenders;
  readonly createdAt: number;
}

/** RFC 5802 §3 and RFC 7677: what a server keeps to check SCRAM-SHA-256. Binary values in base64. */
export interface ScramKeys {
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

/** One password, as the two things it can be checked against: a PHC string `$argon2id$…`, and SCRAM keys. */
export interface PasswordKeys {
  readonly argon2: string;
  readonly scramSha256: ScramKeys;
}

/**
 * A password for one device or program. It is drawn at random with 100 bits, so one round of SHA-256 (hex, of the prepared password) keeps it as
 * well as a slow hash would. SCRAM cannot tell passwords of one login apart, so app passwords are for PLAIN, LOGIN and Basic.
 */
export interface AppPassword {
  readonly id: string;
  readonly name: string;
  readonly sha256: string;
  /** Services it opens; empty means all. */
  readonly scopes: readonly string[];
  readonly createdAt: number;
}

export interface CredentialRecord {
  readonly password: PasswordKeys | null;
  readonly appPasswords: readonly AppPassword[];
  readonly changedAt: number;
}

/** A key that functions sign their calls of the message flow interface with (SigV4): the secret is needed to check them. */
export interface FlowKeyRecord {
  readonly name: string;
  readonly secret: string;
  readonly createdAt: number;
}

/** Somebody may have something shared with them by an owner: see share-hints.ts. */
export interface ShareRecord {
  readonly at: number;
}

/** The account may send as the address: see send-as.ts. */
export interface SendAsRecord {
  readonly createdAt: number;
}

/** 32 random bytes in hex, from which unknown logins get a SCRAM salt that is the same on every node and after every restart. */
export interface DecoyRecord {
  readonly key: string;
}

export const recordTypes = [
  'domain',
  'account',
  'address',
  'alias',
  'group',
  'credential',
  'setting',
  'rule',
  'flowKey',
  'share',
  'sendAs',
] as const;
export type RecordType = (typeof recordTypes)[number];
