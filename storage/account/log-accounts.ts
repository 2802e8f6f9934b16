/**
 * The accounts of a node, by id: opened once, kept in memory while they are used, and what is done to whole accounts beside serving them: snapshots, the
 * scrubber, search blocks, verify, rebuild. Accounts are opened at once by whoever asks first; the others wait for the same opening.
 */
import type { AccountId } from '../../protocol/mail/ids.ts';
import type { QuotaLimits } from '../../protocol/mail/quota.ts';
import type { BlobCache } from '../blobs/blob-cache.ts';
import { BlobStore } from '../blobs/blob-store.ts';
import type { Clock } from '../clock.ts';
import { AccountIndex } from '../index/account-index.ts';
import type { Kv } from '../index/kv.ts';
import { MemoryKv } from '../index/memory-kv.ts';
import { blocksDue, buildBlock } from '../index/trigrams.ts';
import type { LogEvent } from '../log/events.ts';
import { Log } from '../log/log.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import type { Random } from '../random.ts';
import type { Report } from '../snapshot/findings.ts';
import { snapshotDue } from '../snapshot/limits.ts';
import { type SnapshotDamage, SnapshotLoader } from '../snapshot/loader.ts';
import { type ScrubReport, scrubAccount } from '../snapshot/scrubber.ts';
import { type VerifySummary, verifyAccount } from '../snapshot/verify.ts';
import { type SnapshotResult, writeSnapshot } from '../snapshot/writer.ts';
import type { Account, Accounts, OnJoin } from './api.ts';
import { blocksPiledMax, quietMsMin } from './limits.ts';
import { type Leftover, LiveAccount } from './live-account.ts';
import type { LogAccount } from './log-account.ts';
import { Residents } from './residents.ts';

export interface LogAccountsOptions {
  /** putIfAbsent is one attempt; everything else may be retried inside. */
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  /** The name that commits carry. */
  readonly node: string;
  /** Where an account's index is kept. */
  readonly kv: (account: AccountId) => Kv;
  readonly cache: BlobCache;
  /** What an account may hold, asked whenever it matters: limits may change while it is open. Absent: no limits. */
  readonly quotaLimits?: (account: AccountId) => QuotaLimits;
  readonly onEvent?: (account: AccountId, event: LogEvent) => void;
  /** What each mutation tells of emails that get another mailbox. */
  readonly onJoin?: OnJoin;
  readonly onDamage?: (account: AccountId, damage: SnapshotDamage) => void;
  /** Accounts in memory; default: accountsOpenMax. */
  readonly openMax?: number;
}

/** Parts that name no blobs: the scrubber need not read them. */
const kindsWithoutBlobs = new Set(['meta', 'state', 'text']);

export class LogAccounts implements Accounts, AsyncDisposable {
  private readonly options: LogAccountsOptions;
  private readonly residents: Residents;
  /** Names of snapshot parts that were found damaged, by account: the next snapshot does not take them over. */
  private readonly distrusted = new Map<AccountId, Set<string>>();

  constructor(options: LogAccountsOptions) {
    this.options = options;
    const { kv, quotaLimits, clock, onJoin, openMax } = options;
    this.residents = new Residents({
      clock,
      onJoin,
      openMax,
      openIndex: (id) => AccountIndex.open(kv(id), quotaLimits && (() => quotaLimits(id))),
      reopenIndex: (id) => AccountIndex.reopen(kv(id), quotaLimits && (() => quotaLimits(id))),
      live: (id, index, leftover) => this.live(id, index, leftover),
    });
  }

  /** Opens and catches up, or rebuilds. What failed may be asked for again. */
  open(id: AccountId): Promise<LogAccount> {
    return this.residents.open(id);
  }

  /** Tells of every account that comes into memory, before whoever opens it has it; and of those that are there now. */
  onOpened(listener: (account: LogAccount) => void): void {
    this.residents.onOpened(listener);
  }

  /** The accounts that are in memory now. */
  openAccounts(): readonly LogAccount[] {
    return this.residents.all();
  }

  /** Puts the accounts away that nobody watches and that were neither opened nor changed for a while. */
  putAwayIdle(forMs?: number): void {
    this.residents.putAwayIdle(forMs);
  }

  /** Applies what others have committed until now. */
  readonly catchUp = async (account: Account): Promise<void> => {
    await (await this.open(account.id)).refresh();
  };

  private live(id: AccountId, index: AccountIndex, leftover: Leftover | undefined): LiveAccount {
    const { store, clock, random, node, cache, onEvent } = this.options;
    const blobs = new BlobStore({ store, accountId: id, clock, random, cache });
    const loader = new SnapshotLoader({ store, accountId: id, onDamage: (damage) => this.noteDamage(id, damage) });
    const openLog = (self: LiveAccount) =>
      new Log({
        account: id,
        store,
        machine: index,
        clock,
        random,
        node,
        sighting: leftover?.sighting,
        snapshots: {
          load: async (machine) => {
            const position = await loader.load(machine);
            self.noteSnapshot(position.seq);
            return position;
          },
        },
        onEffects: (effects) => {
          self.changedAt = clock.monotonic();
          self.tell(effects);
        },
        onReset: () => self.tellReset(),
        onEvent: (event) => onEvent?.(id, event),
      });
    return new LiveAccount({ id, index, blobs, openLog, leftover });
  }

  private noteDamage(id: AccountId, damage: SnapshotDamage): void {
    const names = this.distrusted.get(id) ?? new Set();
    // The name in the account: `part/…`.
    names.add(damage.key.split('/').slice(-2).join('/'));
    this.distrusted.set(id, names);
    this.options.onDamage?.(id, damage);
  }

  /** Writes a snapshot of the account's state as it is. */
  async snapshot(account: LogAccount, signal?: AbortSignal): Promise<SnapshotResult> {
    const { store, clock, random, node } = this.options;
    const distrusted = this.distrusted.get(account.id);
    const result = await writeSnapshot(account.view(), {
      store,
      accountId: account.id,
      clock,
      random,
      by: node,
      ...(distrusted === undefined ? {} : { distrusted }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.outcome === 'written' || result.outcome === 'current') account.live.noteSnapshot(result.position.seq);
    if (result.outcome === 'written') this.distrusted.delete(account.id);
    return result;
  }

  /** Snapshots of the open accounts whose log has grown enough since the last. */
  async writeDueSnapshots(signal?: AbortSignal): Promise<void> {
    for (const account of this.openAccounts()) {
      if (signal?.aborted) return;
      if (snapshotDue({ ...account.live.sinceSnapshot, isInSpate: this.isInSpate(account) })) await this.snapshot(account, signal);
    }
  }

  private isInSpate({ live }: LogAccount): boolean {
    return this.options.clock.monotonic() - live.changedAt < quietMsMin;
  }

  /** Builds the search blocks that are due, in slices of the event loop; of an account that is being filled once some have piled up. */
  async buildDueSearchBlocks(signal?: AbortSignal): Promise<void> {
    const { clock, kv } = this.options;
    for (const account of this.openAccounts()) {
      const map = kv(account.id);
      const due = () => blocksDue(map, account.index.nextEmail);
      while (!signal?.aborted && due() > (this.isInSpate(account) ? blocksPiledMax : 0)) {
        for (const _ of buildBlock(map)) {
          await clock.sleep(0);
          if (signal?.aborted) return;
        }
      }
    }
  }

  /** Removes what is dead from the account's part of the bucket. */
  async scrub(id: AccountId, options: { readonly isDryRun?: boolean; readonly signal?: AbortSignal } = {}): Promise<ScrubReport> {
    const { store, clock } = this.options;
    const account = await this.open(id);
    return scrubAccount({
      store,
      accountId: id,
      clock,
      kindsWithoutBlobs,
      view: async () => {
        await (options.isDryRun === true ? account.refresh() : account.fence());
        return account.view();
      },
      ...options,
    });
  }

  /** Checks the account's part of the bucket, and the index against it. Findings are reported as they come. */
  async verify(
    id: AccountId,
    options: { readonly isDeep?: boolean; readonly signal?: AbortSignal },
    report: Report,
  ): Promise<VerifySummary> {
    const { store, clock } = this.options;
    const index = await this.viewForVerify(id);
    try {
      const scratch = () => AccountIndex.open(new MemoryKv());
      return await verifyAccount({ store, accountId: id, clock, scratch, ...(index === undefined ? {} : { index }), ...options }, report);
    } finally {
      index?.release();
    }
  }

  /** An account that cannot be opened can still be verified: the findings say why it cannot. */
  private async viewForVerify(id: AccountId) {
    try {
      const account = await this.open(id);
      await account.refresh();
      return account.view();
    } catch {
      return undefined;
    }
  }

  /** Throws the account's index away and builds it from the bucket. */
  async rebuild(id: AccountId): Promise<LogAccount> {
    const account = await this.open(id).catch(() => undefined);
    if (account !== undefined) {
      await account.live.log.rebuild();
      return account;
    }
    // What its index holds may be the reason.
    await AccountIndex.clear(this.options.kv(id));
    return this.open(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.residents[Symbol.asyncDispose]();
  }
}
