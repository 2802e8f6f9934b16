/** The accounts of this node: LMDB under them, the log's events in the log, and what is done to whole accounts: upkeep, verify, rebuild. */

import { lessonsOfMoves } from '../indexer/senders.ts';
import { MailError } from '../protocol/mail/errors.ts';
import type { AccountId } from '../protocol/mail/ids.ts';
import { limitsWith, noLimits, type QuotaLimits } from '../protocol/mail/quota.ts';
import { LogAccounts } from '../storage/account/log-accounts.ts';
import { MemoryBlobCache } from '../storage/blobs/blob-cache.ts';
import type { Clock } from '../storage/clock.ts';
import type { Directory } from '../storage/directory/directory.ts';
import { LmdbEnvironments } from '../storage/index/lmdb-kv.ts';
import type { LogEvent } from '../storage/log/events.ts';
import { directoryAccountId } from '../storage/objects/object-keys.ts';
import type { Random } from '../storage/random.ts';
import type { Finding } from '../storage/snapshot/findings.ts';
import type { Maintenance } from './admin/services.ts';
import type { Background } from './background.ts';
import { bootId } from './boot-id.ts';
import type { OpenedStore } from './compose-store.ts';
import type { Config } from './config.ts';
import { findingsListedMax, idleLookMs, indexLookMs, scrubIntervalMs, scrubLookMs, searchBlocksMs, snapshotsMs } from './limits.ts';
import type { Logger } from './logger.ts';
import { mappedBytes } from './mapped-bytes.ts';
import type { Metrics } from './metrics.ts';

export interface AccountsOptions {
  readonly store: OpenedStore;
  readonly nodeId: string;
  /** Of the index; ours. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Of accounts that have none of their own. */
  readonly quotaLimits: QuotaLimits;
}

type Heeded = Pick<Directory, 'quotaOf' | 'accountByAddress'>;

export interface NodeAccounts extends Maintenance, AsyncDisposable {
  readonly accounts: LogAccounts;
  /** From now on an account's own limits and addresses are known: by the directory, which is itself an account. */
  heed(directory: Heeded): void;
  /** Snapshots, search blocks, the scrubber; and what is not used goes out of memory. */
  beginWork(background: Background, directory: Directory): void;
}

export function openAccounts({ store, nodeId, folder, clock, random, logger, metrics, quotaLimits }: AccountsOptions): NodeAccounts {
  const environments = new LmdbEnvironments({
    path: folder,
    bootId: bootId(random),
    clock,
    mappedBytes,
    onDiscard: (path, reason) =>
      logger.warn('A part of the index is thrown away; its accounts are rebuilt as they are opened.', { path, reason }),
  });
  let heeded: Heeded | undefined;
  const accounts = new LogAccounts({
    store: store.of('accounts'),
    clock,
    random,
    node: nodeId,
    kv: (account) => environments.kv(account),
    cache: new MemoryBlobCache(),
    quotaLimits: (account) => limitsWith(quotaLimits, heeded?.quotaOf(account)),
    onJoin: lessonsOfMoves((account, address) => heeded?.accountByAddress(address)?.id === account),
    onEvent: (account, event) => tell(account, event, logger, metrics),
    onDamage: (account, { key, error }) => logger.error('A snapshot is damaged; an older one is used.', { account, key, error }),
  });
  metrics.gauge('satchel_accounts_open', 'Accounts that this node has in memory.', () => accounts.openAccounts().length);
  return {
    accounts,
    async verify(id, { isDeep }) {
      const findings: Finding[] = [];
      let findingsOmitted = 0;
      const summary = await accounts.verify(id, { isDeep }, (finding) => {
        if (findings.length < findingsListedMax) findings.push(finding);
        else findingsOmitted++;
      });
      return { findings, findingsOmitted, summary };
    },
    async rebuild(id) {
      if (id === directoryAccountId) {
        throw new MailError(
          'unsupported',
          "The directory's index is rebuilt at a start: stop the server, remove the index folder in dataDir, start it again.",
        );
      }
      const began = clock.monotonic();
      const account = await accounts.rebuild(id);
      const [mailboxes, messages] = account.read((reader) => [reader.mailboxes().length, [...reader.emails()].length]);
      return { messages, mailboxes, seq: account.position.seq, durationMs: clock.monotonic() - began };
    },
    heed(directory) {
      heeded = directory;
    },
    beginWork(background, directory) {
      background.repeat({ name: 'snapshots', pauseMs: snapshotsMs, run: (signal) => accounts.writeDueSnapshots(signal) });
      background.repeat({ name: 'idle accounts', pauseMs: idleLookMs, run: async () => accounts.putAwayIdle() });
      background.repeat({ name: 'index maps', pauseMs: indexLookMs, run: () => environments.unmapExcess() });
      background.repeat({ name: 'search blocks', pauseMs: searchBlocksMs, run: (signal) => accounts.buildDueSearchBlocks(signal) });
      const scrubbedAt = new Map<AccountId, number>();
      const run = (signal: AbortSignal) => scrubDue(accounts, directory, scrubbedAt, clock, logger, signal);
      background.repeat({ name: 'scrubber', pauseMs: scrubLookMs, run });
    },
    async [Symbol.asyncDispose]() {
      await accounts[Symbol.asyncDispose]();
      await environments[Symbol.asyncDispose]();
    },
  };
}

/** Every account once a day, the directory's too. */
async function scrubDue(
  accounts: LogAccounts,
  directory: Directory,
  scrubbedAt: Map<AccountId, number>,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  for (const id of [directoryAccountId as AccountId, ...directory.listAccounts().map((account) => account.id)]) {
    if (clock.monotonic() - (scrubbedAt.get(id) ?? Number.NEGATIVE_INFINITY) < scrubIntervalMs) continue;
    const { removed, withheld } = await accounts.scrub(id, { signal });
    scrubbedAt.set(id, clock.monotonic());
    const objects = Object.values(removed).reduce((sum, counts) => sum + counts.objects, 0);
    const bytes = Object.values(removed).reduce((sum, counts) => sum + counts.bytes, 0);
    if (objects > 0) logger.info('Garbage was removed.', { account: id, objects, bytes });
    for (const why of withheld) logger.warn('The scrubber left something alone.', { account: id, why });
  }
}

const eventSentences: Readonly<Record<LogEvent['kind'], readonly [level: 'debug' | 'info' | 'warn' | 'error', sentence: string]>> = {
  lostRace: ['debug', 'Another writer was first; the changes run again.'],
  unknownOutcome: ['warn', 'A commit was not answered; the same bytes are sent again.'],
  lateAnswer: ['warn', 'A commit was answered late; the tail of the log decides.'],
  stray: ['warn', 'An object in the log is not in its chain, and is ignored.'],
  rebuilt: ['info', 'An index was rebuilt.'],
  settleFailed: ['error', 'The index failed to take a commit; it is brought up to the log again.'],
  catchUpFailed: ['warn', 'Catching up with the log failed; it is tried again.'],
  watcherFailed: ['error', 'A watcher of an account failed.'],
};

function tell(account: AccountId, { kind, ...fields }: LogEvent, logger: Logger, metrics: Metrics): void {
  metrics.count('satchel_log_events_total', 'What happened to account logs out of the ordinary.', { kind });
  const [level, sentence] = eventSentences[kind];
  logger[level](sentence, { account, ...fields });
}

/** What the configuration says of every account. */
export function quotaLimitsOf({ limits: { accountBytesMax, accountMessagesMax } }: Pick<Config, 'limits'>): QuotaLimits {
  if (accountBytesMax === undefined && accountMessagesMax === undefined) return noLimits;
  return { octets: accountBytesMax ?? null, messages: accountMessagesMax ?? null };
}
